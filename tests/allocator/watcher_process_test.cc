#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <condition_variable>
#include <filesystem>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "allocator/process_watcher.h"
#include "allocator/region.h"
#include "tests/allocator/region_testing.h"

namespace zcb::alloc {
namespace {

using testing::Child;
using testing::SucceedsInChild;
using testing::Talk;
using testing::TempDirectory;

// Collects what a watcher tells.
class Obituary {
 public:
  static void OnGone(void* self, LeaseId gone) {
    auto* obituary = static_cast<Obituary*>(self);
    const std::lock_guard<std::mutex> held(obituary->mutex_);
    obituary->gone_.push_back(gone);
    obituary->changed_.notify_all();
  }
  // Waits until that many are gone, and gives them all.
  std::vector<LeaseId> WaitFor(std::size_t count) {
    std::unique_lock<std::mutex> held(mutex_);
    changed_.wait(held, [&] { return gone_.size() >= count; });
    return gone_;
  }
  std::vector<LeaseId> Now() {
    const std::lock_guard<std::mutex> held(mutex_);
    return gone_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<LeaseId> gone_;
};

class WatcherTest : public ::testing::Test {
 protected:
  WatcherTest() : region_(Open()) {
    Result<std::unique_ptr<ProcessWatcher>> watcher =
        ProcessWatcher::Start(region_, Obituary::OnGone, &obituary_);
    EXPECT_TRUE(watcher.ok()) << watcher.reason();
    watcher_ = std::move(*watcher);
  }
  std::shared_ptr<Region> Open() const {
    Result<std::shared_ptr<Region>> region = Region::Open(directory_.Options());
    EXPECT_TRUE(region.ok()) << region.reason();
    return region.ok() ? *region : nullptr;
  }
  Child Member(bool publishes = true) const {
    Child child([this, publishes](Talk& talk) {
      std::shared_ptr<Region> mine = Open();
      if (publishes) {
        EXPECT_TRUE(mine->PublishLife().ok());
      }
      talk.Say('a');
      if (talk.Hear() == 'e') {
        ::dup2(talk.fd(), STDIN_FILENO);
        ::dup2(talk.fd(), STDOUT_FILENO);
        ::execl("/bin/cat", "cat", nullptr);
      }
      mine.reset();
      talk.Say('d');
      talk.Hear();
    });
    EXPECT_EQ(child.Hear(), 'a');
    return child;
  }
  // The namespace that the slot's record names is made a foreign one, so that
  // only the FIFO can tell.
  void PretendForeignNamespace(std::uint16_t slot) {
    region_->lease_record(slot).pid_namespace.store(1,
                                                    std::memory_order_relaxed);
  }

