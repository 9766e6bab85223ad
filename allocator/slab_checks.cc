// What must be true of SlabTable's books whenever nobody is changing them.
#include <bit>

#include "allocator/paranoid.h"
#include "allocator/slab.h"

namespace zcb::alloc {

// One slab: its map and its codes. Not its granule words: they are shared, and
// what others scribble there is no fault of these books.
bool SlabTable::IsSlabConsistent(const SlabShape& slab) const {
  const SizeClass& cut = slab.cut();
  std::uint32_t free_count = 0;
  for (std::uint32_t w = 0; w < kMapWords; ++w) {
    for (std::uint64_t bits = map(slab.head)[w]; bits != 0; bits &= bits - 1) {
      const std::uint32_t index =
          w * 64 + static_cast<std::uint32_t>(std::countr_zero(bits));
      ++free_count;
      if (index >= cut.count) return false;
      // relaxed: what is in the map is under the lock
      const BufferState state =
          tables_.state(slab.first_line() + index * cut.lines)
              .load(std::memory_order_relaxed);
      if (state != BufferState::kCached && state != BufferState::kPoisoned) {
        return false;
      }
    }
  }
  if (free_count != slabs_[slab.head].free_count) return false;
  for (std::uint32_t g = 0; g < cut.granules; ++g) {
    const bool interior = cut.is_run() && g > 0;
    // relaxed: written under the lock
    if (tables_.code(slab.head + g).load(std::memory_order_relaxed) !=
        (interior ? kInteriorCode : CodeOf(slab.size_class))) {
      return false;
    }
  }
  return true;
}

// The two rings, linked both ways, and the counts.
bool SlabTable::IsClassConsistent(const ClassState& state,
                                  std::uint32_t size_class,
                                  std::uint32_t most_slabs) const {
  std::uint32_t with_free = 0;
  std::uint32_t empty = 0;
  std::uint32_t seen = 0;
  bool cursor_found = !state.cursor;
  if (state.first) {
    std::uint32_t head = *state.first;
    do {
      if (seen++ == most_slabs) return true;  // so far
      if (head >= shared_.granule_count()) return false;
      const Slab& entry = slabs_[head];
      if (entry.next >= shared_.granule_count() ||
          slabs_[entry.next].previous != head ||
          !IsSlabConsistent({size_class, head})) {
        return false;
      }
      with_free += entry.free_count != 0;
      empty += entry.free_count == kSizeClasses[size_class].count;
      cursor_found = cursor_found || state.cursor.Is(head);
      head = entry.next;
    } while (!state.first.Is(head));
  }
  std::uint32_t in_free_ring = 0;
  if (state.first_free) {
    std::uint32_t head = *state.first_free;
    do {
      if (head >= shared_.granule_count() || in_free_ring++ == with_free) {
        return false;
      }
      const Slab& entry = slabs_[head];
      if (entry.free_count == 0 || entry.next_free >= shared_.granule_count() ||
          slabs_[entry.next_free].previous_free != head) {
        return false;
      }
      head = entry.next_free;
    } while (!state.first_free.Is(head));
  }
  return cursor_found && in_free_ring == with_free &&
         empty == state.empty_count;
}

void SlabTable::CheckClass(const ClassState& state,
                           std::uint32_t size_class) const {
  ZCB_INVARIANT(IsClassConsistent(state, size_class, kParanoidSlabs));
  ZCB_INVARIANT(units_.IsConsistent());  // its lock may be taken under ours
}

bool SlabTable::IsConsistent(std::uint32_t size_class,
                             std::uint32_t most_slabs) {
  ClassState& state = classes_[size_class];
  const std::lock_guard lock(state.mutex);
  return IsClassConsistent(state, size_class, most_slabs);
}

}  // namespace zcb::alloc
