// How many free buffers a thread has at hand. Pure numbers.
#ifndef ZCB_ALLOCATOR_MAGAZINE_LIMITS_H_
#define ZCB_ALLOCATOR_MAGAZINE_LIMITS_H_

#include <algorithm>
#include <bit>
#include <cstdint>

#include "allocator/size_classes.h"

namespace zcb::alloc {

// How many buffers of a class a magazine holds: a power of two.
//
// Buffers are reused first in, first out, over a few MiB: a buffer that was
// just read by another core is then cold there before it is written here again
// (two to three times cheaper than handing out the last one back first). Large
// classes get few, because what lies in a magazine is lost to other threads.
struct MagazineLimits {
  static constexpr std::uint64_t kRotationBytes = std::uint64_t{4} << 20;
  // What AllocatorOptions::magazine_bytes may make of it.
  static constexpr std::uint64_t kLeastRotationBytes = std::uint64_t{64} << 10;
  static constexpr std::uint64_t kMostRotationBytes = std::uint64_t{16} << 20;
  static constexpr std::uint32_t kMaxCount = 256;
  static constexpr std::uint32_t kMaxLargeCount = 8;  // above 64 KiB
  static constexpr std::uint32_t kMinCount = 2;

  static constexpr std::uint32_t Of(
      std::uint32_t size_class, std::uint64_t rotation_bytes = kRotationBytes) {
    if (size_class >= kExtentClass) return 0;  // always full and always empty
    const std::uint64_t bytes = kSizeClasses[size_class].bytes();
    const std::uint64_t most =
        bytes <= kGranuleBytes ? kMaxCount : kMaxLargeCount;
    return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(
        std::bit_floor(rotation_bytes / bytes), kMinCount, most));
  }
};

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_MAGAZINE_LIMITS_H_
