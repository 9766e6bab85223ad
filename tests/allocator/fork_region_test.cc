#include <gtest/gtest.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>

#include "allocator/fork_guard.h"
#include "allocator/lease.h"
#include "allocator/process_watcher.h"
#include "allocator/region.h"
#include "tests/allocator/region_testing.h"

namespace zcb::alloc {
namespace {

using testing::Child;
using testing::IsLockedAsSeenFromOutside;
using testing::SucceedsInChild;
using testing::Talk;
using testing::TempDirectory;

TEST(ForkGuardTest, DefaultGuardIsNeverOurs) {
  EXPECT_FALSE(ForkGuard().IsOurs());
}

TEST(ForkGuardTest, ForkIsNoticedInTheChildAlone) {
  const ForkGuard guard = ForkGuard::Arm();
  const ForkGuard copy = guard;
  EXPECT_TRUE(guard.IsOurs());
  EXPECT_TRUE(SucceedsInChild([&](Talk&) {
    EXPECT_FALSE(guard.IsOurs());
    EXPECT_FALSE(copy.IsOurs());
    const ForkGuard fresh = ForkGuard::Arm();
    EXPECT_TRUE(fresh.IsOurs());
    EXPECT_FALSE(guard.IsOurs()) << "a new guard does not revive the old";
    EXPECT_TRUE(SucceedsInChild([&](Talk&) { EXPECT_FALSE(fresh.IsOurs()); }));
  }));
  EXPECT_TRUE(guard.IsOurs());
}

TEST(ForkGuardTest, RawCloneIsNoticedToo) {
  const ForkGuard guard = ForkGuard::Arm();
  // As fork(2) does it, behind the back of every atfork handler.
  const long pid =
      ::syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr);
  ASSERT_GE(pid, 0);
  if (pid == 0) ::_exit(guard.IsOurs() ? 1 : 0);
  int state = 0;
  ASSERT_EQ(::waitpid(static_cast<pid_t>(pid), &state, 0), pid);
  EXPECT_TRUE(WIFEXITED(state) && WEXITSTATUS(state) == 0);
}

class ForkRegionTest : public ::testing::Test {
 protected:
  ForkRegionTest() : region_(Open()) {}
  std::shared_ptr<Region> Open() const {
    Result<std::shared_ptr<Region>> region = Region::Open(directory_.Options());
    EXPECT_TRUE(region.ok()) << region.reason();
    return region.ok() ? *region : nullptr;
  }
  void ExpectParentUntouched() {
    EXPECT_TRUE(region_->IsOurs());
    EXPECT_EQ(directory_.RegionFiles().size(), 3U);
    EXPECT_TRUE(
        LeaseWord(region_->lease_word(0).load(std::memory_order_acquire))
            .IsAlive(1));
    EXPECT_TRUE(
        IsLockedAsSeenFromOutside(directory_.RegionPath() + "/r.lock", 0));
  }

  TempDirectory directory_;
  std::shared_ptr<Region> region_;
};

TEST_F(ForkRegionTest, LettingGoInTheChildDoesNothing) {
  EXPECT_TRUE(SucceedsInChild([&](Talk&) {
    EXPECT_FALSE(region_->IsOurs());
    region_.reset();
  }));
  ExpectParentUntouched();
}

TEST_F(ForkRegionTest, ChildOpensAnewAndGetsALeaseOfItsOwn) {
  EXPECT_TRUE(SucceedsInChild([&](Talk&) {
    std::shared_ptr<Region> mine = Open();
    ASSERT_NE(mine, nullptr);
    EXPECT_NE(mine.get(), region_.get());
    EXPECT_TRUE(mine->IsOurs());
    EXPECT_FALSE(region_->IsOurs());
    EXPECT_EQ(mine->lease(), (LeaseId{1, 1}));
    EXPECT_TRUE(mine->HoldsLock(0)) << "the parent's";
    EXPECT_FALSE(mine->MarkDeadIfGone({0, 1}));
    // Letting go of the inherited object must not cost the new lock.
    region_.reset();
    EXPECT_TRUE(
        IsLockedAsSeenFromOutside(directory_.RegionPath() + "/r.lock", 1));
    mine.reset();
  }));
  ExpectParentUntouched();
  EXPECT_EQ(region_->LeaseHighWater(), 2);
}

TEST_F(ForkRegionTest, ChildMayForkAgain) {
  EXPECT_TRUE(SucceedsInChild([&](Talk&) {
    const std::shared_ptr<Region> mine = Open();
    EXPECT_TRUE(SucceedsInChild([&](Talk&) {
      EXPECT_FALSE(mine->IsOurs());
      const std::shared_ptr<Region> grandchild = Open();
      ASSERT_NE(grandchild, nullptr);
      EXPECT_EQ(grandchild->lease(), (LeaseId{2, 1}));
    }));
    EXPECT_TRUE(mine->IsOurs());
  }));
  ExpectParentUntouched();
}

TEST_F(ForkRegionTest, ChildOutlivesItsParentsLease) {
  // The child inherits descriptors of the lock file, but not the locks.
  Child parent([&](Talk& talk) {
    const std::shared_ptr<Region> mine = Open();
    const pid_t orphan = ::fork();
    if (orphan == 0) {
      talk.Say('o');
      talk.Hear();
      ::_exit(0);
    }
    talk.Say('p');
    talk.Hear();
  });
  parent.Hear();
  parent.Hear();
  ASSERT_TRUE(region_->HoldsLock(1));
  parent.Kill();
  EXPECT_FALSE(region_->HoldsLock(1));
  EXPECT_TRUE(region_->MarkDeadIfGone({1, 1}));
}

TEST_F(ForkRegionTest, ForkWhileAThreadOpensLeavesTheChildUsable) {
  // The registry's mutex may be held by the other thread at the fork.
  std::atomic<bool> stop{false};
  std::thread opener([&] {
    RegionOptions options = directory_.Options();
    options.name = "other";
    while (!stop.load(std::memory_order_acquire)) {
      EXPECT_TRUE(Region::Open(options).ok());
    }
  });
  for (int round = 0; round < 20; ++round) {
    EXPECT_TRUE(SucceedsInChild([&](Talk&) {
      const std::shared_ptr<Region> mine = Open();
      ASSERT_NE(mine, nullptr);
      EXPECT_NE(mine->lease().slot, 0);
    }));
  }
  stop.store(true, std::memory_order_release);
  opener.join();
  ExpectParentUntouched();
}

void Nothing(void*, LeaseId) {}

TEST_F(ForkRegionTest, InheritedWatcherDoesNothing) {
  Result<std::unique_ptr<ProcessWatcher>> watcher =
      ProcessWatcher::Start(region_, Nothing, nullptr);
  ASSERT_TRUE(watcher.ok());
  Child member([&](Talk& talk) {
    const std::shared_ptr<Region> mine = Open();
    talk.Say('a');
    talk.Hear();
  });
  ASSERT_EQ(member.Hear(), 'a');
  (*watcher)->Watch({1, 1});
  EXPECT_TRUE(SucceedsInChild([&](Talk&) {
    (*watcher)->Watch({1, 1});
    watcher->reset();
  }));
}

}  // namespace
}  // namespace zcb::alloc
