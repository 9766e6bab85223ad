// The process's store of free buffers, between the threads' magazines and the
// slabs (the term is Bonwick and Adams', 2001).
#ifndef ZCB_ALLOCATOR_DEPOT_H_
#define ZCB_ALLOCATOR_DEPOT_H_

#include <array>
#include <cstdint>
#include <mutex>
#include <span>

#include "allocator/magazine.h"
#include "allocator/private_mapping.h"

namespace zcb::alloc {

// Per class, a small stack of line numbers under a lock of its own, so that
// threads which allocate and threads which free exchange buffers in batches.
// Bounded: what does not fit goes on to the slabs, where emptiness shows.
// Private to the process; a lock here is never held over a system call.
class Depot {
 public:
  Depot();
  bool ok() const { return lines_.ok(); }

  static constexpr std::uint32_t LimitOf(std::uint32_t size_class) {
    const std::uint32_t magazine = MagazineLimits::Of(size_class);
    return magazine > MagazineLimits::kMaxLargeCount ? 4 * magazine : magazine;
  }

  // Moves up to out.size() buffers to `out`; how many. The last batch that
  // came goes first, in the order in which it came.
  std::uint32_t Take(std::uint32_t size_class, std::span<std::uint32_t> out);
  // Takes the front of `lines`, as far as there is room; how many.
  std::uint32_t Put(std::uint32_t size_class,
                    std::span<const std::uint32_t> lines);

 private:
  struct Shelf {
    std::mutex mutex;
    std::uint32_t count = 0;
    std::uint32_t* lines = nullptr;
  };
  PrivateMapping lines_;
  std::array<Shelf, kExtentClass> shelves_;
};

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_DEPOT_H_
