// How big buffers are, and how a slab of granules is cut into them. Pure
// numbers: no atomics, no memory, no system.
#ifndef ZCB_ALLOCATOR_SIZE_CLASSES_H_
#define ZCB_ALLOCATOR_SIZE_CLASSES_H_

#include <array>
#include <bit>
#include <cstdint>

#include "allocator/abi.h"

namespace zcb::alloc {

// class     buffers                             slab
// 0..3      64, 128, 192, 256                   1 granule
// 4..43     four per doubling up to 256 KiB     1, 8 or 32 granules
// 44..56    10 KiB .. 80 KiB again              4 granules: of small units
// 57, 58    runs of 2 and 3 granules            the run: one buffer, of small
//                                               units
// 59..85    runs of 5..31 granules              the run: one buffer
// 86        extents: a unit and more            none; see extent.h
//
// Small units (abi.h) have no room for slabs of 8 or 32 granules, and their
// requests above 8 KiB are mapped to the classes that they have by
// SmallUnitClassOf(): above 80 KiB, where fewer than three buffers would leave
// more than an eighth of a slab idle, to runs and extents.
inline constexpr std::uint32_t kSlabClassCount = 57;
inline constexpr std::uint32_t kFirstSmallUnitClass = 44;
inline constexpr std::uint32_t kLastSharedClass = 23;  // 8 KiB: one granule
inline constexpr std::uint32_t kFirstRunClass = kSlabClassCount;
inline constexpr std::uint32_t kFirstLongRunClass = kFirstRunClass + 2;
inline constexpr std::uint32_t kMinRunGranules = 5;  // of an ordinary unit
inline constexpr std::uint32_t kMaxRunGranules = 31;
inline constexpr std::uint32_t kExtentClass =
    kFirstLongRunClass + kMaxRunGranules - kMinRunGranules + 1;
inline constexpr std::uint32_t kClassCount = kExtentClass + 1;
// Of granule words only, and no size: the end of an extent (extent_tail.h).
inline constexpr std::uint32_t kExtentTailClass = kExtentClass + 1;
inline constexpr std::uint64_t kMaxSlabBufferBytes = 256 * 1024;
inline constexpr std::uint64_t kMaxRunBytes =
    std::uint64_t{kMaxRunGranules} * kGranuleBytes;
static_assert(kExtentClass == 86);

// One row of the table.
struct SizeClass {
  std::uint32_t lines = 0;       // of one buffer
  std::uint32_t granules = 0;    // of one slab
  std::uint32_t count = 0;       // buffers in a slab
  bool is_dense = false;         // words in the dense pool (one per line)
  std::uint64_t reciprocal = 0;  // ceil(2^32 / lines)

