// Two processes in the middle of each other, at places that chance would seldom
// find. Every step of the protocol that asks the kernel for a record lock goes
// through fcntl(2); here that is ours, and stops where a test says.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdarg>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "allocator/lease.h"
#include "allocator/record_lock.h"
#include "allocator/region.h"
#include "allocator/region_creation.h"
#include "allocator/region_lifecycle.h"
#include "tests/allocator/region_testing.h"

namespace {

// One stop: at the next call with this command and byte, before or after it.
struct Stop {
  int command = 0;
  off_t byte = 0;
  bool is_after = false;
  std::function<void()> action;
};
std::vector<Stop>* g_stops = nullptr;

void Pass(int command, const struct flock* lock, bool is_after) {
  if (g_stops == nullptr || lock == nullptr || g_stops->empty()) return;
  const Stop& next = g_stops->front();
  if (next.command != command || next.byte != lock->l_start ||
      next.is_after != is_after || lock->l_type == F_UNLCK) {
    return;
  }
  const std::function<void()> action = next.action;
  g_stops->erase(g_stops->begin());
  action();
}

}  // namespace

extern "C" int fcntl(int fd, int command, ...) {
  va_list arguments;
  va_start(arguments, command);
  void* argument = va_arg(arguments, void*);
  va_end(arguments);
  const bool is_lock = command == F_SETLK || command == F_GETLK;
  auto* lock = is_lock ? static_cast<struct flock*>(argument) : nullptr;
  // The kernel's answer overwrites what was asked.
  const struct flock asked = is_lock ? *lock : (struct flock){};
  if (is_lock) Pass(command, &asked, /*is_after=*/false);
  const long result = ::syscall(SYS_fcntl, fd, command, argument);
  if (is_lock) Pass(command, &asked, /*is_after=*/true);
  return static_cast<int>(result);
}

namespace zcb::alloc {
namespace {

using testing::Child;
using testing::Talk;
using testing::TempDirectory;
using Names = std::vector<std::string>;

class RegionInterleavingTest : public ::testing::Test {
 protected:
  RegionInterleavingTest() : options_(directory_.Options()) {
    g_stops = &stops_;
  }
  ~RegionInterleavingTest() override { g_stops = nullptr; }

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
  // Attached when this returns; leaves cleanly when told, and says so.
  std::unique_ptr<Child> Member() const {
    auto child = std::make_unique<Child>([this](Talk& talk) {
      g_stops = nullptr;
      Result<std::shared_ptr<Region>> mine = Region::Open(options_);
      EXPECT_TRUE(mine.ok()) << mine.reason();
      talk.Say('a');
      talk.Hear();
      if (mine.ok()) *mine = nullptr;
      talk.Say('d');
    });
    EXPECT_EQ(child->Hear(), 'a');
    return child;
  }
  void ExpectAllStopsPassed() { EXPECT_TRUE(stops_.empty()); }

