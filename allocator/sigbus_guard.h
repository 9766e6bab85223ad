// Survives that somebody cuts a region's files under this process.
#ifndef ZCB_ALLOCATOR_SIGBUS_GUARD_H_
#define ZCB_ALLOCATOR_SIGBUS_GUARD_H_

#include <cstddef>
#include <cstdint>

#include "allocator/damage_mark.h"
#include "allocator/region_files.h"
#include "allocator/status.h"

namespace zcb::alloc {

// Touching a page of a mapping that the file no longer has raises SIGBUS, which
// ends the process. With this guard a handler puts zeroed private memory there,
// sets the region's mark, and the instruction goes on: it reads zeros, or
// writes what nobody else will see. Whoever made it looks at the mark.
//
// The handler acts on mappings that were added, and on faults alone. Everything
// else (other addresses, memory errors of the machine, kill(2)) it hands on to
// what handled SIGBUS before, as the kernel would have. A program may install
// another handler afterwards; then ours runs if that one hands on.
//
// Async-signal-safe: no lock, no allocation; fstat(2), mmap(2). A thread that
// blocks SIGBUS is killed by a fault all the same: the kernel does that.
class SigbusGuard {
 public:
  struct Range {
    const std::byte* base = nullptr;
    std::uint64_t length_bytes = 0;
    std::uint64_t page_bytes = 4096;  // of the mapping's file system
    int fd = -1;                      // of the file that is mapped, and
    FileId id;                        // which one that is
    DamageMark* mark = nullptr;
  };

  // Installs the handler, once per process. kNoResources: sigaction(2) fails.
  // Not from two threads at once (Region::Open() holds a lock).
  static Outcome Install();
  // Guards a mapping until Remove(), which comes before munmap(2). False: too
  // many. Any thread.
  static bool Add(const Range& range);
  static void Remove(const std::byte* base);

  static constexpr std::size_t kMostRanges = 256;  // two per region
};

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_SIGBUS_GUARD_H_
