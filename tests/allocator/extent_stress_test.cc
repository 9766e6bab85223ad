// Threads that make and free extents with tails, slabs and runs at once.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <thread>
#include <vector>

#include "tests/allocator/allocator_testing.h"

namespace zcb::alloc {
namespace {

constexpr std::uint32_t kUnits = 64;
constexpr std::uint32_t kThreads = 3;
constexpr int kRounds = 4000;

class ExtentStressTest : public testing::AllocatorTest {
 protected:
  ExtentStressTest() : AllocatorTest(kUnits, kSmallUnitBytes) {}

  struct Buffer {
    BufferRef ref;
    std::uint64_t stamp;
  };
  // At the first bytes of every granule or part of one.
  template <typename Visit>
  void EachPart(BufferRef ref, const Visit& visit) {
    const std::uint64_t usable = allocator().UsableBytes(ref);
    for (std::uint64_t at = 0; at < usable; at += kGranuleBytes) {
      visit(allocator().Pointer(ref) + at);
    }
  }
  void Write(const Buffer& buffer) {
    EachPart(buffer.ref, [&](std::byte* part) {
      std::memcpy(part, &buffer.stamp, sizeof buffer.stamp);
    });
  }
  bool IsIntact(const Buffer& buffer) {
    bool is_intact = true;
    EachPart(buffer.ref, [&](const std::byte* part) {
      is_intact &= std::memcmp(part, &buffer.stamp, sizeof buffer.stamp) == 0;
    });
    return is_intact;
  }
};

TEST_F(ExtentStressTest, NoTwoBuffersShareAGranule) {
  std::atomic<std::uint32_t> spoilt{0};
  std::atomic<std::uint32_t> extents{0};
  std::vector<std::thread> threads;
  for (std::uint32_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      testing::Random random(t);
      std::vector<Buffer> mine;
      for (int round = 0; round < kRounds; ++round) {
        const std::uint32_t granules = random.Below(13);
        const std::uint64_t bytes =
            granules == 0 ? 8 * 1024 : granules * kGranuleBytes;
        if (mine.size() < 12) {
          if (const auto ref = allocator().Alloc(bytes)) {
            mine.push_back({*ref, std::uint64_t{t} << 32 |
                                      static_cast<std::uint32_t>(round)});
            Write(mine.back());
            extents += granules > kGranulesPerSmallUnit;
          }
        }
        if (mine.size() == 12 || random.Below(2) == 0) {
          if (mine.empty()) continue;
          std::swap(mine[random.Below(static_cast<std::uint32_t>(mine.size()))],
                    mine.back());
          spoilt += !IsIntact(mine.back());
          spoilt += !allocator().Free(mine.back().ref).ok();
          mine.pop_back();
        }
      }
      for (const Buffer& buffer : mine) {
        spoilt += !IsIntact(buffer);
        spoilt += !allocator().Free(buffer.ref).ok();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(spoilt, 0U);
  EXPECT_GT(extents, kRounds / 4U);
  MustFree(MustAlloc(kUnits * std::uint64_t{kSmallUnitBytes}));
  EndAllocator();
  for (std::uint32_t u = 0; u < kUnits; ++u) {
    EXPECT_EQ(unit(u).kind(), UnitWord::Kind::kFree);
  }
}

}  // namespace
}  // namespace zcb::alloc
