// What an extent has beyond its whole units: the first granules of the next.
#ifndef ZCB_ALLOCATOR_EXTENT_TAIL_H_
#define ZCB_ALLOCATOR_EXTENT_TAIL_H_

#include <cstdint>
#include <mutex>

#include "allocator/private_mapping.h"
#include "allocator/shared_tables.h"
#include "allocator/size_classes.h"
#include "allocator/unit_table.h"

namespace zcb::alloc {

// An extent of L units and k granules does not take unit L+1 for itself. That
// is an ordinary unit of the same process, with slabs and runs behind the tail:
//
//     unit H          H+1..          unit T = H+L
//   | ExtentHead, L | Member, 1.. | Owned                               |
//   | word: extent, k, L          | tail 0 | .. | tail k-1 | slabs, runs |
//
// The words of a tail are written before the head commits and cleared after it
// has gone. So they prove nothing: a tail is in use exactly as long as T-L is
// a head whose length is L and whose granule word says {k, L}. No other extent
// can look like it: who makes one there must own T, and have its granules.
struct ExtentTail {
  std::uint32_t unit = 0;
  ExtentSize size;  // of the extent

  bool exists() const { return size.tail_granules != 0; }
};

// Both by the owner of the unit.
void WriteTail(const SharedTables& shared, const ExtentTail& tail);
void ClearTail(const SharedTables& shared, const ExtentTail& tail);

// The tail in use at the start of a unit, if there is one. The words may be
// anybody's work.
ExtentTail TailInUseAt(const SharedTables& shared, std::uint32_t unit);
bool IsTailInUse(const SharedTables& shared, const ExtentTail& tail);

// Tails in units that this process has adopted: their extents outlived the
// unit's owner and go without telling anybody. Thread-safe.
//
// Death: the units become Abandoned, and their next owner looks again.
class WaitingTails {
 public:
  WaitingTails(const SharedTables& shared, UnitTable& units);
  bool ok() const { return tails_memory_.ok(); }

  // `tail`: in a unit in the unit table, where its granules are not free.
  void Add(const ExtentTail& tail);
  // Gives the unit table every tail whose extent has gone; how many.
  std::uint32_t Collect();

 private:
  const SharedTables& shared_;
  UnitTable& units_;
  PrivateMapping tails_memory_;
  std::mutex mutex_;  // guards all below; held over nothing else
  ExtentTail* tails_ = nullptr;
  std::uint32_t count_ = 0;
};

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_EXTENT_TAIL_H_
