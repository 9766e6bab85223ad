// Which of a process's units has room for a slab: the fullest that does.
#ifndef ZCB_ALLOCATOR_ROOM_INDEX_H_
#define ZCB_ALLOCATOR_ROOM_INDEX_H_

#include <cstdint>

#include "allocator/granule_map.h"
#include "allocator/private_mapping.h"
#include "allocator/size_classes.h"

namespace zcb::alloc {

// Units in lists, one list per kind of room: {how many granules are free, the
// longest run of them, whether a slab fits that must be aligned}. Of each list
// it is known which cuts fit, so that looking one up takes the same time for
// ten units as for ten thousand: at most one step per free count that occurs.
//
// Not thread-safe: under its owner's lock. Private memory, all of it in a
// mapping, since a process that allocates nothing shall not touch any.
class RoomIndex {
 public:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};

  // For a region with that many units of that many granules.
  RoomIndex(std::uint32_t unit_count, std::uint32_t granules_per_unit);
  bool ok() const { return memory_.ok(); }

  // In front of its list: of equals, the one that was in use last is taken
  // first.
  void Insert(std::uint32_t unit, const GranuleMap& free);
  void Remove(std::uint32_t unit);

  // The unit with the fewest free granules in which GranuleMap::Find() finds
  // room for the cut, or kNone.
  std::uint32_t Find(const SizeClass& cut) const;
  // Of the units that are all free, the one that has been so for longest, or
  // kNone.
  std::uint32_t OldestEmpty() const;

 private:
  static constexpr std::uint32_t kCounts = kGranulesPerUnit + 1;
  // By free count, longest run, and "an aligned slab fits".
  using List = std::uint32_t;
  static constexpr List ListOf(std::uint32_t free_count, std::uint32_t run,
                               bool is_aligned) {
    return (free_count * kCounts + run) * 2 + is_aligned;
  }
  struct Node {
    std::uint32_t next, previous;  // in a ring
    List list;
  };
  // Zero says that there is nothing, and is what fresh memory says.
  struct Lists {
    std::uint32_t first_plus_one[kCounts * kCounts * 2];
    // Per free count: bit r is set if a list of longest run r has a unit; [1]:
    // of units in which an aligned slab fits, [0]: of the others.
    std::uint64_t runs[kCounts][2];
  };

  std::uint32_t granules_per_unit_;
  std::uint32_t aligned_granules_;  // of the slabs that must be aligned
  PrivateMapping memory_;
  Lists* lists_ = nullptr;
  Node* nodes_ = nullptr;     // behind them
  std::uint64_t counts_ = 0;  // bit c: there is a unit with c free granules
};

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_ROOM_INDEX_H_
