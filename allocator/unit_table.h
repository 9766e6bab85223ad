// The units that this process owns, and how they come and go.
#ifndef ZCB_ALLOCATOR_UNIT_TABLE_H_
#define ZCB_ALLOCATOR_UNIT_TABLE_H_

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>

#include "allocator/allocator_options.h"
#include "allocator/granule_map.h"
#include "allocator/idle_memory.h"
#include "allocator/lease_word.h"
#include "allocator/private_mapping.h"
#include "allocator/private_tables.h"
#include "allocator/room_index.h"
#include "allocator/shared_tables.h"
#include "allocator/status.h"
#include "allocator/unit_claimer.h"
#include "allocator/unit_ledger.h"
#include "allocator/unit_word.h"

namespace zcb::alloc {

// Thread-safe. Granules are taken from the fullest unit that has room, so that
// whole units become free again.
//
// Spares: some of the units without a slab stay with the process, or a working
// set that swings would claim and give back units all the time. As many as
// AllocatorOptions::SpareBytesIn() says, but never more than a quarter of what
// is free in the region. Those that were not needed while several times that
// much memory went through the magazines (no clock is read) go back by halves.
// And when another process has found no unit, all of them go back at our next
// visit to the slabs; a stopped process does not, and nobody waits for it.
//
// Death: the words name our lease; reapers turn them to Abandoned.
class UnitTable {
 public:
  UnitTable(const SharedTables& shared, LeaseId lease,
            const AllocatorOptions& options);
  bool ok() const {
    return states_memory_.ok() && owned_memory_.ok() && room_.ok() &&
           idle_.ok();
  }

  // Room for a slab in units that we have; the first granule.
  std::optional<std::uint32_t> TakeGranules(const SizeClass& cut);
  void GiveGranules(std::uint32_t first, std::uint32_t granules);
  // The first granules of a unit, for an extent's tail. False: not a unit of
  // ours, or they are not free.
  bool HasFirstGranules(std::uint32_t unit, std::uint32_t granules);
  bool TakeFirstGranules(std::uint32_t unit, std::uint32_t granules);

  // The rest of a unit that was inserted without it, for the caller to use:
  // even if all of the unit is free now, it does not go back at once.
  void GiveRest(std::uint32_t unit, const GranuleMap& rest);

  // One more unit: see UnitClaimer. Insert() or Abandon() comes next.
  using Want = UnitClaimer::Want;
  Result<ClaimedUnit> Claim(Want want) { return claimer_.Claim(want); }
  void Insert(const ClaimedUnit& unit, GranuleMap free);
  void Abandon(const ClaimedUnit& unit);

  // Tells that `bytes` of buffers went into or out of magazines: the clock by
  // which spares grow old. Touches nothing shared. True: it is time to
  // Settle().
  bool NoteTraffic(std::uint64_t bytes);
  // True, once, if a process has found no unit since we last looked: whatever
  // we only keep is to go back.
  bool HearsPressure();
  // Gives back what has grown old: spares to the region, idle memory to the
  // system (which is the only call to the kernel). Under no lock.
  void Settle();
  // Nothing was found for us, though others may keep some: asks them.
  void AskOthers();

  // Gives back every unit whose granules are all free; how many.
  std::uint32_t ReturnFreeUnits();
  // The end: all-free units go back, the others become Abandoned.
  void LeaveAll();
  std::uint32_t owned_count();
  // Whether the private books say that we own it, or use any of it. A shared
  // word that offers such a unit was forged.
  bool IsInUse(std::uint32_t unit, const PrivateTables& tables);

  // For extents, whose units are claimed elsewhere.
  UnitLedger& ledger() { return ledger_; }
  const NumaPlacement& placement() const { return claimer_.placement(); }
  IdleMemory& idle() { return idle_; }
  // For audits and paranoid builds: whether lists and counts agree.
  bool IsConsistent();
  // For audits: calls visit(unit, its word, its free granules), locked.
  template <typename Visit>
  void ForEachOwned(Visit visit) {
    const std::lock_guard lock(mutex_);
    for (std::uint32_t i = 0; i < owned_count_; ++i) {
      visit(owned_[i], states_[owned_[i]].word, states_[owned_[i]].free);
    }
  }

 private:
  struct State {
    UnitWord word;
    GranuleMap free;
    std::uint32_t position;  // in owned_
  };
  bool IsSpare(const State& state) const {
    return state.free.IsAllFree(shared_.granules_per_unit());
  }
  // With the lock held.
  void Remove(std::uint32_t unit, UnitWord next);
  std::uint32_t ReturnSpares(std::uint32_t kept);

  // When so many units are free, ours among them.
  std::uint32_t SpareLimit(std::uint32_t free_units) const;
  std::uint64_t PeriodBytes() const;  // with the lock held
  void EndPeriod(std::uint64_t now);

  const SharedTables& shared_;
  const AllocatorOptions options_;
  UnitLedger ledger_;
  UnitClaimer claimer_;
  IdleMemory idle_;
  PrivateMapping states_memory_;
  PrivateMapping owned_memory_;
  std::mutex mutex_;  // guards all to the next rule; never over a system call
  RoomIndex room_;
  State* states_ = nullptr;
  std::uint32_t* owned_ = nullptr;
  std::uint32_t owned_count_ = 0;
  std::uint32_t spare_count_ = 0;  // all granules free
  std::uint32_t spare_limit_ = 0;
  std::uint32_t least_spares_ = 0;  // of this period: so many were not needed
  // ---
  // Lossy: two threads that add at once count once.
  std::atomic<std::uint64_t> traffic_bytes_{0};
  std::atomic<std::uint32_t> pressure_seen_;
  std::atomic<std::uint64_t> next_settle_bytes_;
  std::atomic<std::uint64_t> period_end_bytes_;
  std::atomic<std::uint64_t> next_look_units_;  // of ledger_.returned_units()
};

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_UNIT_TABLE_H_
