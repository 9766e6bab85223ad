// Which class serves a request for an aligned buffer. Pure numbers.
#ifndef ZCB_ALLOCATOR_ALIGNED_CLASSES_H_
#define ZCB_ALLOCATOR_ALIGNED_CLASSES_H_

#include <array>
#include <bit>
#include <cstdint>

#include "allocator/abi.h"
#include "allocator/size_classes.h"

namespace zcb::alloc {

inline constexpr std::uint64_t kMaxAlignmentBytes = kUnitBytes;

// True if every buffer of the class begins at a multiple of the alignment: the
// slab does, and so does one buffer behind the other.
constexpr bool IsAligned(const SizeClass& c, std::uint64_t alignment_bytes) {
  const std::uint64_t slab_bytes =
      c.is_run() ? kGranuleBytes : c.granules * kGranuleBytes;
  return c.bytes() % alignment_bytes == 0 && slab_bytes % alignment_bytes == 0;
}

namespace internal {

inline constexpr std::uint32_t kAlignmentCount =
    std::countr_zero(kMaxAlignmentBytes) - std::countr_zero(kLineBytes) + 1;

// By alignment, from 64 bytes on, and by the class that is big enough: the
// smallest class that is aligned as well.
using AlignedClassTable =
    std::array<std::array<std::uint8_t, kClassCount>, kAlignmentCount>;

consteval AlignedClassTable MakeAlignedClasses(bool small_units) {
  AlignedClassTable table{};
  for (std::uint32_t a = 0; a < kAlignmentCount; ++a) {
    std::uint32_t found = kExtentClass;
    table[a][kExtentClass] = static_cast<std::uint8_t>(found);
    for (std::uint32_t id = kExtentClass; id-- > 0;) {
      // The other kind of unit has no slabs of this class.
      const bool is_small =
          id >= kFirstSmallUnitClass && id < kFirstLongRunClass;
      if (id > kLastSharedClass && is_small != small_units) continue;
      if (IsAligned(kSizeClasses[id], kLineBytes << a)) found = id;
      table[a][id] = static_cast<std::uint8_t>(found);
    }
  }
  return table;
}

inline constexpr AlignedClassTable kAlignedClasses = MakeAlignedClasses(false);
inline constexpr AlignedClassTable kSmallUnitAlignedClasses =
    MakeAlignedClasses(true);

}  // namespace internal

// The class for a request; kExtentClass: whole units, which begin at multiples
// of their size. The alignment is a power of two from 64 bytes to
// kMaxAlignmentBytes.
constexpr std::uint32_t AlignedClassOf(std::uint64_t bytes,
                                       std::uint64_t alignment_bytes,
                                       bool small_units) {
  const auto row = static_cast<std::uint32_t>(
      std::countr_zero(alignment_bytes) - std::countr_zero(kLineBytes));
  return small_units
             ? internal::kSmallUnitAlignedClasses[row][SmallUnitClassOf(bytes)]
             : internal::kAlignedClasses[row][SizeClassOf(bytes)];
}

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_ALIGNED_CLASSES_H_