  constexpr std::uint64_t bytes() const {
    return std::uint64_t{lines} << kLineShift;
  }
  // One buffer per slab, at any granule; all other slabs are aligned to their
  // own size, so that a line alone tells where its slab begins.
  constexpr bool is_run() const { return count == 1; }
};

namespace internal {

// Four steps to a doubling, from 320 bytes on.
consteval std::uint32_t LinesOfStep(std::uint32_t id) {
  return (5 + (id - 4) % 4) << ((id - 4) / 4);
}

consteval std::array<SizeClass, kExtentClass> MakeSizeClasses() {
  std::array<SizeClass, kExtentClass> table{};
  for (std::uint32_t id = 0; id < kExtentClass; ++id) {
    SizeClass& c = table[id];
    if (id < 4) {
      c.lines = id + 1;
    } else if (id < kFirstSmallUnitClass) {
      c.lines = LinesOfStep(id);
    } else if (id < kSlabClassCount) {
      c.granules = kGranulesPerSmallUnit;
      c.lines = LinesOfStep(id - kFirstSmallUnitClass + kLastSharedClass + 1);
    } else {
      c.granules = id < kFirstLongRunClass
                       ? id - kFirstRunClass + 2
                       : id - kFirstLongRunClass + kMinRunGranules;
      c.lines = c.granules * std::uint32_t{kLinesPerGranule};
    }
    if (c.granules == 0) {
      // As small as keeps the waste at the end at or below 1/8 and a slab
      // worth the trip: 8 buffers or more.
      c.granules = c.bytes() <= 8 * 1024 ? 1 : c.bytes() <= 64 * 1024 ? 8 : 32;
    }
    c.count = c.granules * std::uint32_t{kLinesPerGranule} / c.lines;
    c.reciprocal = ((std::uint64_t{1} << 32) + c.lines - 1) / c.lines;
    c.is_dense = c.bytes() < 512;
  }
  return table;
}

}  // namespace internal

inline constexpr std::array<SizeClass, kExtentClass> kSizeClasses =
    internal::MakeSizeClasses();

// The class for a request; 0 bytes count as 1. kExtentClass for everything
// above the largest run, however large. Two shifts and one count of zeroes.
constexpr std::uint32_t SizeClassOf(std::uint64_t bytes) {
  const std::uint64_t last = bytes - (bytes != 0);  // offset of the last byte
  if (last < kMaxSlabBufferBytes) [[likely]] {
    // The leading bits of `last`: below 256 the step is one line, above it a
    // quarter of the power of two. `| 256` makes both one formula.
    const auto exponent =
        static_cast<std::uint32_t>(63 - std::countl_zero(last | 256));
    return 4 * (exponent - 8) +
           static_cast<std::uint32_t>(last >> (exponent - 2));
  }
  if (last < kMaxRunBytes) {
    return static_cast<std::uint32_t>(last >> kGranuleShift) + 1 -
           kMinRunGranules + kFirstLongRunClass;
  }
  return kExtentClass;
}

// Which buffer of a slab covers a line (counted from the slab's first line,
// below 2^15). The quotient by multiplication: a division costs 25 cycles.
constexpr std::uint32_t IndexInSlab(const SizeClass& c, std::uint32_t line) {
  return static_cast<std::uint32_t>((line * c.reciprocal) >> 32);
}

// The same in a region of small units.
constexpr std::uint32_t SmallUnitClassOf(std::uint64_t bytes) {
  const std::uint32_t size_class = SizeClassOf(bytes);
  if (size_class <= kLastSharedClass) return size_class;
  const std::uint32_t small =
      size_class - kLastSharedClass - 1 + kFirstSmallUnitClass;
  if (small < kFirstRunClass) return small;
  if (bytes <= 2 * kGranuleBytes) return kFirstRunClass;
  if (bytes <= 3 * kGranuleBytes) return kFirstRunClass + 1;
  return kExtentClass;
}

// Units that an extent of `bytes` touches.
constexpr std::uint64_t ExtentUnits(std::uint64_t bytes,
                                    std::uint64_t unit_bytes) {
  return bytes / unit_bytes + (bytes % unit_bytes != 0);
}

// How long an extent is: whole units, and granules of the unit after them.
struct ExtentSize {
  std::uint32_t units = 0;
  std::uint32_t tail_granules = 0;  // below granules_per_unit

  static constexpr ExtentSize Of(std::uint64_t bytes,
                                 std::uint32_t granules_per_unit) {
    const std::uint64_t granules =
        bytes / kGranuleBytes + (bytes % kGranuleBytes != 0);
    return {static_cast<std::uint32_t>(granules / granules_per_unit),
            static_cast<std::uint32_t>(granules % granules_per_unit)};
  }
  constexpr std::uint32_t touched_units() const {
    return units + (tail_granules != 0);
  }
  constexpr std::uint32_t granules(std::uint32_t granules_per_unit) const {
    return units * granules_per_unit + tail_granules;
  }
  friend constexpr bool operator==(ExtentSize, ExtentSize) = default;
};

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_SIZE_CLASSES_H_
