// The process's store of free buffers, between the threads' magazines and the
// slabs (the term is Bonwick and Adams', 2001).
#ifndef ZCB_ALLOCATOR_DEPOT_H_
#define ZCB_ALLOCATOR_DEPOT_H_

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <span>

#include "allocator/magazine_limits.h"
#include "allocator/private_mapping.h"
#include "allocator/zero_mutex.h"

namespace zcb::alloc {

// Per class, a small stack of line numbers under a lock of its own, so that
// threads which allocate and threads which free exchange buffers in batches.
// Bounded, each shelf by a count and all of them by `budget_bytes`: what does
// not fit goes on to the slabs, where emptiness shows. Private to the process;
// a lock here is never held over a system call.
//
// Large buffers need it most: theirs are slabs of a few or of one, and without
// a shelf each of a burst would be cut anew and dissolved again.
class Depot {
 public:
  explicit Depot(std::uint64_t budget_bytes);
  bool ok() const { return memory_.ok(); }

  static constexpr std::uint64_t kLargeShelfBytes = std::uint64_t{64} << 20;
  static constexpr std::uint32_t LimitOf(std::uint32_t size_class) {
    const std::uint32_t magazine = MagazineLimits::Of(size_class);
    const std::uint64_t bytes = kSizeClasses[size_class].bytes();
    return bytes <= kGranuleBytes
               ? 4 * magazine
               : static_cast<std::uint32_t>(std::max<std::uint64_t>(
                     magazine, kLargeShelfBytes / bytes));
  }

  // Moves up to out.size() buffers to `out`; how many. The last batch that
  // came goes first, in the order in which it came.
  std::uint32_t Take(std::uint32_t size_class, std::span<std::uint32_t> out);
  // Takes the front of `lines`, as far as there is room; how many.
  std::uint32_t Put(std::uint32_t size_class,
                    std::span<const std::uint32_t> lines);

  // For audits: calls visit(line) with the shelf's lock held.
  template <typename Visit>
  void ForEachLine(std::uint32_t size_class, Visit visit) {
    Shelf& shelf = shelves_[size_class];
    const std::lock_guard lock(shelf.mutex);
    const std::uint32_t* const lines = LinesOf(size_class);
    for (std::uint32_t i = 0; i < shelf.count; ++i) visit(lines[i]);
  }

 private:
  // Never constructed: it lies in a mapping, where those of classes that are
  // not used cost nothing. Trivial, and zero is what it starts with.
  struct Shelf {
    ZeroMutex mutex;
    std::uint32_t count;
  };
  // Where each shelf's lines begin, and how many there are in all.
  struct Layout {
    std::array<std::uint32_t, kExtentClass> first{};
    std::size_t total = 0;
  };
  static const Layout kLayout;

  std::uint32_t* LinesOf(std::uint32_t size_class) const {
    return lines_ + kLayout.first[size_class];
  }
  // How many of `wanted` buffers the budget allows; taken from it.
  std::uint32_t Reserve(std::uint64_t buffer_bytes, std::uint32_t wanted);

  PrivateMapping memory_;
  Shelf* shelves_ = nullptr;        // in memory_
  std::uint32_t* lines_ = nullptr;  // behind them
  // What is left of the budget. Touched once a batch.
  std::atomic<std::int64_t> room_bytes_;
};

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_DEPOT_H_
