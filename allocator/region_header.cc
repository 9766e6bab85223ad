#include "allocator/region_header.h"

#include <cstring>

#include "allocator/region_options.h"

namespace zcb::alloc {
namespace {

constexpr std::uint64_t RoundUp(std::uint64_t value, std::uint64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

// Lays tables one behind the other, each on a page of its own.
class Layout {
 public:
  std::uint64_t Place(std::uint64_t length_bytes) {
    const std::uint64_t offset_bytes = end_bytes_;
    end_bytes_ = RoundUp(offset_bytes + length_bytes, kMetaPageBytes);
    return offset_bytes;
  }
  std::uint64_t end_bytes() const { return end_bytes_; }

 private:
  std::uint64_t end_bytes_ = 0;
};

}  // namespace

Geometry Geometry::Make(std::uint64_t region_bytes, std::uint32_t unit_bytes,
                        std::uint32_t lease_count,
                        std::uint64_t client_area_bytes,
                        const std::array<std::uint32_t, 8>& client_params) {
  Geometry g;
  g.region_bytes = region_bytes;
  g.unit_bytes = unit_bytes;
  g.unit_count = static_cast<std::uint32_t>(region_bytes / unit_bytes);
  g.granule_count = static_cast<std::uint32_t>(region_bytes / kGranuleBytes);
  g.lease_count = lease_count;
  g.client_area_bytes = client_area_bytes;
  g.client_params = client_params;

  const std::uint64_t units = g.unit_count;
  const std::uint64_t granules = g.granule_count;
  Layout layout;
  layout.Place(sizeof(RegionHeader));
  g.leases_offset = layout.Place(lease_count * sizeof(LeaseRecord));
  g.units_offset = layout.Place(units * 8);
  g.committed_offset = layout.Place(g.huge_page_count());
  g.granules_offset = layout.Place(granules * 8);
  g.dense_words_offset = layout.Place(granules * kDenseWordsPerGranule * 8);
  g.sparse_words_offset = layout.Place(granules * kSparseWordsPerGranule * 8);
  g.dense_hints_offset = layout.Place(granules * kDenseWordsPerGranule);
  g.sparse_hints_offset = layout.Place(granules * kSparseWordsPerGranule);
  g.touched_bytes_per_lease = RoundUp((granules + 7) / 8, kCacheLineBytes);
  g.touched_offset = layout.Place(lease_count * g.touched_bytes_per_lease);
  g.client_offset = layout.Place(client_area_bytes);
  g.meta_bytes = layout.end_bytes();
  return g;
}

bool Geometry::IsSound() const {
  if (region_bytes < RegionLimits::kMinRegionBytes ||
      region_bytes > RegionLimits::kMaxRegionBytes ||
      region_bytes % kHugePageBytes != 0) {
    return false;
  }
  if (unit_bytes != kUnitBytes && unit_bytes != kSmallUnitBytes) return false;
  if (lease_count == 0 || lease_count > RegionLimits::kMaxLeases) return false;
  if (client_area_bytes > RegionOptions::kMaxClientAreaBytes) return false;
  return *this == Make(region_bytes, unit_bytes, lease_count, client_area_bytes,
                       client_params);
}

std::uint64_t RegionHeader::ComputeChecksum() const {
  // Multiply and fold, one word at a time: finds accidents, not forgers.
  constexpr std::uint64_t kMultiplier = 0x9e37'79b9'7f4a'7c15ULL;
  constexpr std::size_t kWords =
      offsetof(RegionHeader, checksum) / sizeof(std::uint64_t);
  const auto* bytes = reinterpret_cast<const unsigned char*>(this);
  std::uint64_t sum = kMultiplier;
  for (std::size_t i = 0; i < kWords; ++i) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes + i * sizeof word, sizeof word);
    sum = (sum ^ word) * kMultiplier;
    sum ^= sum >> 29;
  }
  return sum;
}

}  // namespace zcb::alloc
