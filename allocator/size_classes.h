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
// 44..70    runs of 5..31 granules              the run: one buffer
// 71        extents: whole units                none; see extent.h
inline constexpr std::uint32_t kSlabClassCount = 44;
inline constexpr std::uint32_t kFirstRunClass = kSlabClassCount;
inline constexpr std::uint32_t kMinRunGranules = 5;
inline constexpr std::uint32_t kMaxRunGranules = 31;
inline constexpr std::uint32_t kExtentClass =
    kFirstRunClass + kMaxRunGranules - kMinRunGranules + 1;
inline constexpr std::uint32_t kClassCount = kExtentClass + 1;
inline constexpr std::uint64_t kMaxSlabBufferBytes = 256 * 1024;
inline constexpr std::uint64_t kMaxRunBytes =
    std::uint64_t{kMaxRunGranules} * kGranuleBytes;
static_assert(kExtentClass == 71);

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

consteval std::array<SizeClass, kExtentClass> MakeSizeClasses() {
  std::array<SizeClass, kExtentClass> table{};
  for (std::uint32_t id = 0; id < kExtentClass; ++id) {
    SizeClass& c = table[id];
    if (id < 4) {
      c.lines = id + 1;
    } else if (id < kSlabClassCount) {
      c.lines = (5 + (id - 4) % 4) << ((id - 4) / 4);
    } else {
      c.granules = id - kFirstRunClass + kMinRunGranules;
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
           kMinRunGranules + kFirstRunClass;
  }
  return kExtentClass;
}

// Which buffer of a slab covers a line (counted from the slab's first line,
// below 2^15). The quotient by multiplication: a division costs 25 cycles.
constexpr std::uint32_t IndexInSlab(const SizeClass& c, std::uint32_t line) {
  return static_cast<std::uint32_t>((line * c.reciprocal) >> 32);
}

// Units of an extent that holds `bytes` (at least one).
constexpr std::uint64_t ExtentUnits(std::uint64_t bytes) {
  return bytes / kUnitBytes + (bytes % kUnitBytes != 0);
}

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_SIZE_CLASSES_H_
