// Unit words that offer what is in use here: nothing is taken twice.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "tests/allocator/allocator_testing.h"

namespace zcb::alloc {
namespace {

using testing::UnitOf;

class ForgedUnitsTest : public testing::AllocatorTest {
 protected:
  void SetUp() override { LeaveDamaged(); }
  void Forge(std::uint32_t unit, UnitWord word) {
    shared().unit(unit).store(word.raw(), std::memory_order_release);
  }
  // Every buffer of that size there is, those before among them: each once.
  void ExpectEachOnce(std::vector<BufferRef> all, std::uint64_t bytes) {
    const std::size_t before = all.size();
    // Twice: what is damaged is an error first, then passed over.
    for (int i = 0; i < 64; ++i) {
      for (const BufferRef ref : AllocAll(bytes)) all.push_back(ref);
    }
    EXPECT_GT(all.size(), before);
    std::sort(all.begin(), all.end(), [](BufferRef one, BufferRef other) {
      return one.line() < other.line();
    });
    EXPECT_EQ(std::adjacent_find(all.begin(), all.end()), all.end());
    for (const BufferRef ref : all) EXPECT_TRUE(allocator().IsLive(ref));
    for (const BufferRef ref : all) MustFree(ref);
  }
};

TEST_F(ForgedUnitsTest, AnOwnUnitThatSaysFreeIsNotTakenAgain) {
  std::vector<BufferRef> all;
  for (int i = 0; i < 40; ++i) all.push_back(MustAlloc(64 * 1024));
  Forge(UnitOf(all[0]), unit(UnitOf(all[0])).Free());
  ExpectEachOnce(all, 64 * 1024);
}

TEST_F(ForgedUnitsTest, AnOwnUnitThatSaysAbandonedIsNotAdopted) {
  std::vector<BufferRef> all;
  for (int i = 0; i < 40; ++i) all.push_back(MustAlloc(64 * 1024));
  Forge(UnitOf(all[0]), unit(UnitOf(all[0])).Abandon());
  region()->abandonments().fetch_add(1);
  ExpectEachOnce(all, 64 * 1024);
}

TEST_F(ForgedUnitsTest, ExtentsAreNotMadeOfUnitsInUse) {
  std::vector<BufferRef> all;
  for (int i = 0; i < 4; ++i) all.push_back(MustAlloc(64 * 1024));
  all.push_back(MustAlloc(2 * kUnitBytes));
  for (std::uint32_t i = 0; i < 8; ++i) Forge(i, unit(i).Free());
  ExpectEachOnce(all, 2 * kUnitBytes);
}

TEST_F(ForgedUnitsTest, UnitsOfAnOwnExtentAreNotCutIntoBuffers) {
  const BufferRef extent = MustAlloc(2 * kUnitBytes);
  for (const std::uint32_t i : {UnitOf(extent), UnitOf(extent) + 1}) {
    Forge(i, unit(i).Free());
  }
  ExpectEachOnce({extent}, 64 * 1024);
}

// At the end a process lets go of what it has given or taken, by the words.
TEST_F(ForgedUnitsTest, WhatWasNeverGivenDoesNotComeHomeTwice) {
  std::vector<BufferRef> all;
  for (int i = 0; i < 64; ++i) all.push_back(MustAlloc(4096));
  ASSERT_TRUE(allocator().Give(all.back()).ok());
  all.pop_back();
  std::vector<BufferPlace> places;
  for (const BufferRef ref : all) places.push_back(*allocator().Locate(ref));
  for (std::size_t i = 0; i < all.size(); i += 2) MustFree(all[i]);
  for (const BufferPlace& place : places) {
    Store(place, Load(place).Give(region()->lease()));
  }
  EndAllocator();
  NewAllocator();
  ExpectEachOnce({}, 4096);
}

// Again and again: the lists of units are as long as there are units.
TEST_F(ForgedUnitsTest, ListsDoNotGrowBeyondTheRegion) {
  for (int round = 0; round < 200; ++round) {
    const auto all = AllocAll(256 * 1024);
    for (std::uint32_t i = 0; i < 8; ++i) Forge(i, unit(i).Free());
    FreeAll(all);
    EXPECT_LE(allocator().Stats().owned_units, 8U);
  }
}

}  // namespace
}  // namespace zcb::alloc
