// A process is killed after every so many instructions of everything that it
// can do; whoever comes after must find every buffer, once.
#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>

#include "tests/allocator/allocator_testing.h"
#include "tests/allocator/mailbox.h"
#include "tests/allocator/single_step.h"

namespace zcb::alloc {
namespace {

using testing::Mailbox;

constexpr std::uint32_t kUnits = 4;
constexpr std::uint64_t kBytes = 64 * 1024;

class AllocatorKillTest : public testing::AllocatorTest {
 protected:
  AllocatorKillTest() : AllocatorTest(kUnits), box_(*region()) {
    options_ = region()->options();
    EndAllocator();
  }

  // An abandoned unit, of which one buffer is still on its way.
  void Prepare() {
    NewAllocator();
    ASSERT_TRUE(Mailbox::Send(box_, allocator(), MustAlloc(kBytes), 0));
    EndAllocator();
  }

  // Adopts, receives, sends, cancels, makes and frees runs and extents.
  static void Live(Mailbox& box, Allocator& mine) {
    const auto first = mine.Alloc(kBytes);
    Mailbox::Receive(box, mine, 0);
    if (first) Mailbox::Send(box, mine, *first, 1);
    if (const auto second = mine.Alloc(kBytes)) {
      Mailbox::Send(box, mine, *second, 1);  // taken: cancelled
      mine.Free(*second).ok();
    }
    Mailbox::Receive(box, mine, 1);
    if (const auto run = mine.Alloc(9 * kGranuleBytes)) {
      Mailbox::Send(box, mine, *run, 2);
    }
    if (const auto extent = mine.Alloc(2 * kUnitBytes)) {
      Mailbox::Send(box, mine, *extent, 3);
      Mailbox::Receive(box, mine, 3);
    }
    if (const auto extent = mine.Alloc(kUnitBytes + 1)) {
      mine.Free(*extent).ok();
    }
    if (const auto extent = mine.Alloc(kUnitBytes)) {
      Mailbox::Send(box, mine, *extent, 4);
    }
  }

  [[noreturn]] void BeTheVictim() {
    const auto own = Region::Open(options_);
    if (!own) ::_exit(2);
    const auto mine = testing::MakeAllocator(*own);
    Mailbox box(**own);
    box.Announce(0, **own);
    testing::StartCounting();
    Live(box, *mine);
    ::_exit(0);
  }

  void ReapAndAudit(std::uint64_t instructions) {
    const LeaseId dead = box_.LeaseOf(0);
    NewAllocator();
    ASSERT_TRUE(region()->MarkDeadIfGone(dead));
    allocator().ReapUnits(dead, &Mailbox::Holds, &box_);
    region()->FreeDeadLease(dead);
    box_.ExpectClean(*region());
    ASSERT_FALSE(HasFailure()) << "after " << instructions << " instructions";
    for (std::uint32_t i = 0; i < 5; ++i) {
      Mailbox::Receive(box_, allocator(), i);
    }
    ASSERT_EQ(AllocAll(kBytes).size(), kUnits * kUnitBytes / kBytes)
        << "after " << instructions << " instructions";
    EndAllocator();
    for (std::uint32_t u = 0; u < kUnits; ++u) {
      // The live buffers of the audit keep their units from being given back.
      ASSERT_EQ(unit(u).kind(), UnitWord::Kind::kAbandoned);
    }
    // Back to the start.
    NewAllocator();
    FreeAll(AllocAll(kBytes));
    EndAllocator();
    for (std::uint32_t u = 0; u < kUnits; ++u) {
      ASSERT_EQ(unit(u).kind(), UnitWord::Kind::kFree);
    }
  }

  RegionOptions options_;
  Mailbox box_;
};

TEST_F(AllocatorKillTest, AKillAfterAnyInstructionLosesNothing) {
  testing::ForEachKill(499, [&](std::uint64_t at) {
    Prepare();
    const bool killed = testing::RunAndKill(at, [&] { BeTheVictim(); });
    ReapAndAudit(at);
    return killed && !HasFatalFailure();
  });
}

}  // namespace
}  // namespace zcb::alloc
