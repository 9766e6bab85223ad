// The units that this process owns, and how they come and go.
#ifndef ZCB_ALLOCATOR_UNIT_TABLE_H_
#define ZCB_ALLOCATOR_UNIT_TABLE_H_

#include <cstdint>
#include <mutex>
#include <optional>

#include "allocator/allocator_options.h"
#include "allocator/granule_map.h"
#include "allocator/lease_word.h"
#include "allocator/private_mapping.h"
#include "allocator/shared_tables.h"
#include "allocator/status.h"
#include "allocator/unit_word.h"

namespace zcb::alloc {

// A unit that has just become ours by compare-and-swap. Nothing else knows of
// it yet: Insert() or Abandon() comes next.
struct ClaimedUnit {
  std::uint32_t index = 0;
  UnitWord word;               // Owned, exactly as it stands
  bool was_abandoned = false;  // full of somebody's slabs: see adoption.h
};

// Thread-safe. Granules are taken from the fullest unit that has room, so that
// whole units become free again; one of those is kept, the others go back to
// the region.
//
// word       transition here                           edge
// unit word  Free, Abandoned -> Owned{epoch+1, me}     unit.claim
//            Owned -> Free, Owned -> Abandoned         unit.release
//
// Death: the words name our lease; reapers turn them to Abandoned.
class UnitTable {
 public:
  UnitTable(const SharedTables& shared, LeaseId lease,
            const AllocatorOptions& options);
  bool ok() const { return states_memory_.ok(); }

  // Room for a slab in units that we have; the first granule.
  std::optional<std::uint32_t> TakeGranules(const SizeClass& cut);
  void GiveGranules(std::uint32_t first, std::uint32_t granules);
  // The first granules of a unit, for an extent's tail. False: not a unit of
  // ours, or they are not free.
  bool HasFirstGranules(std::uint32_t unit, std::uint32_t granules);
  bool TakeFirstGranules(std::uint32_t unit, std::uint32_t granules);

  // One more unit: an Abandoned one if there is any, else a Free one, already
  // committed if there is any. kNoMemory: neither, or no memory behind it.
  // May call the kernel.
  enum class Want : std::uint8_t { kAny, kAbandonedOnly };
  Result<ClaimedUnit> Claim(Want want);
  void Insert(const ClaimedUnit& unit, GranuleMap free);
  void Abandon(const ClaimedUnit& unit);

  // Gives back every unit whose granules are all free; how many.
  std::uint32_t ReturnFreeUnits();
  // The end: all-free units go back, the others become Abandoned.
  void LeaveAll();
  std::uint32_t owned_count();

 private:
  struct State {
    UnitWord word;
    GranuleMap free;
    std::uint32_t position;  // in owned_
  };
  bool IsSpare(const State& state) const {
    return state.free.IsAllFree(shared_.granules_per_unit());
  }
  std::optional<ClaimedUnit> TryClaim(std::uint32_t unit, UnitWord seen);
  void Remove(std::uint32_t unit, UnitWord next);

  SharedTables shared_;
  LeaseId lease_;
  AllocatorOptions options_;
  PrivateMapping states_memory_;
  PrivateMapping owned_memory_;
  std::mutex mutex_;  // guards all below; never held over a system call
  State* states_ = nullptr;
  std::uint32_t* owned_ = nullptr;
  std::uint32_t owned_count_ = 0;
  std::uint32_t spare_count_ = 0;  // all granules free
};

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_UNIT_TABLE_H_
