// The class table, checked exhaustively.
#include "allocator/size_classes.h"

#include <gtest/gtest.h>

#include "allocator/region_header.h"

namespace zcb::alloc {
namespace {

TEST(SizeClassesTest, EveryRequestGetsTheSmallestClassThatHoldsIt) {
  std::uint32_t expected = 0;
  for (std::uint64_t bytes = 1; bytes <= kMaxRunBytes; ++bytes) {
    if (bytes > kSizeClasses[expected].bytes()) ++expected;
    if (expected == kFirstSmallUnitClass) expected = kFirstLongRunClass;
    ASSERT_EQ(SizeClassOf(bytes), expected) << bytes;
  }
  EXPECT_EQ(expected, kExtentClass - 1);
}

TEST(SizeClassesTest, ZeroBytesCountAsOneAndHugeRequestsAreExtents) {
  EXPECT_EQ(SizeClassOf(0), 0U);
  EXPECT_EQ(SizeClassOf(kMaxRunBytes + 1), kExtentClass);
  EXPECT_EQ(SizeClassOf(std::uint64_t{1} << 40), kExtentClass);
  EXPECT_EQ(SizeClassOf(~std::uint64_t{0}), kExtentClass);
}

TEST(SizeClassesTest, ClassesAreFourPerDoublingUpTo256KiBThenRuns) {
  EXPECT_EQ(kSizeClasses[0].bytes(), 64U);
  EXPECT_EQ(kSizeClasses[3].bytes(), 256U);
  EXPECT_EQ(kSizeClasses[4].bytes(), 320U);
  EXPECT_EQ(kSizeClasses[7].bytes(), 512U);
  EXPECT_EQ(kSizeClasses[43].bytes(), 256U * 1024);
  EXPECT_EQ(kSizeClasses[kFirstLongRunClass].bytes(), 5 * kGranuleBytes);
  EXPECT_EQ(kSizeClasses[kExtentClass - 1].bytes(), 31 * kGranuleBytes);
}

TEST(SizeClassesTest, FragmentationStaysWithinThePromisedBounds) {
  double sum = 0;
  for (std::uint64_t bytes = 1; bytes <= kMaxSlabBufferBytes; ++bytes) {
    const std::uint64_t got = kSizeClasses[SizeClassOf(bytes)].bytes();
    const std::uint64_t lost = got - bytes;
    if (bytes < 257) {
      ASSERT_LE(lost, 63U) << bytes;
      continue;
    }
    // Worst just above a class: a fifth of the buffer lies idle.
    ASSERT_LE(lost * 5, got) << bytes;
    sum += static_cast<double>(lost) / static_cast<double>(bytes);
  }
  EXPECT_LE(sum / (kMaxSlabBufferBytes - 256), 0.09)
      << "of the bytes asked for";
}

TEST(SizeClassesTest, SlabsAreWholeGranulesAndWasteAtMostAnEighth) {
  for (std::uint32_t c = 0; c < kExtentClass; ++c) {
    const SizeClass& cut = kSizeClasses[c];
    const std::uint64_t slab_bytes = cut.granules * kGranuleBytes;
    const std::uint64_t used_bytes = cut.count * cut.bytes();
    EXPECT_LE(used_bytes, slab_bytes) << c;
    EXPECT_LE((slab_bytes - used_bytes) * 8, slab_bytes) << c;
    EXPECT_LE(cut.granules, kGranulesPerUnit) << c;
    EXPECT_EQ(cut.is_run(), c >= kFirstRunClass) << c;
    if (!cut.is_run()) {
      const bool is_small = c >= kFirstSmallUnitClass;
      EXPECT_TRUE(is_small ? cut.granules == 4
                           : cut.granules == 1 || cut.granules == 8 ||
                                 cut.granules == 32);
      EXPECT_GE(cut.count, is_small ? 3U : 8U) << c;
    }
  }
}

TEST(SizeClassesTest, EverySlabHasRoomForItsWords) {
  for (std::uint32_t c = 0; c < kExtentClass; ++c) {
    const SizeClass& cut = kSizeClasses[c];
    const std::size_t words_per_granule =
        cut.is_dense ? kDenseWordsPerGranule : kSparseWordsPerGranule;
    EXPECT_LE(cut.count, cut.granules * words_per_granule) << c;
    EXPECT_EQ(cut.is_dense, cut.bytes() < kSparseMinBytes) << c;
  }
}

TEST(SizeClassesTest, TheReciprocalDividesExactlyForEveryLineOfEverySlab) {
  for (std::uint32_t c = 0; c < kExtentClass; ++c) {
    const SizeClass& cut = kSizeClasses[c];
    for (std::uint32_t line = 0; line < cut.granules * kLinesPerGranule;
         ++line) {
      ASSERT_EQ(IndexInSlab(cut, line), line / cut.lines) << c << ' ' << line;
    }
  }
}

TEST(SizeClassesTest, SmallUnitsGetClassesThatFitIntoThem) {
  for (std::uint64_t bytes = 0; bytes <= 4 * kUnitBytes; bytes += 61) {
    const std::uint32_t c = SmallUnitClassOf(bytes);
    if (c == kExtentClass) {
      ASSERT_GT(bytes, 3 * kGranuleBytes);
      continue;
    }
    ASSERT_GE(kSizeClasses[c].bytes(), bytes);
    ASSERT_LE(kSizeClasses[c].granules, kGranulesPerSmallUnit) << bytes;
    if (bytes > 80 * 1024) {
      ASSERT_TRUE(kSizeClasses[c].is_run()) << bytes;
    } else {
      ASSERT_EQ(kSizeClasses[c].bytes(),
                kSizeClasses[SizeClassOf(bytes)].bytes());
    }
  }
}

TEST(SizeClassesTest, ExtentsAreRoundedUpToGranules) {
  for (const std::uint32_t per_unit : {4U, 32U}) {
    const std::uint64_t unit_bytes = per_unit * kGranuleBytes;
    for (std::uint64_t bytes = unit_bytes; bytes < 4 * unit_bytes;
         bytes += 4099) {
      const ExtentSize size = ExtentSize::Of(bytes, per_unit);
      const std::uint64_t usable = size.granules(per_unit) * kGranuleBytes;
      ASSERT_GE(usable, bytes);
      ASSERT_LT(usable - bytes, kGranuleBytes);
      ASSERT_GE(size.units, 1U);
      ASSERT_LT(size.tail_granules, per_unit);
      ASSERT_EQ(size.touched_units(), ExtentUnits(bytes, unit_bytes));
    }
    EXPECT_EQ(ExtentSize::Of(unit_bytes, per_unit), (ExtentSize{1, 0}));
    EXPECT_EQ(ExtentSize::Of(unit_bytes + 1, per_unit), (ExtentSize{1, 1}));
    EXPECT_EQ(ExtentSize::Of(2 * unit_bytes - 1, per_unit), (ExtentSize{2, 0}));
  }
}

TEST(SizeClassesTest, AnyNumberOfBytesTouchesSomeUnits) {
  EXPECT_EQ(ExtentUnits(kUnitBytes, kUnitBytes), 1U);
  EXPECT_EQ(ExtentUnits(kUnitBytes + 1, kUnitBytes), 2U);
  EXPECT_EQ(ExtentUnits(~std::uint64_t{0}, kUnitBytes),
            (~std::uint64_t{0} >> kUnitShift) + 1);
}

}  // namespace
}  // namespace zcb::alloc
