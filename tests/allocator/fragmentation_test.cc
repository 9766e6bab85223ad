// What a mixed load leaves of a region, within bounds that it keeps well.
#include <gtest/gtest.h>

#include "bench/fragmentation/mixed_load.h"
#include "tests/allocator/allocator_testing.h"

namespace zcb::alloc {
namespace {

using bench::Fragmentation;
using bench::KindWaste;
using bench::MixedLoad;
using bench::SizeKind;

constexpr std::uint32_t kUnits = 256;
constexpr std::uint64_t kRegionBytes = kUnits * kUnitBytes;

class FragmentationTest : public testing::AllocatorTest {
 protected:
  FragmentationTest() : AllocatorTest(kUnits) {}

  MixedLoad::Options Half(std::uint32_t seed) {
    return {.live_bytes = kRegionBytes / 2,
            .max_extent_bytes = kRegionBytes / 32,
            .seed = seed};
  }
  static const KindWaste& Of(const Fragmentation& sample, SizeKind kind) {
    return sample.kinds[std::size_t(kind)];
  }
};

TEST_F(FragmentationTest, LittleIsWastedInsideBuffers) {
  MixedLoad load(allocator(), Half(1));
  for (int i = 0; i < 10; ++i) {
    load.Run(5'000);
    const Fragmentation sample = load.Measure();
    for (const KindWaste& kind : sample.kinds) ASSERT_GT(kind.buffers, 0U);
    EXPECT_LT(Of(sample, SizeKind::kExtent).worst_bytes, kGranuleBytes);
    EXPECT_LT(Of(sample, SizeKind::kRun).worst_bytes, kGranuleBytes);
    EXPECT_LT(Of(sample, SizeKind::kExtent).share(), 0.02);
    EXPECT_LT(Of(sample, SizeKind::kRun).share(), 0.06);
    EXPECT_LT(Of(sample, SizeKind::kSlab).share(), 0.13);
  }
}

TEST_F(FragmentationTest, AHalfFullRegionRefusesNextToNothing) {
  MixedLoad load(allocator(), Half(2));
  load.Run(50'000);
  const Fragmentation sample = load.Measure();
  EXPECT_LE(load.refusals(), 25U);
  EXPECT_GE(sample.free_units, kUnits / 8);
  EXPECT_LT(sample.committed_per_live_byte(), 2.2);
  // What a buffer as large as any of the load's needs would be there.
  EXPECT_GE(sample.largest_gap_units, 2U);
}

TEST_F(FragmentationTest, NothingOfItOutlivesTheBuffers) {
  MixedLoad load(allocator(), Half(3));
  for (int round = 0; round < 3; ++round) {
    load.Run(10'000);
    load.FreeAll();
    MustFree(MustAlloc(kRegionBytes));
    EXPECT_EQ(load.Measure().external(), 0);
  }
}

}  // namespace
}  // namespace zcb::alloc
