// How an extent's unit words change, step by step: what its owner does, and
// what anybody may finish or undo after the owner's death. Of tails
// (extent_tail.h) they know no more than that their unit stays somebody's.
#ifndef ZCB_ALLOCATOR_EXTENT_WORDS_H_
#define ZCB_ALLOCATOR_EXTENT_WORDS_H_

#include <cstdint>
#include <optional>

#include "allocator/lease_word.h"
#include "allocator/shared_tables.h"
#include "allocator/unit_word.h"

namespace zcb::alloc {

//   make   each unit, ascending: Free -> Reserved{me,n}   (conflict: undone)
//          the unit for the tail, if it is a new one: Reserved -> Owned{me}
//          members: Reserved -> Member{distance}; the head last
//          Reserved -> ExtentHead{me,n}: from here on it is an extent
//   free   head: ExtentHead or OrphanHead -> Freeing{me,n}: one frees it
//          members, descending, -> Free; the head last, -> Free
//   orphan head: ExtentHead{dead} -> OrphanHead: frees itself when its buffer
//          comes back
//
// word       transition               edge
// unit word  Reserved -> ExtentHead   unit.claim
//            Reserved -> Owned        unit.claim
//            -> Free                  unit.release
//            -> OrphanHead            extent.orphan
class ExtentWords {
 public:
  explicit ExtentWords(const SharedTables& shared) : shared_(shared) {}

  // Reserves `units` adjacent units. False: one is not free, and none is
  // reserved.
  bool ReserveAt(LeaseId lease, std::uint32_t first, std::uint32_t units);
  // Undoes our own reservation.
  void Unreserve(LeaseId lease, std::uint32_t first, std::uint32_t units);
  // The last of our reserved units becomes the one for the tail, as it stands
  // then: Reserved -> Owned. Its granule words are written. nullopt: we were
  // taken for dead.
  std::optional<UnitWord> OwnTailUnit(LeaseId lease, std::uint32_t unit);
  // Reserved -> Member..., ExtentHead. The head as it stands then.
  UnitWord Complete(LeaseId lease, std::uint32_t first, std::uint32_t units);

  // Frees the extent whose head is exactly `head` (a head word, read or known).
  // False: somebody else does, or did.
  bool Free(LeaseId lease, std::uint32_t first, UnitWord head);
  // Finishes what a Freeing word promises. By any number of processes at once.
  void FinishFreeing(std::uint32_t first, UnitWord freeing);

  // ExtentHead -> OrphanHead, from exactly `head`; then frees the extent if
  // its buffer has come back. False: the head was no longer that.
  bool MakeOrphan(LeaseId lease, std::uint32_t first, UnitWord head);
  // For whoever turned the buffer's word Free (or found it so): frees the
  // extent if it is an orphan. False: it has an owner, who is to be told.
  bool FreeIfOrphan(LeaseId lease, std::uint32_t first);
  // Frees every orphan whose buffer is back: somebody who turned its word Free
  // may have died before FreeIfOrphan. Slow; how many.
  std::uint32_t FreeReturnedOrphans(LeaseId lease);

 private:
  // The head's length, if that many units are there at all.
  bool IsLengthPossible(std::uint32_t first, UnitWord head) const;

  const SharedTables& shared_;
};

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_EXTENT_WORDS_H_
