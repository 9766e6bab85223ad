// Page runs for an arena: cut from chunks, given back in any portions.
#include "allocator/jemalloc_arena_pages.h"

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <memory>
#include <vector>

#include "tests/allocator/allocator_testing.h"

namespace zcb::alloc {
namespace {

constexpr std::uint64_t kPage = ArenaPages::kPageBytes;
constexpr std::uint64_t kUnit = kUnitBytes;

class JemallocArenaPagesTest : public testing::AllocatorTest {
 protected:
  std::byte* MustTake(std::uint64_t bytes, std::uint64_t alignment = kPage) {
    std::byte* const run = pages_.Take(bytes, alignment);
    EXPECT_NE(run, nullptr) << bytes;
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(run) % alignment, 0U);
    return run;
  }
  // All of the region can be had, so nothing is held.
  bool IsAllBack() {
    const auto all = AllocAll(kUnit);
    FreeAll(all);
    return all.size() == region()->geometry().unit_count &&
           pages_.Count().chunks == 0;
  }

  ArenaPages pages_{allocator(), kUnit};
};

TEST_F(JemallocArenaPagesTest, OneChunkServesManyRuns) {
  std::byte* const a = MustTake(kPage);
  std::byte* const b = MustTake(3 * kPage);
  EXPECT_EQ(b, a + kPage);
  EXPECT_EQ(pages_.Count().chunks, 1U);
  EXPECT_EQ(pages_.Count().chunk_bytes, kUnit);
  EXPECT_EQ(pages_.Count().taken_bytes, 4 * kPage);
  EXPECT_TRUE(pages_.AreInOneChunk(a, b));
}

TEST_F(JemallocArenaPagesTest, AnEmptyChunkGoesBackAtOnce) {
  std::byte* const a = MustTake(kPage);
  std::byte* const b = MustTake(kUnit - kPage);
  EXPECT_TRUE(pages_.Give(a, kPage));
  EXPECT_EQ(pages_.Count().chunks, 1U);
  EXPECT_TRUE(pages_.Give(b, kUnit - kPage));
  EXPECT_TRUE(IsAllBack());
}

TEST_F(JemallocArenaPagesTest, RunsComeBackInAnyPortions) {
  std::byte* const run = MustTake(100 * kPage);
  std::byte* const next = MustTake(28 * kPage);
  ASSERT_EQ(next, run + 100 * kPage);
  EXPECT_TRUE(pages_.Give(run + 10 * kPage, 50 * kPage));
  // The hole serves what fits into it.
  EXPECT_EQ(MustTake(50 * kPage), run + 10 * kPage);
  // The middle of both runs, as one.
  EXPECT_TRUE(pages_.Give(run + 10 * kPage, 100 * kPage));
  EXPECT_TRUE(pages_.Give(run, 10 * kPage));
  EXPECT_TRUE(pages_.Give(run + 110 * kPage, 18 * kPage));
  EXPECT_TRUE(IsAllBack());
}

TEST_F(JemallocArenaPagesTest, WhatIsNotTakenIsRefused) {
  std::byte* const run = MustTake(4 * kPage);
  std::byte* const other = MustTake(kUnit);  // a chunk of its own
  ASSERT_FALSE(pages_.AreInOneChunk(run, other));
  std::vector<std::byte> outside(8 * kPage);
  EXPECT_FALSE(pages_.Give(outside.data(), kPage));
  EXPECT_FALSE(pages_.Give(nullptr, kPage));
  EXPECT_FALSE(pages_.Give(run, 0));
  EXPECT_FALSE(pages_.Give(run + 1, kPage));
  EXPECT_FALSE(pages_.Give(run, kPage + 1));
  EXPECT_FALSE(pages_.Give(run, 5 * kPage)) << "beyond the run";
  EXPECT_FALSE(pages_.Give(run, ~std::uint64_t{0} - kPage + 1));
  EXPECT_FALSE(pages_.Give(std::min(run, other), 2 * kUnit)) << "two chunks";
  EXPECT_FALSE(pages_.Give(region()->data(), kPage)) << "nobody's";
  EXPECT_TRUE(pages_.Give(run + kPage, kPage));
  EXPECT_FALSE(pages_.Give(run + kPage, kPage)) << "twice";
  EXPECT_FALSE(pages_.Give(run, 4 * kPage)) << "has a hole";
  EXPECT_EQ(pages_.Count().taken_bytes, kUnit + 3 * kPage);
}

TEST_F(JemallocArenaPagesTest, TwoTakenChunksSideBySideAreNotGivenBackAsOne) {
  std::byte* const a = MustTake(kUnit);
  std::byte* const b = MustTake(kUnit);
  ASSERT_EQ(std::max(a, b) - std::min(a, b), std::ptrdiff_t{kUnitBytes});
  EXPECT_FALSE(pages_.AreInOneChunk(a, b));
  EXPECT_FALSE(pages_.Give(std::min(a, b), 2 * kUnit));
  EXPECT_TRUE(pages_.Give(a, kUnit));
  EXPECT_TRUE(pages_.Give(b, kUnit));
}

TEST_F(JemallocArenaPagesTest, TheRestOfABigRunsChunkServesOthers) {
  std::byte* const big = MustTake(kUnit + kPage);
  EXPECT_EQ(pages_.Count().chunk_bytes, kUnit + kGranuleBytes);
  EXPECT_EQ(MustTake(kGranuleBytes - kPage), big + kUnit + kPage);
  EXPECT_EQ(pages_.Count().chunks, 1U);
}

TEST_F(JemallocArenaPagesTest, TheTightestHoleIsFilledFirst) {
  // Whichever of the two chunks comes first.
  for (const bool hole_in_first : {false, true}) {
    const std::uint64_t first_bytes = hole_in_first ? kUnit : 60 * kPage;
    const std::uint64_t second_bytes = hole_in_first ? 60 * kPage : kUnit;
    std::byte* const first = MustTake(first_bytes);
    std::byte* const second = MustTake(second_bytes);
    ASSERT_FALSE(pages_.AreInOneChunk(first, second));
    std::byte* const hole = (hole_in_first ? first : second) + 8 * kPage;
    ASSERT_TRUE(pages_.Give(hole, 2 * kPage));
    EXPECT_EQ(MustTake(2 * kPage), hole);
    EXPECT_TRUE(pages_.Give(first, first_bytes));
    EXPECT_TRUE(pages_.Give(second, second_bytes));
  }
}

TEST_F(JemallocArenaPagesTest, FreedNeighboursServeAsOne) {
  constexpr std::uint64_t kQuarter = kUnit / 4;
  std::byte* const run = MustTake(kUnit);
  EXPECT_TRUE(pages_.Give(run + kQuarter, kQuarter));
  EXPECT_TRUE(pages_.Give(run, kQuarter));
  EXPECT_EQ(MustTake(2 * kQuarter), run) << "by a run before it";
  EXPECT_TRUE(pages_.Give(run, kQuarter));
  EXPECT_TRUE(pages_.Give(run + kQuarter, kQuarter));
  EXPECT_EQ(MustTake(2 * kQuarter), run) << "by a run behind it";
  EXPECT_TRUE(pages_.Give(run, kQuarter));
  EXPECT_TRUE(pages_.Give(run + 2 * kQuarter, kQuarter));
  EXPECT_TRUE(pages_.Give(run + kQuarter, kQuarter));
  EXPECT_EQ(MustTake(3 * kQuarter), run) << "by both";
  EXPECT_EQ(pages_.Count().chunks, 1U);
}

TEST_F(JemallocArenaPagesTest, AlignmentBeyondTheUnitIsKept) {
  for (const std::uint64_t alignment : {kUnit, 2 * kUnit, 4 * kUnit}) {
    std::byte* const pad = MustTake(kPage);
    std::byte* const run = MustTake(kPage, alignment);
    EXPECT_TRUE(pages_.Give(pad, kPage));
    EXPECT_TRUE(pages_.Give(run, kPage));
    EXPECT_TRUE(IsAllBack());
  }
  EXPECT_EQ(pages_.Take(kPage, std::uint64_t{1} << 40), nullptr);
}

TEST_F(JemallocArenaPagesTest, AFullRegionRefusesAndServesAgain) {
  std::vector<std::byte*> runs;
  while (std::byte* const run = pages_.Take(kUnit / 2, kPage)) {
    runs.push_back(run);
  }
  EXPECT_EQ(runs.size(), 16U);
  EXPECT_EQ(pages_.Take(kPage, kPage), nullptr);
  EXPECT_EQ(pages_.Take(region()->geometry().region_bytes + kPage, kPage),
            nullptr);
  EXPECT_TRUE(pages_.Give(runs.back(), kUnit / 2));
  EXPECT_EQ(MustTake(kUnit / 2), runs.back());
  for (std::byte* const run : runs) EXPECT_TRUE(pages_.Give(run, kUnit / 2));
  EXPECT_TRUE(IsAllBack());
}

TEST_F(JemallocArenaPagesTest, WithoutRoomForAChunkOnlyTheRunIsTaken) {
  ArenaPages greedy(allocator(), 6 * kUnit);
  const auto held = MustAlloc(3 * kUnit);
  std::byte* const run = greedy.Take(10 * kPage, kPage);
  ASSERT_NE(run, nullptr);
  EXPECT_EQ(greedy.Count().chunk_bytes, kGranuleBytes);
  EXPECT_TRUE(greedy.Give(run, 10 * kPage));
  // Nor is room to align it taken where it is aligned without.
  const auto more = MustAlloc(4 * kUnit);
  std::byte* const last = greedy.Take(kUnit, kUnit);
  EXPECT_NE(last, nullptr);
  EXPECT_TRUE(greedy.Give(last, kUnit));
  MustFree(more);
  MustFree(held);
}

TEST_F(JemallocArenaPagesTest, OffsetsAreOfTakenPagesOnly) {
  std::byte* const run = MustTake(2 * kPage);
  const auto base = reinterpret_cast<std::uintptr_t>(region()->data());
  const std::uint64_t offset = reinterpret_cast<std::uintptr_t>(run) - base;
  EXPECT_EQ(pages_.OffsetOf(run), offset);
  EXPECT_EQ(pages_.OffsetOf(run + 2 * kPage - 1), offset + 2 * kPage - 1);
  EXPECT_EQ(pages_.OffsetOf(run + 2 * kPage), std::nullopt);
  EXPECT_EQ(pages_.OffsetOf(run - 1), std::nullopt);
  EXPECT_EQ(pages_.OffsetOf(nullptr), std::nullopt);
  EXPECT_EQ(pages_.OffsetOf(&run), std::nullopt);
  EXPECT_TRUE(pages_.Give(run, 2 * kPage));
  EXPECT_EQ(pages_.OffsetOf(run), std::nullopt);
}

TEST_F(JemallocArenaPagesTest, TheEndGivesBackWhatIsTaken) {
  {
    ArenaPages pages(allocator(), kUnit);
    EXPECT_NE(pages.Take(3 * kUnit, kPage), nullptr);
    EXPECT_NE(pages.Take(kPage, kPage), nullptr);
  }
  EXPECT_TRUE(IsAllBack());
}

// Where the allocator aligns extents to less than what is asked here.
TEST(JemallocArenaSmallUnitPagesTest, AlignmentIsKeptThereToo) {
  testing::TempDirectory directory;
  RegionOptions options = directory.Options();
  options.unit_bytes = kSmallUnitBytes;
  const auto region = Region::Open(options);
  ASSERT_TRUE(region.ok()) << region.reason();
  const auto allocator = testing::MakeAllocator(*region);
  ArenaPages pages(*allocator, kSmallUnitBytes);
  ASSERT_TRUE(allocator->Alloc(kSmallUnitBytes).ok()) << "out of step";
  for (std::uint64_t alignment = kPage; alignment <= 2 * kUnit;
       alignment *= 2) {
    std::byte* const run = pages.Take(5 * kPage, alignment);
    ASSERT_NE(run, nullptr) << alignment;
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(run) % alignment, 0U);
    EXPECT_LE(pages.Count().chunk_bytes, alignment + kSmallUnitBytes);
    EXPECT_TRUE(pages.Give(run, 5 * kPage));
  }
}

