// The only kind of pointer that is ever stored in shared memory.
#ifndef ZCB_ALLOCATOR_BUFFER_REF_H_
#define ZCB_ALLOCATOR_BUFFER_REF_H_

#include <cstdint>

#include "allocator/abi.h"

namespace zcb::alloc {

// A buffer's place in the data file, counted in 64-byte lines: 31 bits reach
// 128 GiB. A value, not a claim: whether a buffer starts there is for
// Allocator::Locate() to say.
class BufferRef {
 public:
  static constexpr std::uint32_t kMax = (std::uint32_t{1} << 31) - 1;

  constexpr BufferRef() = default;
  constexpr explicit BufferRef(std::uint32_t line) : line_(line & kMax) {}

  constexpr std::uint32_t line() const { return line_; }
  constexpr std::uint64_t offset_bytes() const {
    return std::uint64_t{line_} << kLineShift;
  }
  constexpr std::uint32_t granule() const {
    return line_ >> (kGranuleShift - kLineShift);
  }
  friend constexpr bool operator==(BufferRef, BufferRef) = default;

 private:
  std::uint32_t line_ = 0;
};
static_assert(sizeof(BufferRef) == 4);

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_BUFFER_REF_H_
