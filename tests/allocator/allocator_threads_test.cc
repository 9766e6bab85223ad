// Threads that come and go, and threads that do not wait for each other.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <thread>
#include <vector>

#include "tests/allocator/allocator_testing.h"

namespace zcb::alloc {
namespace {

// Anonymous memory of this process, in pages, and its mappings.
struct Footprint {
  std::uint64_t resident_pages = 0;
  std::uint64_t mappings = 0;

  static Footprint Now() {
    Footprint now;
    std::uint64_t size = 0;
    std::uint64_t shared = 0;
    if (std::FILE* statm = std::fopen("/proc/self/statm", "re")) {
      EXPECT_EQ(std::fscanf(statm, "%lu %lu %lu", &size, &now.resident_pages,
                            &shared),
                3);
      now.resident_pages -= shared;
      std::fclose(statm);
    }
    if (std::FILE* maps = std::fopen("/proc/self/maps", "re")) {
      for (int c = 0; (c = std::fgetc(maps)) != EOF;) now.mappings += c == '\n';
      std::fclose(maps);
    }
    return now;
  }
};

class AllocatorThreadsTest : public testing::AllocatorTest {
 protected:
  // What each of many threads does: keeps a few of several classes at hand,
  // and leaves one buffer to whoever comes next.
  void LiveShortly(std::uint32_t seed) {
    std::vector<BufferRef> mine;
    for (std::uint32_t i = 0; i < 40; ++i) {
      const std::uint64_t bytes = 64ULL << (seed + i) % 12;
      const auto ref = allocator().Alloc(bytes);
      if (!ref) continue;
      allocator().Pointer(*ref)[bytes - 1] = std::byte{1};
      mine.push_back(*ref);
    }
    for (const BufferRef ref : mine) {
      if (ref == mine.back()) break;
      refused_ += !allocator().Free(ref).ok();
    }
    const std::uint32_t before = left_over_.exchange(mine.back().line() + 1);
    if (before == 0) return;
    refused_ += !allocator().Free(BufferRef(before - 1)).ok();
  }

  void RunThreads(int count) {
    for (int i = 0; i < count; i += 2) {
      std::thread one([&] { LiveShortly(static_cast<std::uint32_t>(i)); });
      std::thread two([&] { LiveShortly(static_cast<std::uint32_t>(i + 1)); });
      one.join();
      two.join();
    }
  }

  std::atomic<std::uint32_t> left_over_{0};  // line + 1
  std::atomic<int> refused_{0};
};

TEST_F(AllocatorThreadsTest, TenThousandShortThreadsLeaveNoGrowth) {
  RunThreads(1000);
  const Footprint before = Footprint::Now();
  const AllocatorStats warm = allocator().Stats();
  RunThreads(9000);
  const Footprint after = Footprint::Now();
  const AllocatorStats stats = allocator().Stats();
  EXPECT_EQ(refused_, 0);
  EXPECT_EQ(stats.live_buffers, 1U) << "the last thread's left-over";
  EXPECT_LE(stats.owned_units, warm.owned_units + 1);
  EXPECT_LE(after.mappings, before.mappings + 8);
#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
  // A cache of one thread alone has 200 KiB of address space; nine thousand
  // forgotten ones could not be overlooked.
  EXPECT_LE(after.resident_pages, before.resident_pages + 2048);
#endif
  MustFree(BufferRef(left_over_ - 1));
}

TEST_F(AllocatorThreadsTest, WhatAThreadHadAtHandServesTheOthersAfterItsEnd) {
  const std::size_t all = [&] {
    const std::vector<BufferRef> refs = AllocAll(4096);
    FreeAll(refs);
    return refs.size();
  }();
  std::thread hoarder([&] { FreeAll(AllocAll(4096)); });
  hoarder.join();
  const std::vector<BufferRef> again = AllocAll(4096);
  EXPECT_EQ(again.size(), all);
  FreeAll(again);
}

// A thread that stands still in the middle of the slow path: no lock that the
// others need is held there.
TEST_F(AllocatorThreadsTest, AThreadInTheSlowPathKeepsNobodyWaiting) {
  struct Stop {
    std::atomic<bool> reached{false};
    std::atomic<bool> go_on{false};
  } stop;
  const BufferRef warm = MustAlloc(1000);
  MustFree(warm);
  allocator().SetPressureHook(
      [](void* context, bool) {
        auto& gate = *static_cast<Stop*>(context);
        gate.reached = true;
        while (!gate.go_on) std::this_thread::yield();
        return false;
      },
      &stop);
  std::thread slow([&] { FreeAll(AllocAll(100'000)); });
  while (!stop.reached) std::this_thread::yield();
  // The other thread is inside Obtain(); here everything warm goes on.
  for (int i = 0; i < 100'000; ++i) {
    const auto ref = allocator().Alloc(1000);
    ASSERT_TRUE(ref.ok());
    ASSERT_TRUE(allocator().Free(*ref).ok());
  }
  stop.go_on = true;
  slow.join();
  allocator().SetPressureHook(nullptr, nullptr);
}

}  // namespace
}  // namespace zcb::alloc
