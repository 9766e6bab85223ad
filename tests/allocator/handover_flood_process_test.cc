// Ten million buffers, each allocated by one process and freed by another.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#include "allocator/buffer_ticket.h"
#include "tests/allocator/allocator_testing.h"

namespace zcb::alloc {
namespace {

using testing::Child;
using testing::Talk;

// A queue of tickets between two processes, as a program may have one.
struct TicketQueue {
  static constexpr std::uint64_t kSlots = 1 << 17;
  alignas(64) std::atomic<std::uint64_t> tail;
  alignas(64) std::atomic<std::uint64_t> head;
  alignas(64) std::uint64_t slots[kSlots];

  void Push(std::uint64_t raw) {
    const std::uint64_t at = tail.load(std::memory_order_relaxed);
    while (at - head.load(std::memory_order_acquire) == kSlots) {
      std::this_thread::yield();
    }
    slots[at % kSlots] = raw;
    tail.store(at + 1, std::memory_order_release);
  }
  std::uint64_t Pop() {
    const std::uint64_t at = head.load(std::memory_order_relaxed);
    while (tail.load(std::memory_order_acquire) == at) {
      std::this_thread::yield();
    }
    const std::uint64_t raw = slots[at % kSlots];
    head.store(at + 1, std::memory_order_release);
    return raw;
  }
};

class HandoverFloodTest : public ::testing::Test {
 protected:
  HandoverFloodTest() {
    options_ = directory_.Options();
    options_.region_bytes = 16 * kUnitBytes;
    options_.client_area_bytes = sizeof(TicketQueue);
    region_ = *Region::Open(options_);
    EXPECT_TRUE(
        region_
            ->CommitMeta(region_->geometry().client_offset, sizeof(TicketQueue))
            .ok());
  }
  static TicketQueue& QueueOf(const Region& region) {
    return *region.meta<TicketQueue>(region.geometry().client_offset);
  }

  testing::TempDirectory directory_;
  RegionOptions options_;
  std::shared_ptr<Region> region_;
};

TEST_F(HandoverFloodTest, NoneIsLostAndNoneDoubled) {
  const char* const wanted = std::getenv("ZCB_FLOOD_COUNT");
  const std::uint64_t count =
      wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : 10'000'000;
  std::printf("%llu buffers\n", static_cast<unsigned long long>(count));
  constexpr std::uint64_t kBytes = 64;
  constexpr std::uint64_t kEnd = 0;  // no ticket
  const auto giver = testing::MakeAllocator(region_);

  Child taker([&](Talk& talk) {
    const auto region = Region::Open(options_);
    ASSERT_TRUE(region.ok()) << region.reason();
    const auto mine = testing::MakeAllocator(*region);
    TicketQueue& queue = QueueOf(**region);
    talk.Say('r');
    std::uint64_t expected = 0;
    for (std::uint64_t raw = queue.Pop(); raw != kEnd; raw = queue.Pop()) {
      const auto ref = mine->Take(BufferTicket(raw));
      ASSERT_TRUE(ref.ok()) << ref.reason() << " after " << expected;
      std::uint64_t stamp = 0;
      std::memcpy(&stamp, mine->Pointer(*ref), sizeof stamp);
      ASSERT_EQ(stamp, expected++) << "somebody else wrote there";
      ASSERT_TRUE(mine->Free(*ref).ok());
    }
    EXPECT_EQ(mine->Stats().taken_buffers, 0U);
    talk.Say('e');
  });
  ASSERT_EQ(taker.Hear(), 'r');
  TicketQueue& queue = QueueOf(*region_);
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto ref = giver->Alloc(kBytes);
    ASSERT_TRUE(ref.ok()) << ref.reason() << " at " << i;
    std::memcpy(giver->Pointer(*ref), &i, sizeof i);
    const auto ticket = giver->Give(*ref);
    ASSERT_TRUE(ticket.ok()) << ticket.reason();
    queue.Push(ticket->raw());
  }
  queue.Push(kEnd);
  ASSERT_EQ(taker.Hear(), 'e');
  ASSERT_EQ(taker.Wait(), 0);

  giver->Collect();
  EXPECT_EQ(giver->Stats().out_buffers, 0U);
  EXPECT_EQ(giver->Stats().live_buffers, 0U);
  // Every buffer of the region can be had, once.
  std::vector<bool> seen(region_->geometry().region_bytes / kBytes);
  std::size_t had = 0;
  while (const auto ref = giver->Alloc(kBytes)) {
    ASSERT_FALSE(seen[ref->line()]) << "twice";
    seen[ref->line()] = true;
    ++had;
  }
  EXPECT_EQ(had, seen.size());
}

}  // namespace
}  // namespace zcb::alloc
