// Page runs for an arena, taken and given back by many threads at once.
#include <gtest/gtest.h>

#include <barrier>
#include <cstring>
#include <thread>
#include <vector>

#include "allocator/jemalloc_arena_pages.h"
#include "tests/allocator/allocator_testing.h"

namespace zcb::alloc {
namespace {

constexpr std::uint64_t kPage = ArenaPages::kPageBytes;

class JemallocArenaPagesStressTest : public testing::AllocatorTest {};

TEST_F(JemallocArenaPagesStressTest, NoPageIsGivenToTwoThreads) {
  constexpr int kThreads = 4;
  constexpr int kSteps = 5'000;
  ArenaPages pages(allocator(), kUnitBytes);
  std::barrier gate(kThreads);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      testing::Random random(static_cast<std::uint32_t>(t));
      struct Run {
        std::byte* pages;
        std::uint64_t bytes;
      };
      std::vector<Run> runs;
      const auto mark = static_cast<std::byte>(t + 1);
      const auto give = [&](const Run& run) {
        for (std::uint64_t at = 0; at < run.bytes; at += kPage) {
          ASSERT_EQ(run.pages[at], mark);
        }
        ASSERT_EQ(pages.OffsetOf(run.pages), run.pages - region()->data());
        ASSERT_TRUE(pages.Give(run.pages, run.bytes));
      };
      gate.arrive_and_wait();
      for (int i = 0; i < kSteps; ++i) {
        if (runs.size() < 16 && random.Below(2) == 0) {
          const std::uint64_t bytes =
              (1 + random.Below(1U << random.Below(8))) * kPage;
          std::byte* const run = pages.Take(bytes, kPage);
          if (run == nullptr) continue;
          for (std::uint64_t at = 0; at < bytes; at += kPage) run[at] = mark;
          runs.push_back({run, bytes});
        } else if (!runs.empty()) {
          std::swap(runs[random.Below(static_cast<std::uint32_t>(runs.size()))],
                    runs.back());
          give(runs.back());
          runs.pop_back();
        }
      }
      for (const Run& run : runs) give(run);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(pages.Count().chunks, 0U);
  EXPECT_EQ(AllocAll(kUnitBytes).size(), region()->geometry().unit_count);
}

}  // namespace
}  // namespace zcb::alloc
