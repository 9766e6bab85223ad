// Magazines and the depot behind them.
#include "allocator/magazine.h"

#include <gtest/gtest.h>

#include <array>

#include "allocator/depot.h"

namespace zcb::alloc {
namespace {

TEST(MagazineTest, HandsBuffersOutInTheOrderInWhichTheyCame) {
  std::array<std::uint32_t, 16> lines{};
  Magazine magazine{};
  magazine.Init(4, 8);
  std::uint32_t next_in = 0;
  std::uint32_t next_out = 0;
  for (int round = 0; round < 100; ++round) {
    while (!magazine.is_full()) magazine.Push(lines.data(), next_in++);
    EXPECT_EQ(magazine.count(), 8U);
    for (int i = 0; i < 3; ++i) {
      ASSERT_EQ(magazine.Pop(lines.data()), next_out++);
    }
  }
  while (!magazine.is_empty()) {
    ASSERT_EQ(magazine.Pop(lines.data()), next_out++);
  }
  EXPECT_EQ(next_in, next_out);
  EXPECT_EQ(lines[3], 0U) << "outside its part of the array";
  EXPECT_EQ(lines[12], 0U);
}

TEST(MagazineTest, ZeroedMemoryIsAnEmptyMagazine) {
  Magazine magazine{};
  EXPECT_TRUE(magazine.is_empty());
}

TEST(MagazineTest, TheExtentMagazineIsAlwaysFullAndAlwaysEmpty) {
  Magazine magazine{};
  magazine.Init(0, MagazineLimits::Of(kExtentClass));
  EXPECT_TRUE(magazine.is_empty());
  EXPECT_TRUE(magazine.is_full());
}

TEST(MagazineTest, RotatesOverAtMostFourMebibytes) {
  for (std::uint32_t c = 0; c < kExtentClass; ++c) {
    const std::uint32_t limit = MagazineLimits::Of(c);
    EXPECT_TRUE(std::has_single_bit(limit)) << c;
    EXPECT_GE(limit, 2U) << c;
    EXPECT_LE(limit, 256U) << c;
    EXPECT_LE(limit * kSizeClasses[c].bytes(), 4U << 20) << c;
  }
  EXPECT_EQ(MagazineLimits::Of(SizeClassOf(64)), 256U);
  EXPECT_EQ(MagazineLimits::Of(SizeClassOf(64 * 1024)), 64U);
  EXPECT_EQ(MagazineLimits::Of(SizeClassOf(1 << 20)), 4U);
}

TEST(MagazineTest, RotatesOverWhatItIsTold) {
  for (const std::uint64_t rotation_bytes :
       {MagazineLimits::kLeastRotationBytes, std::uint64_t{1} << 20,
        MagazineLimits::kMostRotationBytes}) {
    for (std::uint32_t c = 0; c < kExtentClass; ++c) {
      const std::uint32_t limit = MagazineLimits::Of(c, rotation_bytes);
      EXPECT_TRUE(std::has_single_bit(limit)) << c;
      // Two there always are, however large.
      EXPECT_TRUE(limit == MagazineLimits::kMinCount ||
                  limit * kSizeClasses[c].bytes() <= rotation_bytes)
          << c;
      const std::uint32_t next = c + 1 < kClassCount
                                     ? kMagazineLayout.first[CodeOf(c + 1)]
                                     : kMagazineLayout.total;
      EXPECT_LE(kMagazineLayout.first[CodeOf(c)] + limit, next) << c;
    }
  }
  EXPECT_EQ(MagazineLimits::Of(SizeClassOf(64 * 1024), 1 << 20), 16U);
  EXPECT_EQ(MagazineLimits::Of(SizeClassOf(64 * 1024), 16 << 20), 256U);
}

TEST(DepotTest, ReturnsTheLastBatchFirstAndEachBatchInOrder) {
  Depot depot(~std::uint64_t{0});
  ASSERT_TRUE(depot.ok());
  const std::array<std::uint32_t, 3> first{1, 2, 3};
  const std::array<std::uint32_t, 2> second{8, 9};
  EXPECT_EQ(depot.Put(0, first), 3U);
  EXPECT_EQ(depot.Put(0, second), 2U);
  std::array<std::uint32_t, 2> out{};
  EXPECT_EQ(depot.Take(1, out), 0U) << "another class";
  EXPECT_EQ(depot.Take(0, out), 2U);
  EXPECT_EQ(out, second);
  std::array<std::uint32_t, 8> rest{};
  EXPECT_EQ(depot.Take(0, rest), 3U);
  EXPECT_EQ(rest[0], 1U);
  EXPECT_EQ(rest[2], 3U);
  EXPECT_EQ(depot.Take(0, rest), 0U);
}

TEST(DepotTest, TakesNoMoreThanItsBudgetOfAllClassesTogether) {
  constexpr std::uint32_t kBig = 43;  // 256 KiB
  constexpr std::uint32_t kSmall = 3;
  Depot depot(10 * kSizeClasses[kBig].bytes() + 100);
  std::array<std::uint32_t, 32> lines{};
  ASSERT_EQ(depot.Put(kBig, lines), 10U);
  EXPECT_EQ(depot.Put(kBig, lines), 0U);
  EXPECT_EQ(depot.Put(kSmall, lines), 0U);  // 100 bytes are less than one
  ASSERT_EQ(depot.Take(kBig, std::span(lines).first(1)), 1U);
  EXPECT_EQ(depot.Put(kSmall, lines), 32U);
  EXPECT_EQ(depot.Put(kBig, lines), 0U);
  EXPECT_EQ(depot.Take(kSmall, lines), 32U);
  EXPECT_EQ(depot.Put(kBig, lines), 1U);
}

TEST(DepotTest, TakesNoMoreThanItsLimitOfAnyClass) {
  Depot depot(~std::uint64_t{0});
  const std::array<std::uint32_t, 100> batch{};
  for (std::uint32_t c = 0; c < kExtentClass; ++c) {
    std::uint32_t total = 0;
    for (int i = 0; i < 20; ++i) total += depot.Put(c, batch);
    EXPECT_EQ(total, Depot::LimitOf(c)) << c;
  }
}

}  // namespace
}  // namespace zcb::alloc
