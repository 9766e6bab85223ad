#include "allocator/region_lifecycle.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "allocator/record_lock.h"
#include "allocator/region.h"
#include "allocator/region_creation.h"
#include "tests/allocator/region_testing.h"

namespace zcb::alloc {
namespace {

using testing::Child;
using testing::SucceedsInChild;
using testing::Talk;
using testing::TempDirectory;
using Names = std::vector<std::string>;

// The protocol's steps one by one, by processes that stop where we want.
class RegionLifecycleTest : public ::testing::Test {
 protected:
  RegionLifecycleTest() : options_(directory_.Options()) {}

  // A region made by hand, in which we have no lease any more.
  std::unique_ptr<RegionCore> MakeEmpty() {
    auto core = std::make_unique<RegionCore>();
    Result<RegionDirectory> directory = RegionDirectory::Open(options_);
    EXPECT_TRUE(directory.ok());
    core->directory = *directory;
    EXPECT_TRUE(BuildNameless(options_, core.get()).ok());
    const Result<bool> named = GiveNames(core.get());
    EXPECT_TRUE(named.ok() && *named);
    core->leases.FreeOwn(core->lease);
    core->leases.Unlock(core->lease);
    return core;
  }
  static void SetState(const RegionCore& core, RegionState state) {
    core.header()->state.store(static_cast<std::uint64_t>(state),
                               std::memory_order_seq_cst);
  }
  static RegionState State(const RegionCore& core) {
    return RegionState(core.header()->state.load(std::memory_order_seq_cst));
  }
  std::string Path(const std::string& name) const {
    return directory_.RegionPath() + "/" + name;
  }
  void Touch(const std::string& name) const {
    const int fd = ::open(Path(name).c_str(), O_CREAT | O_RDWR, 0600);
    ASSERT_GE(fd, 0);
    ::close(fd);
  }
  // A process that has the lifecycle lock of NAME.lock.
  Child LockHolder() const {
    Child child([this](Talk& talk) {
      const int fd = ::open(Path("r.lock").c_str(), O_RDWR | O_CLOEXEC);
      EXPECT_EQ(TryLockByte(fd, kLifecycleByte), LockAttempt::kTaken);
      talk.Say('l');
      talk.Hear();
    });
    EXPECT_EQ(child.Hear(), 'l');
    return child;
  }
  // A process with a lease, which goes cleanly when told.
  Child Member() const {
    Child child([this](Talk& talk) {
      Result<std::shared_ptr<Region>> mine = Region::Open(options_);
      EXPECT_TRUE(mine.ok()) << mine.reason();
      talk.Say('a');
      talk.Hear();
    });
    EXPECT_EQ(child.Hear(), 'a');
    return child;
  }
  std::uint64_t IdentityOnOpen() const {
    const Result<std::shared_ptr<Region>> region = Region::Open(options_);
    EXPECT_TRUE(region.ok()) << region.reason();
    return region.ok() ? (*region)->identity() : 0;
  }

