// Running out of memory, and coming back from it.
#include <gtest/gtest.h>

#include <thread>

#include "tests/allocator/allocator_testing.h"

namespace zcb::alloc {
namespace {

class AllocatorExhaustionTest : public testing::AllocatorTest {
 protected:
  std::uint32_t UnitsOfKind(UnitWord::Kind kind) {
    std::uint32_t count = 0;
    for (std::uint32_t u = 0; u < shared().unit_count(); ++u) {
      count += unit(u).kind() == kind;
    }
    return count;
  }
};

TEST_F(AllocatorExhaustionTest, EveryClassFillsTheRegionAndDoesSoAgain) {
  for (std::uint32_t c = 0; c <= kExtentClass; c += c < 8 ? 1 : 3) {
    if (c >= kFirstSmallUnitClass && c < kFirstLongRunClass) continue;
    const std::uint64_t bytes =
        c == kExtentClass ? kUnitBytes : kSizeClasses[c].bytes();
    const std::size_t per_unit =
        c == kExtentClass ? 1
                          : kGranulesPerUnit / kSizeClasses[c].granules *
                                kSizeClasses[c].count;
    // Runs of another length, cached at odd places, would splinter units.
    EndAllocator();
    NewAllocator();
    for (int round = 0; round < 2; ++round) {
      const std::vector<BufferRef> all = AllocAll(bytes);
      EXPECT_EQ(all.size(), shared().unit_count() * per_unit) << c;
      EXPECT_EQ(allocator().Alloc(bytes).status(), Status::kNoMemory);
      FreeAll(all);
    }
  }
}

TEST_F(AllocatorExhaustionTest, MemoryOfOneClassServesEveryOther) {
  for (const std::uint64_t bytes :
       {std::uint64_t{64}, std::uint64_t{3000}, std::uint64_t{100'000},
        20 * kGranuleBytes, 3 * kUnitBytes, std::uint64_t{64}}) {
    const std::vector<BufferRef> all = AllocAll(bytes);
    EXPECT_GE(all.size() * bytes * 2, region()->geometry().region_bytes);
    FreeAll(all);
  }
}

TEST_F(AllocatorExhaustionTest, OneFreeIsEnoughForOneMoreAlloc) {
  std::vector<BufferRef> all = AllocAll(4096);
  for (int i = 0; i < 100; ++i) {
    MustFree(all.back());
    all.pop_back();
    all.push_back(MustAlloc(4096));
    EXPECT_FALSE(allocator().Alloc(4096).ok());
  }
  FreeAll(all);
}

TEST_F(AllocatorExhaustionTest, UnitsThatBecomeEmptyGoBackAllButOne) {
  const std::vector<BufferRef> all = AllocAll(4096);
  EXPECT_EQ(UnitsOfKind(UnitWord::Kind::kOwned), 8U);
  FreeAll(all);
  // What the magazine and the depot hold keeps a few.
  EXPECT_GE(UnitsOfKind(UnitWord::Kind::kFree), 2U);
  EndAllocator();
  EXPECT_EQ(UnitsOfKind(UnitWord::Kind::kFree), 8U);
}

TEST_F(AllocatorExhaustionTest, WhatOtherThreadsFreedServesThisOne) {
  const std::vector<BufferRef> all = AllocAll(1000);
  std::thread([&] { FreeAll(all); }).join();
  EXPECT_EQ(AllocAll(1000).size(), all.size());
}

TEST_F(AllocatorExhaustionTest, AsksTheLayerAboveBeforeItGivesUp) {
  struct Ring {
    Allocator* allocator;
    std::vector<BufferPlace> places;
    int asked = 0;
  } ring{&allocator(), {}, 0};
  std::vector<BufferRef> all = AllocAll(1024);
  for (int i = 0; i < 10; ++i) {
    ring.places.push_back(Send(all.back()));
    all.pop_back();
  }
  EXPECT_FALSE(allocator().Alloc(1024).ok());
  allocator().SetPressureHook(
      [](void* context, bool /*last_resort*/) {
        auto& from = *static_cast<Ring*>(context);
        ++from.asked;
        if (from.places.empty()) return false;
        TurnFree(from.places.back());
        from.allocator->ComeBack(from.places.back());
        from.places.pop_back();
        return true;
      },
      &ring);
  for (int i = 0; i < 10; ++i) all.push_back(MustAlloc(1024));
  EXPECT_GE(ring.asked, 10);
  EXPECT_FALSE(allocator().Alloc(1024).ok());
  FreeAll(all);
}

TEST_F(AllocatorExhaustionTest, BuffersThatCameBackWithoutAHintAreFoundInTime) {
  std::vector<BufferRef> all = AllocAll(2000);
  for (int i = 0; i < 20; ++i) {
    TurnFree(Send(all.back()));  // its hint is lost
    all.pop_back();
  }
  allocator().Collect();
  for (int i = 0; i < 20; ++i) all.push_back(MustAlloc(2000));
  EXPECT_FALSE(allocator().Alloc(2000).ok());
  FreeAll(all);
}

TEST_F(AllocatorExhaustionTest, TheFirstFailureLooksAtTheWordsByItself) {
  std::vector<BufferRef> all = AllocAll(20'000);
  NewAllocator();  // a fresh one: it has not looked yet
  all = AllocAll(20'000);
  const BufferPlace lost = Send(all.back());
  all.pop_back();
  TurnFree(lost);
  // Looking takes a share of the time only: some later try finds it.
  Result<BufferRef> found = allocator().Alloc(20'000);
  while (!found) found = allocator().Alloc(20'000);
  EXPECT_EQ(*found, lost.ref);
  FreeAll(all);
}

TEST_F(AllocatorExhaustionTest, AnExtentGetsUnitsThatHideInCaches) {
  const std::vector<BufferRef> all = AllocAll(8192);
  FreeAll(all);
  const BufferRef whole = MustAlloc(8 * kUnitBytes);
  EXPECT_FALSE(allocator().Alloc(64).ok());
  MustFree(whole);
  MustFree(MustAlloc(64));
}

}  // namespace
}  // namespace zcb::alloc
