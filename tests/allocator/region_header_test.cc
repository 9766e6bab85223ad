#include "allocator/region_header.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <memory>

#include "allocator/region_options.h"

namespace zcb::alloc {
namespace {

constexpr std::array<std::uint32_t, 8> kParams{1, 2, 3, 4, 5, 6, 7, 8};

Geometry Default() {
  return Geometry::Make(RegionLimits::kDefaultRegionBytes, kUnitBytes,
                        RegionLimits::kDefaultLeases, 1 << 20, kParams);
}

TEST(GeometryTest, TablesFollowOneAnotherOnPagesOfTheirOwn) {
  const Geometry g = Default();
  EXPECT_EQ(g.unit_count, 512U);
  EXPECT_EQ(g.granule_count, 16384U);
  const std::array<std::uint64_t, 12> offsets{
      kMetaPageBytes,        g.leases_offset,      g.units_offset,
      g.committed_offset,    g.granules_offset,    g.dense_words_offset,
      g.sparse_words_offset, g.dense_hints_offset, g.sparse_hints_offset,
      g.touched_offset,      g.client_offset,      g.meta_bytes};
  EXPECT_EQ(offsets[0], offsets[1]);
  for (std::size_t i = 2; i < offsets.size(); ++i) {
    EXPECT_LT(offsets[i - 1], offsets[i]) << i;
    EXPECT_EQ(offsets[i] % kMetaPageBytes, 0U) << i;
  }
  EXPECT_EQ(g.sparse_words_offset - g.dense_words_offset,
            g.granule_count * kDenseWordsPerGranule * 8);
  EXPECT_EQ(g.meta_bytes - g.client_offset, 1U << 20);
  EXPECT_TRUE(g.IsSound());
}

TEST(GeometryTest, SmallUnitsAreSoundAndOthersAreNot) {
  const auto make = [](std::uint32_t unit_bytes) {
    return Geometry::Make(16 * kHugePageBytes, unit_bytes, 64, 1 << 20,
                          kParams);
  };
  const Geometry small = make(kSmallUnitBytes);
  EXPECT_TRUE(small.IsSound());
  EXPECT_EQ(small.unit_count, 128U);
  EXPECT_EQ(small.granules_per_unit(), 4U);
  EXPECT_EQ(small.huge_page_count(), 16U);
  EXPECT_FALSE(make(kSmallUnitBytes / 2).IsSound());
  EXPECT_FALSE(make(kSmallUnitBytes * 2).IsSound());
  EXPECT_FALSE(make(kUnitBytes * 2).IsSound());
}

TEST(GeometryTest, LargestRegionIsSound) {
  EXPECT_TRUE(Geometry::Make(RegionLimits::kMaxRegionBytes, kUnitBytes,
                             RegionLimits::kMaxLeases,
                             RegionOptions::kMaxClientAreaBytes, kParams)
                  .IsSound());
}

TEST(GeometryTest, AnyForgedNumberIsUnsound) {
  // Every 4-byte word in turn, but the client's own parameters (which this
  // layer does not judge).
  for (std::size_t at = 0; at < sizeof(Geometry); at += 4) {
    Geometry g = Default();
    if (at >= offsetof(Geometry, client_params) &&
        at < offsetof(Geometry, leases_offset)) {
      continue;
    }
    auto* bytes = reinterpret_cast<std::byte*>(&g);
    bytes[at] ^= std::byte{0x10};
    EXPECT_FALSE(g.IsSound()) << at;
  }
}

TEST(RegionHeaderTest, ChecksumNoticesEveryFlippedBitAboveIt) {
  auto header = std::make_unique<RegionHeader>();
  header->geometry = Default();
  header->identity = 42;
  const std::uint64_t sound = header->ComputeChecksum();
  auto* bytes = reinterpret_cast<std::byte*>(header.get());
  for (std::size_t i = 0; i < offsetof(RegionHeader, checksum); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      bytes[i] ^= std::byte(1U << bit);
      ASSERT_NE(header->ComputeChecksum(), sound) << i << "." << bit;
      bytes[i] ^= std::byte(1U << bit);
    }
  }
  header->state.store(7, std::memory_order_relaxed);
  EXPECT_EQ(header->ComputeChecksum(), sound) << "live words do not count";
}

}  // namespace
}  // namespace zcb::alloc
