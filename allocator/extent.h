// Buffers of whole units: above the largest run.
#ifndef ZCB_ALLOCATOR_EXTENT_H_
#define ZCB_ALLOCATOR_EXTENT_H_

#include <cstdint>
#include <mutex>

#include "allocator/buffer_place.h"
#include "allocator/extent_words.h"
#include "allocator/lease_word.h"
#include "allocator/private_mapping.h"
#include "allocator/private_tables.h"
#include "allocator/slab.h"
#include "allocator/status.h"
#include "allocator/unit_table.h"

namespace zcb::alloc {

// The extents of this process. Thread-safe. An extent is not cached: it costs
// a few compare-and-swaps, little against touching its memory.
//
// Death: unit words name our lease at every step; see extent_words.h.
class ExtentTable {
 public:
  ExtentTable(const SharedTables& shared, const PrivateTables& tables,
              UnitTable& units, LeaseId lease);
  bool ok() const { return states_memory_.ok(); }

  // A live buffer of at least `units` units. kNoMemory: not so many in a row,
  // no memory behind them, or over the quota. May call the kernel.
  Result<BufferRef> Alloc(std::uint32_t units);
  // Ours, kCached, and nobody else's: gives the units back.
  void Free(std::uint32_t first_line);
  // Frees what has come back; how many extents.
  std::uint32_t Collect();
  // The end: live ones are freed, those that are out become orphans.
  void LeaveAll();

  std::uint32_t UnitsOf(std::uint32_t first_line);
  BufferCounts Count(std::uint64_t* units);

 private:
  struct State {
    UnitWord head;
    std::uint32_t units;
    std::uint32_t position;  // in owned_
  };
  void SetCodes(std::uint32_t unit, std::uint32_t units, GranuleCode head,
                GranuleCode interior);
  // The units of an extent that Forget() has taken out: free for anybody.
  void GiveBack(std::uint32_t unit, UnitWord head);
  // With the lock held: no longer in our tables; its head word.
  UnitWord Forget(std::uint32_t unit);

  SharedTables shared_;
  const PrivateTables& tables_;
  UnitTable& units_;  // its ledger counts ours too
  ExtentWords words_;
  LeaseId lease_;
  PrivateMapping states_memory_;
  PrivateMapping owned_memory_;
  std::mutex mutex_;         // guards all below; never held over a system call
  State* states_ = nullptr;  // by first unit
  std::uint32_t* owned_ = nullptr;
  std::uint32_t owned_count_ = 0;
};

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_EXTENT_H_
