// Where a process has set its lease into words of other processes' memory.
#ifndef ZCB_ALLOCATOR_TOUCHED_MAP_H_
#define ZCB_ALLOCATOR_TOUCHED_MAP_H_

#include <atomic>
#include <bit>
#include <cstdint>

#include "allocator/lease_word.h"
#include "allocator/private_mapping.h"
#include "allocator/shared_tables.h"
#include "allocator/status.h"

namespace zcb::alloc {

// A bit per granule, in shared memory, for whoever reaps us: a buffer that we
// took out of somebody else's unit is found by it. Bits are never taken back
// while we live: one too many costs a reaper a look. Our first bit clears what
// the slot's last process left.
//
// word                written by   read by          edge
// map word            its process  its reapers      lease.death
// touched_generation  its process  its reapers      touched.begin
//
// Thread-safe. Death: a bit is there before the word that it is for.
class TouchedMap {
 public:
  TouchedMap(const SharedTables& shared, LeaseId lease);
  bool ok() const { return known_memory_.ok(); }

  // Before our lease goes into a word of that granule. kNoMemory: the file
  // system is full. One load when the bit is there already.
  Outcome Add(std::uint32_t granule) {
    // acquire <- touched.add: another thread's bit, before our word.
    if (known_[granule].load(std::memory_order_acquire) != 0) [[likely]] {
      return {};
    }
    return AddSlow(granule);
  }

  // Whether this object has set any bit.
  bool is_used() const {
    // relaxed: for whoever is alone with it, or wants a hint
    return is_used_.load(std::memory_order_relaxed);
  }
  // Every granule that this object has added.
  template <typename Visit>
  void ForEachKnown(Visit visit) const {
    if (!is_used()) return;
    for (std::uint32_t g = 0; g < shared_.granule_count(); ++g) {
      // relaxed: for whoever is alone with it, or counts for people
      if (known_[g].load(std::memory_order_relaxed) != 0) visit(g);
    }
  }
  // Every granule that the map of a lease names. False: the map is out of reach
  // for want of memory.
  template <typename Visit>
  static bool ForEachOf(const SharedTables& shared, LeaseId lease,
                        Visit visit) {
    const Result<const SharedTables::Word*> found = Find(shared, lease);
    if (!found) return false;
    const SharedTables::Word* const map = *found;
    if (map == nullptr) return true;
    for (std::uint32_t first = 0; first < shared.granule_count(); first += 64) {
      // relaxed: lease.death orders the dead one's stores before
      std::uint64_t bits = map[first / 64].load(std::memory_order_relaxed);
      for (; bits != 0; bits &= bits - 1) {
        const std::uint32_t granule =
            first + static_cast<std::uint32_t>(std::countr_zero(bits));
        if (granule < shared.granule_count()) visit(granule);
      }
    }
    return true;
  }

 private:
  Outcome AddSlow(std::uint32_t granule);
  // nullptr: that lease has not used its map.
  static Result<const SharedTables::Word*> Find(const SharedTables& shared,
                                                LeaseId lease);

  const SharedTables& shared_;
  LeaseId lease_;
  PrivateMapping known_memory_;
  std::atomic<std::uint8_t>* known_ = nullptr;  // by granule
  std::atomic<bool> is_used_{false};
};

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_TOUCHED_MAP_H_
