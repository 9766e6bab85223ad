// A process is killed after every so many instructions of giving, taking,
// freeing what it took, and ending; every buffer must be there afterwards,
// once.
#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>

#include "allocator/buffer_ticket.h"
#include "tests/allocator/allocator_testing.h"
#include "tests/allocator/mailbox.h"
#include "tests/allocator/single_step.h"

namespace zcb::alloc {
namespace {

using testing::Mailbox;

constexpr std::uint32_t kUnits = 6;
constexpr std::uint64_t kBytes = 32 * 1024;
constexpr std::uint64_t kSizes[] = {kBytes, 2 * kBytes, 6 * kGranuleBytes,
                                    kUnitBytes};
constexpr std::uint32_t kGifts = 8;
constexpr std::uint32_t kTickets = 16;

class HandoverKillTest : public testing::AllocatorTest {
 protected:
  HandoverKillTest() : AllocatorTest(kUnits), box_(*region()) {
    options_ = region()->options();
  }

  // Of ours, for the victim to take.
  void GiveSome() {
    for (std::uint32_t i = 0; i < kGifts; ++i) {
      ASSERT_TRUE(Mailbox::Give(box_, allocator(),
                                MustAlloc(kSizes[i % std::size(kSizes)]), i));
    }
  }

  static void Live(Mailbox& box, Allocator* mine) {
    for (std::uint32_t i = 0; i < kGifts; ++i) {
      const auto taken = Mailbox::Take(box, *mine, i);
      if (!taken) ::_exit(4);
      if (i % 4 < 2) mine->Free(*taken).ok();
      if (i == 3) Mailbox::Give(box, *mine, *taken, 8);
      if (i == 6) Mailbox::Give(box, *mine, *taken, 9);
    }
    if (const auto own = mine->Alloc(kBytes)) {
      Mailbox::Give(box, *mine, *own, 10);
    }
    if (const auto own = mine->Alloc(kBytes)) {
      Mailbox::Give(box, *mine, *own, 11);
      if (const auto back = Mailbox::Take(box, *mine, 11)) {
        mine->Free(*back).ok();
      }
    }
    if (const auto extent = mine->Alloc(kUnitBytes)) {
      Mailbox::Give(box, *mine, *extent, 12);
    }
  }

  // `from_the_end`: counts only when the work is done, with some buffers taken,
  // some given on and some given.
  [[noreturn]] void BeTheVictim(bool from_the_end) {
    const auto own = Region::Open(options_);
    if (!own) ::_exit(2);
    auto mine = testing::MakeAllocator(*own);
    Mailbox box(**own);
    box.Announce(0, **own);
    if (!from_the_end) testing::StartCounting();
    Live(box, mine.get());
    if (!from_the_end) ::_exit(0);
    testing::StartCounting();
    mine.reset();
    ::_exit(0);
  }

  void ReapAndAudit(std::uint64_t instructions) {
    const LeaseId dead = box_.LeaseOf(0);
    ASSERT_TRUE(region()->MarkDeadIfGone(dead));
    allocator().ReapUnits(dead, nullptr, nullptr);
    region()->FreeDeadLease(dead);
    for (std::uint32_t i = 0; i < kTickets; ++i) {
      // Ours that it did not come to take; nothing that it gave.
      if (const auto taken = Mailbox::Take(box_, allocator(), i)) {
        EXPECT_LT(i, kGifts) << "after " << instructions << " instructions";
        MustFree(*taken);
      }
    }
    allocator().Collect();
    // What it took from the box and had not taken from us yet.
    if (allocator().Stats().out_buffers != 0) {
      ASSERT_EQ(allocator().Stats().out_buffers, 1U) << instructions;
      EndAllocator();
      NewAllocator();
    }
    const std::vector<BufferRef> all = AllocAll(kBytes);
    ASSERT_EQ(all.size(), kUnits * kUnitBytes / kBytes)
        << "after " << instructions << " instructions";
    FreeAll(all);
    EndAllocator();
    for (std::uint32_t u = 0; u < kUnits; ++u) {
      ASSERT_EQ(unit(u).kind(), UnitWord::Kind::kFree)
          << "after " << instructions << " instructions";
    }
    NewAllocator();
  }

  void KillEverywhere(bool from_the_end) {
    testing::ForEachKill(997, [&](std::uint64_t at) {
      GiveSome();
      const bool killed =
          testing::RunAndKill(at, [&] { BeTheVictim(from_the_end); });
      ReapAndAudit(at);
      return killed && !HasFatalFailure();
    });
  }

  RegionOptions options_;
  Mailbox box_;
};

TEST_F(HandoverKillTest, AKillAfterAnyInstructionLosesNothing) {
  KillEverywhere(false);
}

TEST_F(HandoverKillTest, AKillAnywhereInTheEndLosesNothing) {
  KillEverywhere(true);
}

}  // namespace
}  // namespace zcb::alloc
