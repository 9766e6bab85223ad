// Buffers that begin where the caller wants.
#include <gtest/gtest.h>

#include <cstdio>

#include "allocator/aligned_classes.h"
#include "tests/allocator/allocator_testing.h"

namespace zcb::alloc {
namespace {

constexpr std::uint64_t kPageBytes = 4096;

TEST(AlignedClassesTest, EachIsTheSmallestThatIsBigEnoughAndAligned) {
  for (const bool small_units : {false, true}) {
    for (std::uint64_t a = kLineBytes; a <= kMaxAlignmentBytes; a *= 2) {
      for (std::uint64_t bytes = 1; bytes < kUnitBytes;
           bytes += 1 + bytes / 100) {
        std::uint64_t best_bytes = ~std::uint64_t{0};
        std::uint32_t best = kExtentClass;
        for (std::uint32_t c = 0; c < kExtentClass; ++c) {
          const SizeClass& cut = kSizeClasses[c];
          // What the kind of unit gives for the class's own size.
          const bool exists = (small_units ? SmallUnitClassOf(cut.bytes())
                                           : SizeClassOf(cut.bytes())) == c;
          if (exists && IsAligned(cut, a) && cut.bytes() >= bytes &&
              cut.bytes() < best_bytes) {
            best = c;
            best_bytes = cut.bytes();
          }
        }
        ASSERT_EQ(AlignedClassOf(bytes, a, small_units), best)
            << bytes << " at " << a << ", small units: " << small_units;
      }
    }
  }
}

// Apart from the alloc's own, as no caller can ask for less: a page's payload
// costs whole pages.
TEST(AlignedClassesTest, PageAlignedFragmentationIsBounded) {
  double worst = 0;
  double sum = 0;
  std::uint64_t sizes = 0;
  for (std::uint64_t bytes = kPageBytes; bytes <= 256 * 1024; bytes += 64) {
    const std::uint64_t got =
        kSizeClasses[AlignedClassOf(bytes, kPageBytes, false)].bytes();
    const double waste =
        static_cast<double>(got - bytes) / static_cast<double>(got);
    worst = std::max(worst, waste);
    sum += waste;
    ++sizes;
  }
  const double mean = sum / static_cast<double>(sizes);
  std::printf(
      "page-aligned, 4 KiB to 256 KiB: %.1f %% unused at worst, %.1f %% on "
      "average\n",
      100 * worst, 100 * mean);
  EXPECT_LE(worst, 0.5) << "a byte more than a page takes two";
  EXPECT_LE(mean, 0.13);
}

class AlignedAllocTest : public testing::AllocatorTest {
 protected:
  AlignedAllocTest() : AllocatorTest(16) {}
  std::uint64_t AddressOf(BufferRef ref) {
    return reinterpret_cast<std::uintptr_t>(allocator().Pointer(ref));
  }
};

TEST_F(AlignedAllocTest, EveryAlignmentIsKeptForEverySize) {
  for (std::uint64_t a = 1; a <= kMaxAlignmentBytes; a *= 2) {
    std::vector<BufferRef> all;
    for (std::uint64_t bytes = 0; bytes <= 3 * kUnitBytes;
         bytes += 1 + bytes / 2) {
      for (int i = 0; i < 3; ++i) {
        const auto ref = allocator().AllocAligned(bytes, a);
        if (!ref) {
          EXPECT_EQ(ref.status(), Status::kNoMemory);
          FreeAll(all);
          all.clear();
          continue;
        }
        all.push_back(*ref);
        EXPECT_EQ(AddressOf(*ref) % a, 0U) << bytes;
        EXPECT_GE(allocator().UsableBytes(*ref), bytes);
        EXPECT_TRUE(allocator().IsLive(*ref));
      }
    }
    FreeAll(all);
  }
  EXPECT_EQ(allocator().Stats().live_buffers, 0U);
}

TEST_F(AlignedAllocTest, SmallAlignmentsCostNothing) {
  for (const std::uint64_t a : {1U, 8U, 64U}) {
    const auto ref = allocator().AllocAligned(100, a);
    ASSERT_TRUE(ref.ok());
    EXPECT_EQ(allocator().UsableBytes(*ref), 128U);
    MustFree(*ref);
  }
}

TEST_F(AlignedAllocTest, WhatIsNoAlignmentIsRefused) {
  for (const std::uint64_t a :
       {std::uint64_t{0}, std::uint64_t{3}, std::uint64_t{96},
        2 * kMaxAlignmentBytes, ~std::uint64_t{0}}) {
    EXPECT_EQ(allocator().AllocAligned(100, a).status(), Status::kInvalidParam);
  }
  EXPECT_EQ(allocator().AllocAligned(17 * kUnitBytes, 4096).status(),
            Status::kTooBig);
  EXPECT_EQ(allocator().AllocAligned(~std::uint64_t{0}, 4096).status(),
            Status::kTooBig);
}

TEST_F(AlignedAllocTest, SmallUnitsAlignUpToTheirOwnSize) {
  testing::TempDirectory directory;
  RegionOptions options = directory.Options();
  options.unit_bytes = kSmallUnitBytes;
  const auto region = Region::Open(options);
  ASSERT_TRUE(region.ok()) << region.reason();
  const auto mine = testing::MakeAllocator(*region);
  for (std::uint64_t a = 1; a <= kSmallUnitBytes; a *= 2) {
    for (const std::uint64_t bytes : {1U, 5000U, 70'000U, 200'000U, 300'000U}) {
      const auto ref = mine->AllocAligned(bytes, a);
      ASSERT_TRUE(ref.ok()) << ref.reason();
      EXPECT_EQ(ref->offset_bytes() % a, 0U);
      EXPECT_GE(mine->UsableBytes(*ref), bytes);
      EXPECT_TRUE(mine->Free(*ref).ok());
    }
  }
  EXPECT_EQ(mine->AllocAligned(1, 2 * kSmallUnitBytes).status(),
            Status::kNotSupported);
}

}  // namespace
}  // namespace zcb::alloc
