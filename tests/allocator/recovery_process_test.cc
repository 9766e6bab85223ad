// A process is killed with a million buffers out; a survivor puts it right. The
// time is printed; bench/recovery measures it properly.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>

#include "allocator/buffer_ticket.h"
#include "tests/allocator/allocator_testing.h"

namespace zcb::alloc {
namespace {

using testing::Child;
using testing::Talk;

constexpr std::uint32_t kUnits = 48;
constexpr std::size_t kCount = 1'000'000;
constexpr std::size_t kAll = kUnits * kUnitBytes / 64;
static_assert(kAll > kCount);

class RecoveryTest : public testing::AllocatorTest {
 protected:
  RecoveryTest() : AllocatorTest(kUnits), options_(region()->options()) {}

  // In a process of its own; killed when `work` is done.
  template <typename Work>
  void KillAfter(Work work) {
    Child victim([&](Talk& talk) {
      const auto own = Region::Open(options_);
      ASSERT_TRUE(own.ok()) << own.reason();
      const auto mine = testing::MakeAllocator(*own);
      work(*mine);
      talk.Say('r');
      talk.Hear();
    });
    ASSERT_EQ(victim.Hear(), 'r');
    victim.Kill();
  }
  template <typename Reap>
  void Time(const char* what, Reap reap) {
    const auto start = std::chrono::steady_clock::now();
    reap();
    const std::chrono::duration<double, std::milli> took =
        std::chrono::steady_clock::now() - start;
    std::printf("%s: %.1f ms\n", what, took.count());
  }
  // The lease of the victim, which was the second process.
  LeaseId Dead() {
    const LeaseWord word(region()->lease_word(1).load());
    return {1, word.generation()};
  }

  RegionOptions options_;
};

TEST_F(RecoveryTest, AMillionBuffersThatTheDeadOneGave) {
  KillAfter([](Allocator& mine) {
    for (std::size_t i = 0; i < kCount; ++i) {
      const auto ref = mine.Alloc(64);
      ASSERT_TRUE(ref.ok());
      ASSERT_TRUE(mine.Give(*ref).ok());
    }
  });
  Time("given by the dead", [&] { EXPECT_EQ(allocator().ReapDead(), 1U); });
  EXPECT_EQ(AllocAll(64).size(), kAll);
}

TEST_F(RecoveryTest, AMillionBuffersThatTheDeadOneTook) {
  std::vector<BufferRef> all = AllocAll(64);
  ASSERT_EQ(all.size(), kAll);
  std::vector<BufferTicket> tickets;
  for (std::size_t i = 0; i < kCount; ++i) {
    tickets.push_back(*allocator().Give(all.back()));
    all.pop_back();
  }
  KillAfter([&](Allocator& mine) {
    for (const BufferTicket ticket : tickets) {
      ASSERT_TRUE(mine.Take(ticket).ok());
    }
  });
  Time("taken by the dead", [&] { EXPECT_EQ(allocator().ReapDead(), 1U); });
  EXPECT_EQ(AllocAll(64).size(), kCount);
}

TEST_F(RecoveryTest, AMillionBuffersThatTheDeadOneSentAndNoRingHas) {
  KillAfter([](Allocator& mine) {
    for (std::size_t i = 0; i < kCount; ++i) {
      const auto ref = mine.Alloc(64);
      ASSERT_TRUE(ref.ok());
      const auto place = mine.BeginSend(*ref);
      ASSERT_TRUE(place.ok());
      Store(*place, Load(*place).Send(0, i));
      mine.CommitSend(*place);
    }
  });
  const LeaseId dead = Dead();
  ASSERT_TRUE(region()->MarkDeadIfGone(dead));
  std::uint64_t judged = 0;
  Time("sent by the dead", [&] {
    allocator().ReapUnits(
        dead,
        [](void* count, BufferRef, BufferWord) {
          ++*static_cast<std::uint64_t*>(count);
          return false;
        },
        &judged);
  });
  EXPECT_EQ(judged, kCount);
  region()->FreeDeadLease(dead);
  EXPECT_EQ(AllocAll(64).size(), kAll);
}

}  // namespace
}  // namespace zcb::alloc
