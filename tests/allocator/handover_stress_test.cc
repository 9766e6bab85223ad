// Threads that give buffers to each other by tickets, which travel without any
// order of their own: whoever takes one sees the bytes that were given.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <random>
#include <thread>

#include "allocator/buffer_ticket.h"
#include "tests/allocator/allocator_testing.h"

namespace zcb::alloc {
namespace {

constexpr int kThreads = 4;
constexpr int kSteps = 40'000;
constexpr std::uint32_t kPlaces = 16;

class HandoverStressTest : public testing::AllocatorTest {
 protected:
  void Work(std::uint32_t seed) {
    testing::Random random(seed);
    for (int step = 0; step < kSteps; ++step) {
      std::atomic<std::uint64_t>& place = places_[random.Below(kPlaces)];
      std::uint64_t raw = 0;
      if (random.Below(3) != 0) {
        const BufferRef ref = MustAlloc(64U << random.Below(10));
        // Plain writes: the ticket's word must carry them.
        const std::uint64_t line = ref.line();
        std::memcpy(allocator().Pointer(ref), &line, sizeof line);
        const auto ticket = allocator().Give(ref);
        ASSERT_TRUE(ticket.ok()) << ticket.reason();
        raw = ticket->raw();
      }
      // relaxed: says nothing about the bytes
      raw = place.exchange(raw, std::memory_order_relaxed);
      // Some are taken by two at once.
      if (random.Below(8) == 0) {
        twice_.store(raw, std::memory_order_relaxed);
      }
      if (random.Below(8) == 0) {
        TakeAndFree(twice_.load(std::memory_order_relaxed));
      }
      TakeAndFree(raw);
      if (random.Below(500) == 0) allocator().Collect();
    }
  }
  void TakeAndFree(std::uint64_t raw) {
    if (raw == 0) return;
    const auto taken = allocator().Take(BufferTicket(raw));
    if (!taken) {
      refused_.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    std::uint64_t line = 0;
    std::memcpy(&line, allocator().Pointer(*taken), sizeof line);
    EXPECT_EQ(line, taken->line());
    // Whoever had it next would see this.
    line = ~std::uint64_t{0};
    std::memcpy(allocator().Pointer(*taken), &line, sizeof line);
    MustFree(*taken);
  }

  std::array<std::atomic<std::uint64_t>, kPlaces> places_{};
  std::atomic<std::uint64_t> twice_{0};
  std::atomic<std::uint64_t> refused_{0};
};

TEST_F(HandoverStressTest, EveryTicketIsTakenOnceWithItsBytes) {
  const std::uint32_t seed = std::random_device{}();
  std::printf("seed %u\n", seed);
  std::array<std::thread, kThreads> threads;
  for (std::uint32_t t = 0; t < kThreads; ++t) {
    threads[t] = std::thread([this, seed, t] { Work(seed + t); });
  }
  for (std::thread& thread : threads) thread.join();
  for (auto& place : places_) TakeAndFree(place.load());
  const AllocatorStats stats = allocator().Stats();
  EXPECT_EQ(stats.out_buffers, 0U);
  EXPECT_EQ(stats.live_buffers, 0U);
  EXPECT_GT(refused_.load(), 0U) << "no ticket was tried twice";
}

// Two allocators know nothing of each other's private states: here the word
// alone carries the bytes, there and back, as between processes.
TEST_F(HandoverStressTest, BetweenTwoAllocatorsTheWordCarriesTheBytes) {
  constexpr std::uint64_t kRounds = 20'000;
  const auto taker = testing::MakeAllocator(region());
  std::atomic<bool> done{false};
  std::thread taking([&] {
    while (!done.load(std::memory_order_relaxed)) {
      for (auto& place : places_) {
        const std::uint64_t raw = place.exchange(0, std::memory_order_relaxed);
        if (raw == 0) continue;
        const auto taken = taker->Take(BufferTicket(raw));
        ASSERT_TRUE(taken.ok()) << taken.reason();
        std::uint64_t line = 0;
        std::memcpy(&line, taker->Pointer(*taken), sizeof line);
        EXPECT_EQ(line, taken->line());
        ASSERT_TRUE(taker->Free(*taken).ok());
      }
    }
  });
  for (std::uint64_t i = 0; i < kRounds; ++i) {
    const BufferRef ref = MustAlloc(200'000);  // few: each comes back soon
    const std::uint64_t line = ref.line();
    std::memcpy(allocator().Pointer(ref), &line, sizeof line);
    const auto ticket = allocator().Give(ref);
    ASSERT_TRUE(ticket.ok());
    std::atomic<std::uint64_t>& place = places_[i % kPlaces];
    std::uint64_t empty = 0;
    while (!place.compare_exchange_weak(empty, ticket->raw(),
                                        std::memory_order_relaxed,
                                        std::memory_order_relaxed)) {
      empty = 0;
      std::this_thread::yield();
    }
  }
  for (auto& place : places_) {
    while (place.load(std::memory_order_relaxed) != 0) {
      std::this_thread::yield();
    }
  }
  done = true;
  taking.join();
  allocator().Collect();
  EXPECT_EQ(allocator().Stats().out_buffers, 0U);
}

}  // namespace
}  // namespace zcb::alloc
