#include "bench/fragmentation/mixed_load.h"

#include <algorithm>
#include <cmath>

#include "allocator/region.h"
#include "allocator/shared_tables.h"
#include "allocator/size_classes.h"
#include "allocator/unit_word.h"
#include "bench/failure.h"

namespace zcb::bench {
namespace {

using zcb::alloc::kMaxRunBytes;
using zcb::alloc::kMaxSlabBufferBytes;

struct KindSizes {
  std::uint64_t min_bytes;
  std::uint64_t max_bytes;
  double share_of_bytes;

  // Of sizes whose logarithm is even.
  double mean_bytes() const {
    return double(max_bytes - min_bytes) /
           std::log(double(max_bytes) / double(min_bytes));
  }
};

std::array<KindSizes, kSizeKinds> SizesOf(const MixedLoad::Options& options) {
  return {KindSizes{64, kMaxSlabBufferBytes, 0.2},
          KindSizes{kMaxSlabBufferBytes + 1, kMaxRunBytes, 0.3},
          KindSizes{kMaxRunBytes + 1, options.max_extent_bytes, 0.5}};
}

// Not std::uniform_real_distribution: its numbers are the library's choice.
double Fraction(std::mt19937_64& random) {
  return double(random() >> 11) / double(std::uint64_t{1} << 53);
}

}  // namespace

MixedLoad::MixedLoad(zcb::alloc::Allocator& allocator, const Options& options)
    : allocator_(allocator), options_(options), random_(options.seed) {
  const auto sizes = SizesOf(options_);
  double sum = 0;
  for (std::size_t k = 0; k < kSizeKinds; ++k) {
    chances_[k] = sizes[k].share_of_bytes / sizes[k].mean_bytes();
    sum += chances_[k];
  }
  for (double& chance : chances_) chance /= sum;
}

SizeKind MixedLoad::DrawKind() {
  double at = Fraction(random_);
  for (std::size_t k = 0; k + 1 < kSizeKinds; ++k) {
    if (at < chances_[k]) return SizeKind(k);
    at -= chances_[k];
  }
  return SizeKind::kExtent;
}

std::uint64_t MixedLoad::DrawBytes(SizeKind kind) {
  const KindSizes sizes = SizesOf(options_)[std::size_t(kind)];
  const double bytes =
      double(sizes.min_bytes) *
      std::pow(double(sizes.max_bytes) / double(sizes.min_bytes),
               Fraction(random_));
  return std::clamp(static_cast<std::uint64_t>(bytes), sizes.min_bytes,
                    sizes.max_bytes);
}

void MixedLoad::AllocOne() {
  const SizeKind kind = DrawKind();
  const std::uint64_t bytes = DrawBytes(kind);
  const auto ref = allocator_.Alloc(bytes);
  if (!ref) {
    ++refusals_;
    FreeOne();
    return;
  }
  live_.push_back({*ref, bytes, kind});
  live_bytes_ += bytes;
}

void MixedLoad::FreeOne() {
  if (live_.empty()) return;
  std::swap(live_[random_() % live_.size()], live_.back());
  const Buffer buffer = live_.back();
  live_.pop_back();
  live_bytes_ -= buffer.asked_bytes;
  if (const auto freed = allocator_.Free(buffer.ref); !freed) {
    Fail("free: {}", freed.reason());
  }
}

void MixedLoad::Run(std::uint32_t operations) {
  for (std::uint32_t i = 0; i < operations; ++i) {
    if (live_bytes_ < options_.live_bytes) {
      AllocOne();
    } else {
      FreeOne();
    }
  }
}

void MixedLoad::FreeAll() {
  while (!live_.empty()) FreeOne();
}

Fragmentation MixedLoad::Measure() const {
  Fragmentation result;
  for (const Buffer& buffer : live_) {
    const std::uint64_t usable = allocator_.UsableBytes(buffer.ref);
    KindWaste& kind = result.kinds[std::size_t(buffer.kind)];
    ++kind.buffers;
    kind.asked_bytes += buffer.asked_bytes;
    kind.usable_bytes += usable;
    kind.worst_bytes = std::max(kind.worst_bytes, usable - buffer.asked_bytes);
  }
  result.live_bytes = live_bytes_;
  zcb::alloc::Region& region = allocator_.region();
  const zcb::alloc::SharedTables shared(region);
  result.units = shared.unit_count();
  std::uint32_t gap = 0;
  for (std::uint32_t u = 0; u < shared.unit_count(); ++u) {
    const zcb::alloc::UnitWord word(
        shared.unit(u).load(std::memory_order_relaxed));
    const bool is_free = word.kind() == zcb::alloc::UnitWord::Kind::kFree;
    result.free_units += is_free;
    gap = is_free ? gap + 1 : 0;
    result.largest_gap_units = std::max(result.largest_gap_units, gap);
    if (region.IsUnitCommitted(u)) {
      result.committed_bytes += shared.unit_bytes();
    }
  }
  return result;
}

}  // namespace zcb::bench