  TempDirectory directory_;
  RegionOptions options_;
  std::vector<Stop> stops_;
};

// The slot was free when we looked, and its lock is free when we take it; in
// between another process lived and died in it.
TEST_F(RegionInterleavingTest,
       SlotWhoseOwnerCameAndDiedMeanwhileIsLeftToReapers) {
  const auto core = MakeEmpty();
  stops_.push_back({F_SETLK, 0, false, [&] { Member()->Kill(); }});
  const Result<bool> settled = Settle(core.get());
  ASSERT_TRUE(settled.ok() && *settled);
  ExpectAllStopsPassed();
  EXPECT_EQ(core->lease, (LeaseId{1, 1}));
  EXPECT_TRUE(core->leases.MarkDeadIfGone({0, 2}))
      << "the byte that we tried is free again";
}

// The remover is done between an attacher's lock and his word.
TEST_F(RegionInterleavingTest, AttacherBehindACompleteRemovalGoesBack) {
  const auto core = MakeEmpty();
  stops_.push_back({F_SETLK, 0, true, [&] {
                      Child remover([&](Talk&) {
                        g_stops = nullptr;
                        const std::unique_ptr<Child> member = Member();
                        member->Say('l');
                        EXPECT_EQ(member->Hear(), 'd');
                      });
                      EXPECT_EQ(remover.Wait(), 0);
                      EXPECT_EQ(directory_.RegionFiles(), Names{});
                    }});
  const Result<bool> settled = Settle(core.get());
  ASSERT_TRUE(settled.ok());
  EXPECT_FALSE(*settled);
  ExpectAllStopsPassed();
}

// Somebody attaches after the remover's first look: the second look, behind
// Closing, finds him.
TEST_F(RegionInterleavingTest, RemoverFindsWhoCameAfterHisFirstLook) {
  const auto core = MakeEmpty();
  std::unique_ptr<Child> member;
  stops_.push_back(
      {F_SETLK, kLifecycleByte, false, [&] { member = Member(); }});
  RemoveIfUnused(*core);
  ExpectAllStopsPassed();
  EXPECT_EQ(directory_.RegionFiles().size(), 3U);
  member->Say('l');
  EXPECT_EQ(member->Hear(), 'd');
  EXPECT_EQ(directory_.RegionFiles(), Names{}) << "open again, and removed";
}

// He whom the remover has just seen alive leaves, fails to get the lifecycle
// lock and goes: the remover must look once more.
TEST_F(RegionInterleavingTest, OfTwoWhoLeaveAtOnceOneRemovesTheFiles) {
  const auto core = MakeEmpty();
  std::unique_ptr<Child> member;
  stops_.push_back(
      {F_SETLK, kLifecycleByte, false, [&] { member = Member(); }});
  stops_.push_back({F_GETLK, 0, true, [&] {
                      member->Say('l');
                      EXPECT_EQ(member->Hear(), 'd');
                      EXPECT_EQ(directory_.RegionFiles().size(), 3U);
                    }});
  RemoveIfUnused(*core);
  ExpectAllStopsPassed();
  EXPECT_EQ(directory_.RegionFiles(), Names{});
}

// A last one leaves while an attacher holds the lifecycle lock to look round.
TEST_F(RegionInterleavingTest, AttacherInheritsTheDutyToRemove) {
  Result<std::shared_ptr<Region>> keeper = Region::Open(options_);
  ASSERT_TRUE(keeper.ok());
  Child attacher([&](Talk& talk) {
    stops_.push_back({F_SETLK, kLifecycleByte, true, [&] {
                        talk.Say('h');
                        talk.Hear();
                      }});
    Result<std::shared_ptr<Region>> mine = Region::Open(options_);
    ASSERT_TRUE(mine.ok()) << mine.reason();
    ExpectAllStopsPassed();
  });
  ASSERT_EQ(attacher.Hear(), 'h');
  *keeper = nullptr;  // fails to get the lifecycle lock
  EXPECT_EQ(directory_.RegionFiles().size(), 3U);
  attacher.Say('g');
  EXPECT_EQ(attacher.Wait(), 0);
  // It took the region over, or made a new one; and removed what it had.
  EXPECT_EQ(directory_.RegionFiles(), Names{});
}

// A remover is killed between the lifecycle lock and its first change.
TEST_F(RegionInterleavingTest, RemoverKilledWithTheLifecycleLockHarmsNobody) {
  Child remover([&](Talk& talk) {
    Result<std::shared_ptr<Region>> mine = Region::Open(options_);
    ASSERT_TRUE(mine.ok());
    stops_.push_back({F_SETLK, kLifecycleByte, true, [&] {
                        talk.Say('h');
                        talk.Hear();
                      }});
    *mine = nullptr;
  });
  ASSERT_EQ(remover.Hear(), 'h');
  EXPECT_EQ(directory_.RegionFiles().size(), 3U);
  remover.Kill();
  Result<std::shared_ptr<Region>> next = Region::Open(options_);
  EXPECT_TRUE(next.ok()) << next.reason();
}

}  // namespace
}  // namespace zcb::alloc
