#include "allocator/room_index.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "allocator/granule_map.h"
#include "allocator/size_classes.h"

namespace zcb::alloc {
namespace {

// Every unit looked at: the fewest free granules with room for the cut.
std::uint32_t FewestFree(const std::vector<GranuleMap>& units,
                         const SizeClass& cut) {
  std::uint32_t fewest = kGranulesPerUnit + 1;
  for (const GranuleMap& free : units) {
    if (free.Find(cut) != GranuleMap::kNoRoom && free.free_count() < fewest) {
      fewest = free.free_count();
    }
  }
  return fewest;
}

// Takes and gives slabs of every cut at random, and compares each answer.
void CompareWithLookingAtAll(std::uint32_t granules, std::uint32_t first_class,
                             std::uint32_t end_class) {
  constexpr std::uint32_t kUnits = 40;
  RoomIndex index(kUnits, granules);
  ASSERT_TRUE(index.ok());
  std::vector<GranuleMap> units(kUnits, GranuleMap::AllFree(granules));
  for (std::uint32_t u = 0; u < kUnits; ++u) index.Insert(u, units[u]);
  struct Slab {
    std::uint32_t unit, place, granules;
  };
  std::vector<Slab> slabs;
  std::mt19937 engine(11);
  const auto below = [&](std::size_t end) {
    return static_cast<std::uint32_t>(engine() % end);
  };
  std::uint32_t refusals = 0;
  for (int step = 0; step < 20'000; ++step) {
    const std::uint32_t c = below(2) == 0
                                ? below(kLastSharedClass + 1)
                                : first_class + below(end_class - first_class);
    const SizeClass& cut = kSizeClasses[c];
    const std::uint32_t fewest = FewestFree(units, cut);
    const std::uint32_t unit = index.Find(cut);
    if (fewest > granules) {
      ASSERT_EQ(unit, RoomIndex::kNone) << c;
      ++refusals;
    } else {
      ASSERT_LT(unit, kUnits) << c << ": there is room";
      const std::uint32_t place = units[unit].Find(cut);
      ASSERT_NE(place, GranuleMap::kNoRoom) << c;
      ASSERT_EQ(units[unit].free_count(), fewest) << c;
      index.Remove(unit);
      units[unit].Take(place, cut.granules);
      index.Insert(unit, units[unit]);
      slabs.push_back({unit, place, cut.granules});
    }
    while (!slabs.empty() && (fewest > granules || below(3) == 0)) {
      std::swap(slabs[below(slabs.size())], slabs.back());
      const Slab slab = slabs.back();
      slabs.pop_back();
      index.Remove(slab.unit);
      units[slab.unit].Give(slab.place, slab.granules);
      index.Insert(slab.unit, units[slab.unit]);
      if (below(8) == 0) break;
    }
  }
  EXPECT_GT(refusals, 10U) << "never full: nothing was shown about that";
}

TEST(RoomIndexTest, FindsTheFullestUnitOfOrdinaryUnits) {
  CompareWithLookingAtAll(kGranulesPerUnit, kLastSharedClass + 1,
                          kFirstSmallUnitClass);
  CompareWithLookingAtAll(kGranulesPerUnit, kFirstLongRunClass, kExtentClass);
}

TEST(RoomIndexTest, FindsTheFullestUnitOfSmallUnits) {
  CompareWithLookingAtAll(kGranulesPerSmallUnit, kFirstSmallUnitClass,
                          kFirstLongRunClass);
}

TEST(RoomIndexTest, EmptyUnitsComeOldestFirst) {
  RoomIndex index(8, kGranulesPerUnit);
  EXPECT_EQ(index.OldestEmpty(), RoomIndex::kNone);
  const GranuleMap all = GranuleMap::AllFree(kGranulesPerUnit);
  GranuleMap used = all;
  used.Take(0, 1);
  index.Insert(5, all);
  index.Insert(1, used);
  index.Insert(3, all);
  index.Insert(7, all);
  for (const std::uint32_t expected : {5U, 3U, 7U}) {
    EXPECT_EQ(index.OldestEmpty(), expected);
    index.Remove(expected);
  }
  EXPECT_EQ(index.OldestEmpty(), RoomIndex::kNone);
}

}  // namespace
}  // namespace zcb::alloc
