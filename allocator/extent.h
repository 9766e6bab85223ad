// Buffers of a unit and more: above the largest run.
#ifndef ZCB_ALLOCATOR_EXTENT_H_
#define ZCB_ALLOCATOR_EXTENT_H_

#include <cstdint>
#include <mutex>
#include <optional>

#include "allocator/buffer_ref.h"
#include "allocator/extent_site.h"
#include "allocator/extent_tail.h"
#include "allocator/extent_words.h"
#include "allocator/lease_word.h"
#include "allocator/private_mapping.h"
#include "allocator/private_tables.h"
#include "allocator/shared_tables.h"
#include "allocator/size_classes.h"
#include "allocator/slab.h"
#include "allocator/status.h"
#include "allocator/unit_table.h"
#include "allocator/unit_word.h"

namespace zcb::alloc {

// The extents of this process. Thread-safe. An extent is not cached: it costs
// a few compare-and-swaps, little against touching its memory.
//
// Death: unit words name our lease at every step; see extent_words.h. The unit
// with the tail is ours before there is a head, and stays ours after it.
class ExtentTable {
 public:
  ExtentTable(const SharedTables& shared, const PrivateTables& tables,
              UnitTable& units, LeaseId lease);
  bool ok() const {
    return states_memory_.ok() && owned_memory_.ok() && waiting_.ok();
  }

  // A live buffer of that size. kNoMemory: not so many units in a
  // row, no memory behind them, or over the quota. May call the kernel.
  Result<BufferRef> Alloc(ExtentSize size);
  // Ours, kCached, and nobody else's: gives the units back.
  void Free(std::uint32_t first_line);
  // Frees what has come back, tails too; how many.
  std::uint32_t Collect();
  // The end: live ones are freed, those that are out become orphans.
  void LeaveAll();

  // Gives the unit table what lies behind our tails; how many units got room.
  // Until then a tail's unit holds nothing else and goes when the extent goes:
  // slabs that outlive it would cut the room for the next extents to pieces. So
  // this is for when there is no free unit any more.
  std::uint32_t ReleaseRests();

  // The tail of somebody's extent, in a unit of ours: free when that is gone.
  void AwaitTail(const ExtentTail& tail) { waiting_.Add(tail); }

  // No units: not an extent of ours.
  ExtentSize SizeOf(std::uint32_t first_line);
  BufferCounts Count(std::uint64_t* units);

  // For audits and paranoid builds: whether the lists agree.
  bool IsConsistent();
  // For audits: calls visit(first unit, its word), locked.
  template <typename Visit>
  void ForEachOwned(Visit visit) {
    const std::lock_guard lock(mutex_);
    for (std::uint32_t i = 0; i < owned_count_; ++i) {
      visit(owned_[i], states_[owned_[i]].head);
    }
  }

 private:
  struct State {
    UnitWord head;
    ExtentSize size;
    std::uint32_t position;  // in owned_
    bool has_rest;           // of the tail's unit: nobody else has it yet
  };
  static ExtentTail TailOf(std::uint32_t unit, ExtentSize size) {
    return {unit + size.units, size};
  }
  std::optional<ExtentSite> Reserve(ExtentSize size);
  bool UnreserveIfOurs(const ExtentSite& site, ExtentSize size);
  void Unreserve(const ExtentSite& site, ExtentSize size);
  Outcome Commit(const ExtentSite& site, ExtentSize size) const;
  // The tail's words, in a unit that is ours then. False: we were taken for
  // dead.
  bool MakeTail(const ExtentSite& site, ExtentSize size);
  void ReturnTail(const ExtentTail& tail, bool with_rest);
  void SetCodes(std::uint32_t unit, ExtentSize size, GranuleCode head,
                GranuleCode interior);
  // With the lock held: no longer in our tables; what it was.
  State Forget(std::uint32_t unit);
  void FreeForgotten(std::uint32_t unit, const State& state);

  const SharedTables& shared_;
  const PrivateTables& tables_;
  UnitTable& units_;  // its ledger counts ours too
  ExtentWords words_;
  WaitingTails waiting_;
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
