// References and granule words that may be anybody's work.
#include "allocator/buffer_place.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/allocator/allocator_testing.h"

namespace zcb::alloc {
namespace {

using testing::kGranules;

TEST(CheckedShapeTest, AcceptsExactlyWhatAnOwnerWouldWrite) {
  for (std::uint32_t c = 0; c < kExtentClass; ++c) {
    const SizeClass& cut = kSizeClasses[c];
    const std::uint32_t step = cut.is_run() ? 1 : cut.granules;
    for (std::uint32_t place = 0; place < kGranules; ++place) {
      for (std::uint32_t back = 0; back < kGranules; ++back) {
        const bool fits = back < cut.granules && back <= place &&
                          place - back + cut.granules <= kGranules &&
                          (place - back) % step == 0;
        const std::uint32_t granule = 5 * kGranules + place;
        const SlabShape slab =
            CheckedShape(GranuleWord::Make(c, back, cut.granules), granule,
                         kGranulesPerUnit);
        ASSERT_EQ(slab.ok(), fits) << c << ' ' << place << ' ' << back;
        if (fits) {
          EXPECT_EQ(slab.head, granule - back);
          EXPECT_EQ(slab.size_class, c);
        }
      }
    }
  }
}

TEST(CheckedShapeTest, RefusesAnyOtherSpanAndAnyUnknownClass) {
  EXPECT_FALSE(CheckedShape(GranuleWord(), 0, kGranulesPerUnit).ok());
  EXPECT_FALSE(
      CheckedShape(GranuleWord::Make(0, 0, 2), 0, kGranulesPerUnit).ok());
  EXPECT_FALSE(
      CheckedShape(GranuleWord::Make(kExtentClass, 0, 2), 0, kGranulesPerUnit)
          .ok());
  EXPECT_FALSE(
      CheckedShape(GranuleWord::Make(200, 0, 1), 0, kGranulesPerUnit).ok());
}

class LocateTest : public testing::AllocatorTest {
 protected:
  std::optional<BufferPlace> Locate(std::uint32_t line) {
    return LocateBuffer(shared(), BufferRef(line));
  }
};

TEST_F(LocateTest, FindsTheStartOfEveryKindOfBufferAndNothingElse) {
  for (const std::uint64_t bytes :
       {std::uint64_t{64}, std::uint64_t{192}, std::uint64_t{5000},
        std::uint64_t{40'000}, std::uint64_t{200'000}, 7 * kGranuleBytes,
        2 * kUnitBytes}) {
    const BufferRef ref = MustAlloc(bytes);
    const auto place = Locate(ref.line());
    ASSERT_TRUE(place) << bytes;
    EXPECT_EQ(place->ref, ref);
    EXPECT_EQ(place->usable_bytes, allocator().UsableBytes(ref));
    EXPECT_EQ(place->is_extent, bytes > kMaxRunBytes);
    const auto own = allocator().Locate(ref);
    ASSERT_TRUE(own);
    EXPECT_EQ(own->word, place->word) << "privately and publicly the same";
    EXPECT_EQ(own->hint, place->hint);
    EXPECT_EQ(own->usable_bytes, place->usable_bytes);
    const std::uint64_t lines = place->usable_bytes / kLineBytes;
    for (std::uint32_t i = 1; i < lines; i += 1 + i / 64) {
      EXPECT_FALSE(Locate(ref.line() + i)) << bytes << ' ' << i;
      EXPECT_FALSE(allocator().Locate(BufferRef(ref.line() + i)));
    }
    MustFree(ref);
  }
}

TEST_F(LocateTest, KnowsNothingInUnitsThatNobodyOwns) {
  for (std::uint32_t u = 0; u < shared().unit_count(); ++u) {
    EXPECT_FALSE(Locate(u * testing::kLinesPerUnit));
  }
  EXPECT_FALSE(Locate(shared().unit_count() * testing::kLinesPerUnit));
  EXPECT_FALSE(Locate(BufferRef::kMax));
}

TEST_F(LocateTest, WhateverTheGranuleWordsHoldAPlaceLiesInsideTheTables) {
  LeaveDamaged();
  const BufferRef ref = MustAlloc(64);
  std::mt19937 random(7);
  const auto Below = [&](std::uint32_t end) {
    return static_cast<std::uint32_t>(random() % end);
  };
  const auto* const meta = region()->meta<std::byte>(0);
  const std::uint64_t meta_bytes = region()->geometry().meta_bytes;
  for (int round = 0; round < 200000; ++round) {
    const std::uint32_t granule =
        testing::UnitOf(ref) * kGranules + Below(kGranules);
    const std::uint64_t raw =
        round % 2 == 0
            ? std::uint64_t{random()} << 32 | random()
            : GranuleWord::Make(Below(73), Below(32), Below(34)).raw();
    shared().granule(granule).store(raw, std::memory_order_relaxed);
    const auto place = Locate(granule * std::uint32_t{kLinesPerGranule} +
                              Below(std::uint32_t{kLinesPerGranule}));
    if (!place) continue;
    const auto word = reinterpret_cast<std::byte*>(place->word) - meta;
    const auto hint = reinterpret_cast<std::byte*>(place->hint) - meta;
    ASSERT_GE(word, 0);
    ASSERT_LE(static_cast<std::uint64_t>(word) + 8, meta_bytes);
    ASSERT_GE(hint, 0);
    ASSERT_LT(static_cast<std::uint64_t>(hint), meta_bytes);
    ASSERT_LE(place->ref.offset_bytes() + place->usable_bytes,
              region()->geometry().region_bytes);
  }
}

TEST_F(LocateTest, AForgedExtentLengthIsRefused) {
  const BufferRef ref = MustAlloc(kUnitBytes);
  const UnitWord head = unit(testing::UnitOf(ref));
  for (const std::uint32_t units : {0U, 2U, 100U, UnitWord::kMaxLength}) {
    shared()
        .unit(testing::UnitOf(ref))
        .store(UnitWord(head).ExtentHead({1, 1}, units).raw());
    EXPECT_FALSE(Locate(ref.line())) << units;
  }
  shared().unit(testing::UnitOf(ref)).store(head.raw());
  EXPECT_TRUE(Locate(ref.line()));
}

}  // namespace
}  // namespace zcb::alloc
