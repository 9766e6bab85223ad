// What a process has resident, by what it is.
#ifndef ZCB_BENCH_GROWTH_MEMORY_MAP_H_
#define ZCB_BENCH_GROWTH_MEMORY_MAP_H_

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <cstdint>

namespace zcb::bench {

enum class MemoryKind : std::uint8_t {
  kRegionData,
  kRegionMeta,
  kHeap,   // and what malloc has mapped
  kStack,  // of the first thread
  kFiles,  // code and constants
};
inline constexpr std::size_t kMemoryKinds = 5;

struct MemoryUse {
  std::int64_t resident = 0;
  std::int64_t proportional = 0;  // a page of n processes is an nth of one
  std::int64_t own = 0;           // pages that no other process has

  MemoryUse& operator+=(const MemoryUse& other);
  MemoryUse operator-(const MemoryUse& other) const;
};

// Bytes.
struct MemoryMap {
  std::array<MemoryUse, kMemoryKinds> by_kind;
  std::int64_t page_tables = 0;

  MemoryUse& of(MemoryKind kind) {
    return by_kind[static_cast<std::size_t>(kind)];
  }
  MemoryUse Sum() const;
};

// From the kernel's books about another process; throws Failed.
MemoryMap ReadMemoryMap(pid_t pid);

MemoryMap operator-(const MemoryMap& after, const MemoryMap& before);

}  // namespace zcb::bench

#endif  // ZCB_BENCH_GROWTH_MEMORY_MAP_H_
