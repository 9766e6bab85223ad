// What freed buffers look like when the process asks for it.
#ifndef ZCB_ALLOCATOR_POISON_H_
#define ZCB_ALLOCATOR_POISON_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "allocator/abi.h"

namespace zcb::alloc {

inline constexpr std::byte kPoison{0xdd};

inline void Poison(std::byte* buffer, std::uint64_t bytes) {
  std::memset(buffer, std::to_integer<int>(kPoison), bytes);
}

// Looks at the first line only: cheap, and where most writes after a free go.
inline bool IsPoisonIntact(const std::byte* buffer) {
  return std::all_of(buffer, buffer + kLineBytes,
                     [](std::byte byte) { return byte == kPoison; });
}

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_POISON_H_
