// Room inside a unit, against a dumb model.
#include "allocator/granule_map.h"

#include <gtest/gtest.h>

#include <array>
#include <random>

namespace zcb::alloc {
namespace {

constexpr std::uint32_t kGranules = kGranulesPerUnit;

TEST(GranuleMapTest, SlabsGoLowAndAlignedRunsGoHigh) {
  GranuleMap map = GranuleMap::AllFree(kGranules);
  const SizeClass& small = kSizeClasses[0];
  const SizeClass& eight = kSizeClasses[SizeClassOf(64 * 1024)];
  const SizeClass& run = kSizeClasses[SizeClassOf(5 * kGranuleBytes)];
  EXPECT_EQ(map.Find(small), 0U);
  map.Take(0, 1);
  EXPECT_EQ(map.Find(small), 1U);
  EXPECT_EQ(map.Find(eight), 8U);
  EXPECT_EQ(map.Find(run), 27U);
  EXPECT_EQ(map.Find(kSizeClasses[43]), GranuleMap::kNoRoom);
  map.Give(0, 1);
  EXPECT_TRUE(map.IsAllFree(kGranules));
  EXPECT_EQ(map.Find(kSizeClasses[43]), 0U);
}

TEST(GranuleMapTest, KnowsItsLongestRun) {
  GranuleMap map = GranuleMap::AllFree(kGranules);
  EXPECT_EQ(map.LongestRun(), kGranules);
  map.Take(12, 1);
  EXPECT_EQ(map.LongestRun(), 19U) << "13 to 31";
  map.Take(20, 12);
  EXPECT_EQ(map.LongestRun(), 12U) << "0 to 11";
  map.Take(0, 20);
  EXPECT_EQ(map.LongestRun(), 0U);
  EXPECT_EQ(GranuleMap::AllFree(kGranulesPerSmallUnit).LongestRun(), 4U);
}

TEST(GranuleMapTest, FindsRoomExactlyWhenThereIsSome) {
  std::mt19937 random(1);
  for (int round = 0; round < 20000; ++round) {
    std::array<bool, kGranules> is_free{};
    GranuleMap map;
    for (std::uint32_t g = 0; g < kGranules; ++g) {
      is_free[g] = random() % 4 != 0;
      if (is_free[g]) map.Give(g, 1);
    }
    const SizeClass& cut = kSizeClasses[random() % kExtentClass];
    const std::uint32_t step = cut.is_run() ? 1 : cut.granules;
    bool expected = false;
    for (std::uint32_t g = 0; g + cut.granules <= kGranules; g += step) {
      bool all = true;
      for (std::uint32_t i = 0; i < cut.granules; ++i) all &= is_free[g + i];
      expected |= all;
    }
    const std::uint32_t found = map.Find(cut);
    ASSERT_EQ(found != GranuleMap::kNoRoom, expected);
    if (!expected) continue;
    ASSERT_EQ(found % step, 0U);
    ASSERT_TRUE(map.IsFree(found, cut.granules));
    const std::uint32_t before = map.free_count();
    map.Take(found, cut.granules);
    ASSERT_EQ(map.free_count(), before - cut.granules);
  }
}

}  // namespace
}  // namespace zcb::alloc