  TempDirectory directory_;
  RegionOptions options_;
};

TEST_F(RegionLifecycleTest, AttacherGoesBackWhenTheRemoverWasFaster) {
  const auto core = MakeEmpty();
  for (const RegionState state :
       {RegionState::kClosing, RegionState::kClosed}) {
    SetState(*core, state);
    const Result<bool> settled = Settle(core.get());
    ASSERT_TRUE(settled.ok());
    EXPECT_FALSE(*settled);
    EXPECT_FALSE(core->leases.AnyTaken()) << "the lease was given back";
  }
  SetState(*core, RegionState::kOpen);
  const Result<bool> settled = Settle(core.get());
  EXPECT_TRUE(settled.ok() && *settled);
}

TEST_F(RegionLifecycleTest, AttacherGoesBackWhenTheNameIsGone) {
  const auto core = MakeEmpty();
  std::filesystem::remove(Path("r.meta"));
  const Result<bool> settled = Settle(core.get());
  ASSERT_TRUE(settled.ok());
  EXPECT_FALSE(*settled);
}

TEST_F(RegionLifecycleTest, RemoverGoesBackWhenSomebodyLives) {
  const auto core = MakeEmpty();
  const Child member = Member();
  RemoveIfUnused(*core);
  EXPECT_EQ(directory_.RegionFiles().size(), 3U);
  EXPECT_EQ(State(*core), RegionState::kOpen);
}

TEST_F(RegionLifecycleTest, RemoverDoesNotCountTheDead) {
  const auto core = MakeEmpty();
  Member().Kill();
  RemoveIfUnused(*core);
  EXPECT_EQ(directory_.RegionFiles(), Names{});
  EXPECT_EQ(State(*core), RegionState::kClosed);
}

TEST_F(RegionLifecycleTest, RemoverLeavesItToWhoeverHoldsTheLifecycleLock) {
  const auto core = MakeEmpty();
  const Child holder = LockHolder();
  RemoveIfUnused(*core);
  EXPECT_EQ(directory_.RegionFiles().size(), 3U);
  EXPECT_EQ(State(*core), RegionState::kOpen);
}

TEST_F(RegionLifecycleTest, RemoverTouchesNoFilesOfANewerRegion) {
  const auto old = MakeEmpty();
  std::filesystem::remove(Path("r.meta"));
  std::filesystem::remove(Path("r.data"));
  std::filesystem::remove(Path("r.lock"));
  const auto young = MakeEmpty();
  RemoveIfUnused(*old);
  EXPECT_EQ(Vet(*old), Condition::kRemoved);
  EXPECT_EQ(directory_.RegionFiles().size(), 3U);
  EXPECT_EQ(Vet(*young), Condition::kUsable);
}

TEST_F(RegionLifecycleTest, EmptyRegionLeftOpenIsAttachedAsItIs) {
  const auto core = MakeEmpty();
  EXPECT_EQ(IdentityOnOpen(), core->facts.identity);
}

TEST_F(RegionLifecycleTest, RemoverThatDiedInClosingIsFinishedByTheNext) {
  const auto core = MakeEmpty();
  SetState(*core, RegionState::kClosing);
  const std::uint64_t identity = IdentityOnOpen();
  EXPECT_NE(identity, 0U);
  EXPECT_NE(identity, core->facts.identity);
  EXPECT_EQ(directory_.RegionFiles(), Names{});
}

TEST_F(RegionLifecycleTest, RemoverThatDiedInClosingIsUndoneWhereSomeoneLives) {
  const auto core = MakeEmpty();
  const Child member = Member();
  SetState(*core, RegionState::kClosing);
  EXPECT_EQ(IdentityOnOpen(), core->facts.identity);
  EXPECT_EQ(State(*core), RegionState::kOpen);
}

TEST_F(RegionLifecycleTest, RemoverThatDiedAmongTheNamesIsFinished) {
  // Dead before the first, after the first, after the second name.
  const Names order{"", "r.meta", "r.data"};
  for (std::size_t dead_after = 0; dead_after < order.size(); ++dead_after) {
    const auto core = MakeEmpty();
    SetState(*core, RegionState::kClosed);
    for (std::size_t i = 1; i <= dead_after; ++i) {
      std::filesystem::remove(Path(order[i]));
    }
    const std::uint64_t identity = IdentityOnOpen();
    EXPECT_NE(identity, 0U);
    EXPECT_NE(identity, core->facts.identity);
    EXPECT_EQ(directory_.RegionFiles(), Names{});
  }
}

TEST_F(RegionLifecycleTest, RemovalInProgressIsTryAgain) {
  const auto core = MakeEmpty();
  SetState(*core, RegionState::kClosing);
  Child holder = LockHolder();
  EXPECT_EQ(Region::Open(options_).status(), Status::kTryAgain);
  EXPECT_EQ(directory_.RegionFiles().size(), 3U);
  holder.Kill();
  EXPECT_NE(IdentityOnOpen(), 0U);
}

TEST_F(RegionLifecycleTest, CreatorAtWorkIsTryAgainAndADeadOneIsSwept) {
  for (const Names& leftover : {Names{"r.lock"}, Names{"r.lock", "r.data"}}) {
    MakeEmpty();  // makes the directory
    for (const std::string& name : directory_.RegionFiles()) {
      std::filesystem::remove(Path(name));
    }
    for (const std::string& name : leftover) Touch(name);
    Child creator = LockHolder();
    EXPECT_EQ(Region::Open(options_).status(), Status::kTryAgain);
    EXPECT_EQ(directory_.RegionFiles().size(), leftover.size());
    creator.Kill();
    EXPECT_NE(IdentityOnOpen(), 0U);
    EXPECT_EQ(directory_.RegionFiles(), Names{});
  }
}

TEST_F(RegionLifecycleTest, DataFileWithoutALockFileIsReplaced) {
  MakeEmpty();
  std::filesystem::remove(Path("r.meta"));
  std::filesystem::remove(Path("r.lock"));
  EXPECT_NE(IdentityOnOpen(), 0U);
  EXPECT_EQ(directory_.RegionFiles(), Names{});
}

TEST_F(RegionLifecycleTest, DataFilesNameThatCannotBeTakenAwayIsRefusedAtOnce) {
  std::filesystem::create_directories(Path("r.data"));
  ASSERT_EQ(::chmod(directory_.RegionPath().c_str(), 0700), 0);
  EXPECT_EQ(Region::Open(options_).status(), Status::kAccess);
  EXPECT_EQ(directory_.RegionFiles(), std::vector<std::string>{"r.data"});
}

TEST_F(RegionLifecycleTest, RegionInUseWhoseMetaFileIsGoneIsNotReplaced) {
  Child member = Member();
  std::filesystem::remove(Path("r.meta"));
  EXPECT_EQ(Region::Open(options_).status(), Status::kTryAgain);
  EXPECT_EQ(directory_.RegionFiles(), (Names{"r.data", "r.lock"}));
  member.Kill();
  EXPECT_NE(IdentityOnOpen(), 0U);
}

TEST_F(RegionLifecycleTest, RegionWhoseProcessesWereAllKilledIsMadeAnew) {
  std::uint64_t last_identity = 0;
  for (int round = 0; round < 5; ++round) {
    std::vector<Child> members;
    for (int i = 0; i < 4; ++i) members.push_back(Member());
    for (Child& member : members) member.Kill();
    EXPECT_EQ(directory_.RegionFiles().size(), 3U) << "leftovers do not grow";
    Child next = Member();
    const std::uint64_t identity = IdentityOnOpen();
    EXPECT_NE(identity, last_identity);
    last_identity = identity;
    next.Kill();
  }
  EXPECT_NE(IdentityOnOpen(), last_identity);
  EXPECT_EQ(directory_.RegionFiles(), Names{});
}

TEST_F(RegionLifecycleTest, OneSurvivorKeepsTheRegionOfTheKilled) {
  const Child survivor = Member();
  const std::uint64_t identity = IdentityOnOpen();
  for (int i = 0; i < 3; ++i) Member().Kill();
  EXPECT_EQ(IdentityOnOpen(), identity);
}

TEST_F(RegionLifecycleTest, SweepTakesTheRegionsFifosAndNothingElse) {
  Child member = Member();
  const auto fifo = [&](const std::string& name) {
    ASSERT_EQ(::mkfifo(Path(name).c_str(), 0600), 0);
  };
  fifo("r.bell.0");
  fifo("r.bell.0.17");
  fifo("r.life.0");
  fifo("r.life.0.4711");
  fifo("r.life.life.0");  // of a region named r.life
  fifo("rr.bell.0");
  Touch("r.life.data");  // of a region named r.life
  Touch("r.bell.5");     // no FIFO
  member.Kill();
  EXPECT_NE(IdentityOnOpen(), 0U);
  EXPECT_EQ(directory_.RegionFiles(),
            (Names{"r.bell.5", "r.life.data", "r.life.life.0", "rr.bell.0"}));
}

TEST_F(RegionLifecycleTest, FailedCreationLeavesNothing) {
  RegionOptions options = options_;
  options.pages = PagePolicy::kHuge;
  options.region_bytes = RegionLimits::kMinRegionBytes;
  EXPECT_TRUE(SucceedsInChild([&](Talk&) {
    // No file may become that long here.
    const rlimit limit = {1 << 20, 1 << 20};
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
    EXPECT_EQ(Region::Open(options).status(), Status::kNoResources);
  }));
  EXPECT_EQ(directory_.RegionFiles(), Names{});
}

}  // namespace
}  // namespace zcb::alloc
