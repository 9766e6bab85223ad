#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>

#include "allocator/lease.h"
#include "allocator/process_watcher.h"
#include "allocator/region.h"
#include "tests/allocator/region_testing.h"

namespace zcb::alloc {
namespace {

using testing::Child;
using testing::IsLockedAsSeenFromOutside;
using testing::Talk;
using testing::TempDirectory;

class LeaseTest : public ::testing::Test {
 protected:
  LeaseTest() : region_(MustOpen()) {}

  std::shared_ptr<Region> MustOpen() const {
    Result<std::shared_ptr<Region>> region = Region::Open(directory_.Options());
    EXPECT_TRUE(region.ok()) << region.reason();
    return region.ok() ? *region : nullptr;
  }
  // A process with a lease, which it has when this returns.
  Child Attached() const {
    Child child([this](Talk& talk) {
      const std::shared_ptr<Region> mine = MustOpen();
      talk.Say('a');
      talk.Hear();
    });
    EXPECT_EQ(child.Hear(), 'a');
    return child;
  }
  LeaseWord Word(std::uint16_t slot) const {
    return LeaseWord(region_->lease_word(slot).load(std::memory_order_acquire));
  }
  std::string LockPath() const { return directory_.RegionPath() + "/r.lock"; }

  TempDirectory directory_;
  std::shared_ptr<Region> region_;
};

TEST_F(LeaseTest, LivingProcessHoldsItsLockAndIsNotMarkedDead) {
  Child child = Attached();
  EXPECT_TRUE(region_->HoldsLock(1));
  EXPECT_FALSE(region_->MarkDeadIfGone({1, 1}));
  EXPECT_TRUE(Word(1).IsAlive(1));
  EXPECT_EQ(Word(1).pid(), child.pid());
  EXPECT_EQ(region_->LeaseHighWater(), 2);
}

TEST_F(LeaseTest, StoppedProcessLives) {
  Child child = Attached();
  ASSERT_EQ(::kill(child.pid(), SIGSTOP), 0);
  int state = 0;
  ASSERT_EQ(::waitpid(child.pid(), &state, WUNTRACED), child.pid());
  EXPECT_TRUE(region_->HoldsLock(1));
  EXPECT_FALSE(region_->MarkDeadIfGone({1, 1}));
}

TEST_F(LeaseTest, KilledProcessIsMarkedDeadOnceAndForAll) {
  Child child = Attached();
  child.Kill();
  EXPECT_FALSE(region_->HoldsLock(1));
  EXPECT_TRUE(region_->MarkDeadIfGone({1, 1}));
  EXPECT_TRUE(Word(1).IsDead(1));
  EXPECT_TRUE(region_->MarkDeadIfGone({1, 1})) << "dead, by whomever";
}

TEST_F(LeaseTest, OwnLeaseHoldsItsLock) {
  EXPECT_TRUE(region_->HoldsLock(region_->lease().slot));
  EXPECT_FALSE(region_->MarkDeadIfGone(region_->lease()));
}

TEST_F(LeaseTest, AnotherGenerationOrANonsenseSlotIsNotMarked) {
  Child child = Attached();
  child.Kill();
  EXPECT_FALSE(region_->MarkDeadIfGone({1, 2}));
  EXPECT_FALSE(region_->MarkDeadIfGone({1, 0}));
  EXPECT_FALSE(region_->MarkDeadIfGone({7, 1}));
  EXPECT_FALSE(region_->MarkDeadIfGone({60000, 1}));
  region_->FreeDeadLease({60000, 1});
  EXPECT_TRUE(Word(1).IsAlive(1));
}

TEST_F(LeaseTest, SlotOfTheDeadIsNotReusedBeforeItIsReaped) {
  Child first = Attached();
  first.Kill();
  Child second = Attached();
  EXPECT_TRUE(Word(1).IsAlive(1)) << "unreaped";
  EXPECT_EQ(Word(2).pid(), second.pid());
  ASSERT_TRUE(region_->MarkDeadIfGone({1, 1}));
  Child third = Attached();
  EXPECT_EQ(Word(3).pid(), third.pid());
  region_->FreeDeadLease({1, 1});
  EXPECT_EQ(Word(1).phase(), LeaseWord::Phase::kFree);
  Child fourth = Attached();
  EXPECT_TRUE(Word(1).IsAlive(2));
  EXPECT_EQ(Word(1).pid(), fourth.pid());
  EXPECT_EQ(region_->LeaseHighWater(), 4);
}

TEST_F(LeaseTest, OnlyADeadLeaseOfThatGenerationIsFreed) {
  Child child = Attached();
  region_->FreeDeadLease({1, 1});
  EXPECT_TRUE(Word(1).IsAlive(1));
  child.Kill();
  ASSERT_TRUE(region_->MarkDeadIfGone({1, 1}));
  region_->FreeDeadLease({1, 2});
  EXPECT_TRUE(Word(1).IsDead(1));
}

TEST_F(LeaseTest, CleanDetachFreesTheSlotWithoutAReaper) {
  Child child = Attached();
  child.Say('g');
  EXPECT_EQ(child.Wait(), 0);
  EXPECT_EQ(Word(1).phase(), LeaseWord::Phase::kFree);
  EXPECT_EQ(Word(1).generation(), 1U);
}

TEST_F(LeaseTest, RecordsOfTheLastOwnerAreCleared) {
  LeaseRecord& record = region_->lease_record(1);
  record.uses_client.store(1, std::memory_order_relaxed);
  record.bell_count.store(9, std::memory_order_relaxed);
  record.client_word.store(77, std::memory_order_relaxed);
  Child child = Attached();
  EXPECT_EQ(record.uses_client.load(std::memory_order_relaxed), 0U);
  EXPECT_EQ(record.bell_count.load(std::memory_order_relaxed), 0U);
  EXPECT_EQ(record.client_word.load(std::memory_order_relaxed), 0U);
}

TEST_F(LeaseTest, ExecveEndsTheLeaseThoughTheProcessLives) {
  Child child([this](Talk& talk) {
    const std::shared_ptr<Region> mine = MustOpen();
    talk.Say('a');
    talk.Hear();
    // cat lives until the conversation ends.
    ::dup2(talk.fd(), STDIN_FILENO);
    ::dup2(talk.fd(), STDOUT_FILENO);
    ::execl("/bin/cat", "cat", nullptr);
  });
  ASSERT_EQ(child.Hear(), 'a');
  ASSERT_TRUE(region_->HoldsLock(1));
  child.Say('g');
  child.Say('x');
  ASSERT_EQ(child.Hear(), 'x') << "cat runs";
  EXPECT_FALSE(region_->HoldsLock(1));
  EXPECT_TRUE(region_->MarkDeadIfGone({1, 1}));
  child.CloseTalk();
  EXPECT_EQ(child.Wait(), 0) << "the process itself had not ended";
}

TEST_F(LeaseTest, ClosedLockDescriptorMakesNobodyDead) {
  Child other = Attached();
  Child blind([this](Talk& talk) {
    const std::shared_ptr<Region> mine = MustOpen();
    // What a daemon that closes everything does, and a file opened since.
    ::close_range(3, static_cast<unsigned>(talk.fd()) - 1, 0);
    ::close_range(static_cast<unsigned>(talk.fd()) + 1, ~0U, 0);
    while (::open("/dev/shm", O_TMPFILE | O_RDWR, 0600) < 64) {
    }
    EXPECT_TRUE(mine->HoldsLock(1));
    EXPECT_FALSE(mine->MarkDeadIfGone({1, 1}));
    talk.Say(::testing::Test::HasFailure() ? 'n' : 'y');
    ::_exit(0);
  });
  EXPECT_EQ(blind.Hear(), 'y');
}

void Nothing(void*, LeaseId) {}

TEST_F(LeaseTest, RecordLockSurvivesEveryPublicCall) {
  const auto expect_locked = [&](const char* after) {
    EXPECT_TRUE(IsLockedAsSeenFromOutside(LockPath(), region_->lease().slot))
        << after;
  };
  expect_locked("Open");
  for (int i = 0; i < 3; ++i) MustOpen();
  expect_locked("Open again");

  RegionOptions options = directory_.Options();
  options.name = "second";
  Result<std::shared_ptr<Region>> second = Region::Open(options);
  ASSERT_TRUE(second.ok());
  expect_locked("Open of another region");
  *second = nullptr;
  expect_locked("detach of another region");
  options.name = "bad/name";
  EXPECT_FALSE(Region::Open(options).ok());

  static_cast<void>(region_->ReportPages());
  expect_locked("ReportPages");
  EXPECT_TRUE(region_->CommitMeta(region_->geometry().client_offset, 9).ok());
  EXPECT_TRUE(region_->CommitUnits(0, 2).ok());
  EXPECT_TRUE(region_->PrefaultUnits(2, 1).ok());
  EXPECT_TRUE(region_->DecommitUnits(1, 1).ok());
  expect_locked("Commit, Prefault, Decommit");

  Child child = Attached();
  static_cast<void>(region_->HoldsLock(0));
  static_cast<void>(region_->HoldsLock(1));
  static_cast<void>(region_->HoldsLock(2));
  expect_locked("HoldsLock");
  child.Kill();
  EXPECT_TRUE(region_->MarkDeadIfGone({1, 1}));
  region_->FreeDeadLease({1, 1});
  expect_locked("MarkDeadIfGone, FreeDeadLease");

  EXPECT_TRUE(region_->PublishLife().ok());
  static_cast<void>(region_->OpenLifeOf(0));
  static_cast<void>(region_->OpenLifeOf(1));
  expect_locked("PublishLife, OpenLifeOf");
  {
    Result<std::unique_ptr<ProcessWatcher>> watcher =
        ProcessWatcher::Start(region_, Nothing, nullptr);
    ASSERT_TRUE(watcher.ok());
    EXPECT_TRUE((*watcher)->PublishLife().ok());
    Child other = Attached();
    (*watcher)->Watch({1, 2});
    expect_locked("Watch");
  }
  expect_locked("the watcher's end");
  static_cast<void>(region_->LeaseHighWater());
  static_cast<void>(region_->IsOurs());

  // Another process comes, is refused, goes; the region is not ours alone.
  Attached().Kill();
  ASSERT_TRUE(region_->MarkDeadIfGone({1, 3}) ||
              region_->MarkDeadIfGone({2, 1}));
  expect_locked("another's death");
  const std::string lock_path = LockPath();
  region_.reset();
  EXPECT_TRUE(directory_.RegionFiles().empty());
}

}  // namespace
}  // namespace zcb::alloc