  TempDirectory directory_;
  Obituary obituary_;
  std::shared_ptr<Region> region_;
  std::unique_ptr<ProcessWatcher> watcher_;
};

using Leases = std::vector<LeaseId>;

TEST_F(WatcherTest, KillIsTold) {
  Child member = Member();
  watcher_->Watch({1, 1});
  member.Kill();
  EXPECT_EQ(obituary_.WaitFor(1), (Leases{{1, 1}}));
  EXPECT_TRUE(LeaseWord(region_->lease_word(1).load(std::memory_order_acquire))
                  .IsDead(1));
}

TEST_F(WatcherTest, KillIsToldWithoutALifeFifo) {
  Child member = Member(/*publishes=*/false);
  watcher_->Watch({1, 1});
  member.Kill();
  EXPECT_EQ(obituary_.WaitFor(1), (Leases{{1, 1}}));
}

TEST_F(WatcherTest, KillIsToldFromAnotherPidNamespace) {
  Child member = Member();
  PretendForeignNamespace(1);
  watcher_->Watch({1, 1});
  member.Kill();
  EXPECT_EQ(obituary_.WaitFor(1), (Leases{{1, 1}}));
}

TEST_F(WatcherTest, RealOtherPidNamespaceIsWatchedToo) {
  if (::geteuid() != 0) GTEST_SKIP() << "not run: needs root";
  // The outer child's children live in a new namespace, as process 1.
  Child outer([&](Talk& talk) {
    if (::unshare(CLONE_NEWPID) != 0) {
      talk.Say('u');
      return;
    }
    Child inner = Member();
    talk.Say('a');
    talk.Hear();
    inner.Kill();
    talk.Say('k');
    talk.Hear();
  });
  if (outer.Hear() != 'a') GTEST_SKIP() << "no PID namespaces";
  watcher_->Watch({1, 1});
  outer.Say('g');
  ASSERT_EQ(outer.Hear(), 'k');
  EXPECT_EQ(obituary_.WaitFor(1), (Leases{{1, 1}}));
}

TEST_F(WatcherTest, ExecveIsToldThoughTheProcessLives) {
  Child member = Member();
  watcher_->Watch({1, 1});
  member.Say('e');
  EXPECT_EQ(obituary_.WaitFor(1), (Leases{{1, 1}}));
  member.Say('x');
  EXPECT_EQ(member.Hear(), 'x') << "cat runs in its place";
}

TEST_F(WatcherTest, DeathBeforeTheWatchIsTold) {
  Child member = Member();
  member.Kill();
  watcher_->Watch({1, 1});
  EXPECT_EQ(obituary_.WaitFor(1), (Leases{{1, 1}}));
}

TEST_F(WatcherTest, LeaseThatSomebodyElseMarkedDeadIsTold) {
  Child member = Member();
  member.Kill();
  ASSERT_TRUE(region_->MarkDeadIfGone({1, 1}));
  watcher_->Watch({1, 1});
  EXPECT_EQ(obituary_.WaitFor(1), (Leases{{1, 1}}));
}

TEST_F(WatcherTest, CleanDetachIsNotTold) {
  Child leaver = Member();
  Child victim = Member();
  watcher_->Watch({1, 1});
  watcher_->Watch({2, 1});
  leaver.Say('l');
  ASSERT_EQ(leaver.Hear(), 'd');
  victim.Kill();
  EXPECT_EQ(obituary_.WaitFor(1), (Leases{{2, 1}}));
  leaver.CloseTalk();
  EXPECT_EQ(leaver.Wait(), 0);
  // The slot's next owner is watched in its own right.
  Child next = Member();
  watcher_->Watch({1, 2});
  next.Kill();
  EXPECT_EQ(obituary_.WaitFor(2), (Leases{{2, 1}, {1, 2}}));
}

TEST_F(WatcherTest, ForkedChildOfAMemberDoesNotHideItsDeath) {
  Child member([&](Talk& talk) {
    const std::shared_ptr<Region> mine = Open();
    EXPECT_TRUE(mine->PublishLife().ok());
    if (::fork() == 0) {
      talk.Say('c');
      talk.Hear();  // outlives its parent, with what it has inherited
      ::_exit(0);
    }
    talk.Hear();
  });
  ASSERT_EQ(member.Hear(), 'c');
  PretendForeignNamespace(1);
  watcher_->Watch({1, 1});
  member.Kill();
  EXPECT_EQ(obituary_.WaitFor(1), (Leases{{1, 1}}));
}

TEST_F(WatcherTest, HangUpWhileTheLockIsHeldIsNoDeath) {
  // A FIFO that hangs up at once though its owner lives: the check must go on
  // until the lock decides.
  Child member = Member(/*publishes=*/false);
  PretendForeignNamespace(1);
  const std::string fifo = directory_.RegionPath() + "/r.life.1";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  Child writer([&](Talk& talk) {
    const int fd = ::open(fifo.c_str(), O_RDWR | O_CLOEXEC);
    EXPECT_GE(fd, 0);
    talk.Say('o');
    talk.Hear();
  });
  ASSERT_EQ(writer.Hear(), 'o');
  watcher_->Watch({1, 1});
  writer.Kill();
  Child victim = Member();
  watcher_->Watch({2, 1});
  victim.Kill();
  EXPECT_EQ(obituary_.WaitFor(1), (Leases{{2, 1}})) << "1 lives";
  member.Kill();
  EXPECT_EQ(obituary_.WaitFor(2), (Leases{{2, 1}, {1, 1}}));
}

TEST_F(WatcherTest, LeaseThatCannotBeWatchedIsStillFound) {
  Child member = Member(/*publishes=*/false);
  PretendForeignNamespace(1);
  watcher_->Watch({1, 1});
  member.Kill();
  EXPECT_EQ(obituary_.WaitFor(1), (Leases{{1, 1}}));
}

TEST_F(WatcherTest, ManyDeathsAreToldOnceEach) {
  std::vector<Child> members;
  for (int i = 0; i < 40; ++i) members.push_back(Member());
  for (int round = 0; round < 3; ++round) {
    for (std::uint16_t slot = 1; slot <= 40; ++slot) {
      watcher_->Watch({slot, 1});
    }
  }
  for (const Child& member : members) ::kill(member.pid(), SIGKILL);
  EXPECT_EQ(obituary_.WaitFor(40).size(), 40U);
  watcher_.reset();
  EXPECT_EQ(obituary_.Now().size(), 40U);
}

TEST_F(WatcherTest, StopJoinsAndTellsNothingMore) {
  Child member = Member();
  watcher_->Watch({1, 1});
  watcher_.reset();
  member.Kill();
  EXPECT_TRUE(region_->MarkDeadIfGone({1, 1}));
  EXPECT_TRUE(obituary_.Now().empty());
}

TEST_F(WatcherTest, StopWithoutAWatchNeedsNoThread) { watcher_.reset(); }

TEST_F(WatcherTest, NonsenseLeasesAreIgnored) {
  watcher_->Watch({1, 0});
  watcher_->Watch({60000, 1});
  watcher_->Watch({5, 1});  // never taken
  watcher_.reset();
  EXPECT_TRUE(obituary_.Now().empty());
}

TEST_F(WatcherTest, LifeFifoGoesWithTheDetach) {
  EXPECT_TRUE(watcher_->PublishLife().ok());
  EXPECT_TRUE(watcher_->PublishLife().ok()) << "idempotent";
  EXPECT_EQ(directory_.RegionFiles().size(), 4U);
  watcher_.reset();
  region_.reset();
  EXPECT_TRUE(directory_.RegionFiles().empty());
}

// Descriptor of our life FIFO's only end; -1: there is none.
int LifeDescriptor() {
  for (const auto& entry :
       std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code ignored;
    const std::string file =
        std::filesystem::read_symlink(entry.path(), ignored).string();
    if (file.find(".life.") != std::string::npos) {
      return std::stoi(entry.path().filename().string());
    }
  }
  return -1;
}

// A dying process's descriptors are given back from the highest down.
TEST_F(WatcherTest, LifeFifoHangsUpBeforeOrdinaryDescriptors) {
  ASSERT_TRUE(SucceedsInChild([&](Talk&) {
    const rlimit limit{1024, 1024};
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
    const std::shared_ptr<Region> mine = Open();
    EXPECT_TRUE(mine->PublishLife().ok());
    mine->RaiseLife();  // as the watcher's thread does
    const int life = LifeDescriptor();
    for (int i = 0; i < 200; ++i) EXPECT_LT(::dup(mine->data_fd()), life);
  }));
}

// Where threads share the table of descriptors, to make it larger takes the
// kernel 10 to 25 ms: the watcher's thread waits for that, not whoever joins.
TEST_F(WatcherTest, LifeFifoIsRaisedByTheWatcherWhereThereAreThreads) {
  ASSERT_TRUE(SucceedsInChild([&](Talk&) {
    const rlimit limit{1024, 1024};
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
    const std::shared_ptr<Region> mine = Open();
    std::promise<void> done;
    std::thread another([&] { done.get_future().wait(); });
    EXPECT_TRUE(mine->PublishLife().ok());
    EXPECT_LT(LifeDescriptor(), 64) << "the table's first size";
    auto watcher = ProcessWatcher::Start(mine, [](void*, LeaseId) {}, nullptr);
    EXPECT_TRUE(watcher.ok());
    EXPECT_TRUE((*watcher)->StartThread().ok());
    while (LifeDescriptor() != 1000) std::this_thread::yield();
    mine->RaiseLife();
    EXPECT_EQ(LifeDescriptor(), 1000) << "once";
    done.set_value();
    another.join();
  }));
}

TEST_F(WatcherTest, LifeFifoIsHadWithinASmallDescriptorLimit) {
  ASSERT_TRUE(SucceedsInChild([&](Talk&) {
    const rlimit limit{64, 64};
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
    const std::shared_ptr<Region> mine = Open();
    EXPECT_TRUE(mine->PublishLife().ok());
    EXPECT_GT(LifeDescriptor(), mine->data_fd());
  }));
}

TEST_F(WatcherTest, FifoOfTheSlotsDeadOwnerIsReplaced) {
  Child member = Member();
  member.Kill();
  ASSERT_TRUE(region_->MarkDeadIfGone({1, 1}));
  region_->FreeDeadLease({1, 1});
  EXPECT_TRUE(region_->OpenLifeOf(1).ok()) << "left by the dead";
  Child next = Member();
  PretendForeignNamespace(1);
  watcher_->Watch({1, 2});
  next.Kill();
  EXPECT_EQ(obituary_.WaitFor(1), (Leases{{1, 2}}));
}

TEST_F(WatcherTest, FifoOfTheDeadIsNotTakenForThatOfAMuteSuccessor) {
  Child member = Member();
  member.Kill();
  ASSERT_TRUE(region_->MarkDeadIfGone({1, 1}));
  region_->FreeDeadLease({1, 1});
  Child next = Member(/*publishes=*/false);
  PretendForeignNamespace(1);
  EXPECT_EQ(region_->OpenLifeOf(1).status(), Status::kNotExist);
  watcher_->Watch({1, 2});
  next.Kill();
  EXPECT_EQ(obituary_.WaitFor(1), (Leases{{1, 2}}));
}

}  // namespace
}  // namespace zcb::alloc
