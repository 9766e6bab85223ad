// The constants that two builds of zcb must agree on to share a region.
//
// Changing anything here, or the layout of any `*_word.h` / `*_header.h`,
// changes what lies in shared memory: raise kLayoutVersion in the same commit.
#ifndef ZCB_ALLOCATOR_ABI_H_
#define ZCB_ALLOCATOR_ABI_H_

#include <cstddef>
#include <cstdint>

namespace zcb::alloc {

// "zcbmeta\1" read as a little-endian word.
inline constexpr std::uint64_t kRegionMagic = 0x0161'7465'6d62'637aULL;
inline constexpr std::uint32_t kLayoutVersion = 2;

// Our own constant: the standard library's interference size depends on
// compiler flags, and a shared layout must not.
inline constexpr std::size_t kCacheLineBytes = 64;

inline constexpr std::size_t kLineShift = 6;       // what a reference counts
inline constexpr std::size_t kGranuleShift = 16;   // what has one size class
inline constexpr std::size_t kHugePageShift = 21;  // what is committed at once

// What a process owns. Small regions have small units, so that several
// processes find room in them; which of the two a region has stands in its
// geometry (Geometry::unit_bytes).
inline constexpr std::size_t kUnitShift = 21;
inline constexpr std::size_t kSmallUnitShift = 18;

inline constexpr std::size_t kLineBytes = std::size_t{1} << kLineShift;
inline constexpr std::size_t kGranuleBytes = std::size_t{1} << kGranuleShift;
inline constexpr std::size_t kHugePageBytes = std::size_t{1} << kHugePageShift;
inline constexpr std::size_t kUnitBytes = std::size_t{1} << kUnitShift;
inline constexpr std::size_t kSmallUnitBytes = std::size_t{1}
                                               << kSmallUnitShift;
inline constexpr std::size_t kLinesPerGranule = kGranuleBytes / kLineBytes;
// Of an ordinary unit: the most that a unit has.
inline constexpr std::size_t kGranulesPerUnit = kUnitBytes / kGranuleBytes;
inline constexpr std::size_t kGranulesPerSmallUnit =
    kSmallUnitBytes / kGranuleBytes;
inline constexpr std::size_t kMetaPageBytes = 4096;

// Limits and defaults of a region, in one place. Maxima are set by the width
// of a field in a shared word; defaults only by taste.
struct RegionLimits {
  static constexpr std::uint64_t kMaxRegionBytes = std::uint64_t{1} << 37;
  static constexpr std::uint64_t kMinRegionBytes = 2 * kHugePageBytes;
  // Below this a region gets small units unless the creator says otherwise.
  static constexpr std::uint64_t kMinOrdinaryBytes = 32 * kUnitBytes;
  static constexpr std::uint64_t kDefaultRegionBytes = std::uint64_t{1} << 30;
  static constexpr std::uint32_t kMaxLeases = 4096;  // 12 bits of a lease
  static constexpr std::uint32_t kDefaultLeases = 1024;
  // Committed (and collapsed to huge pages) when a region is created, at most
  // an eighth of the region.
  static constexpr std::uint64_t kDefaultPrefaultBytes = 4 * kHugePageBytes;
};
static_assert(RegionLimits::kMaxRegionBytes / kLineBytes == std::uint64_t{1}
                                                                << 31);
static_assert(kGranulesPerUnit == 32, "a unit's free map is one 32-bit word");

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_ABI_H_