class JemallocArenaClosedPagesTest : public testing::AllocatorTest {};

TEST_F(JemallocArenaClosedPagesTest, TheyRefuseEverythingAndOutliveAll) {
  auto pages = std::make_unique<ArenaPages>(allocator(), kUnit);
  std::byte* const run = pages->Take(kPage, kPage);
  pages->Close();
  EXPECT_EQ(pages->Take(kPage, kPage), nullptr);
  EXPECT_FALSE(pages->Give(run, kPage));
  EXPECT_FALSE(pages->AreInOneChunk(run, run));
  EndAllocator();  // frees the chunk
  pages.reset();   // and the pages do not touch it any more
  NewAllocator();
  EXPECT_EQ(AllocAll(kUnit).size(), region()->geometry().unit_count);
}

// Against a plain map of what is taken: nothing overlaps, nothing is lost.
TEST_F(JemallocArenaPagesTest, ARandomWalkAgreesWithAModel) {
  testing::Random random(7);
  std::map<std::byte*, std::uint64_t> runs;
  std::uint64_t taken = 0;
  for (int step = 0; step < 20'000; ++step) {
    if (random.Below(100) < 55) {
      const std::uint64_t bytes =
          (1 + random.Below(1U << random.Below(10))) * kPage;
      const std::uint64_t alignment = kPage << random.Below(4);
      std::byte* const run = pages_.Take(bytes, alignment);
      if (run == nullptr) continue;
      ASSERT_EQ(reinterpret_cast<std::uintptr_t>(run) % alignment, 0U);
      const auto next = runs.lower_bound(run);
      ASSERT_TRUE(next == runs.end() || run + bytes <= next->first);
      ASSERT_TRUE(next == runs.begin() ||
                  std::prev(next)->first + std::prev(next)->second <= run);
      runs[run] = bytes;
      taken += bytes;
    } else if (!runs.empty()) {
      auto it = std::next(
          runs.begin(), random.Below(static_cast<std::uint32_t>(runs.size())));
      // The front, the back, or all of it.
      std::byte* const run = it->first;
      const std::uint64_t bytes = it->second;
      const std::uint64_t part =
          (1 + random.Below(static_cast<std::uint32_t>(bytes / kPage))) * kPage;
      const bool is_front = random.Below(2) == 0;
      ASSERT_TRUE(pages_.Give(is_front ? run : run + bytes - part, part));
      runs.erase(it);
      if (part < bytes) runs[is_front ? run + part : run] = bytes - part;
      taken -= part;
    }
    ASSERT_EQ(pages_.Count().taken_bytes, taken);
  }
  for (const auto& [run, bytes] : runs) ASSERT_TRUE(pages_.Give(run, bytes));
  EXPECT_TRUE(IsAllBack());
}

}  // namespace
}  // namespace zcb::alloc
