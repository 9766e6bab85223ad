// Taking a unit of the region into possession.
#ifndef ZCB_ALLOCATOR_UNIT_CLAIMER_H_
#define ZCB_ALLOCATOR_UNIT_CLAIMER_H_

#include <atomic>
#include <cstdint>
#include <optional>

#include "allocator/lease_word.h"
#include "allocator/numa.h"
#include "allocator/shared_tables.h"
#include "allocator/status.h"
#include "allocator/unit_ledger.h"
#include "allocator/unit_word.h"

namespace zcb::alloc {

// A unit that has just become ours by compare-and-swap. Nothing else knows of
// it yet.
struct ClaimedUnit {
  std::uint32_t index = 0;
  UnitWord word;               // Owned, exactly as it stands
  bool was_abandoned = false;  // full of somebody's slabs: see adoption.h
};

// Chooses and claims. In order of preference, the lowest index of each:
//
//   abandoned                  its memory is of use to nobody else
//   free, committed            on the wanted node, if there is such a wish
//   free, a hole               costs a system call and new memory
//   free, on another node
//
// A claim does not look at every unit: it goes on from where the last one
// found something, and looks for abandoned units only when the region's count
// of abandonments has changed. Before it takes a hole, and before it gives up,
// it looks at all of them. All thread-safe and lock-free; private, and all of
// it hints, so nothing is lost with the process.
//
// word       transition here                   edge
// unit word  Free, Abandoned -> Owned{me}      unit.claim
//            Owned -> Free, Owned -> Abandoned unit.release
class UnitClaimer {
 public:
  enum class Want : std::uint8_t { kAny, kAbandonedOnly };

  UnitClaimer(const SharedTables& shared, LeaseId lease, UnitLedger& ledger,
              const AllocatorOptions& options);

  // One unit, committed, counted in the ledger. kNoMemory: there is none, or
  // no memory behind it, or the quota forbids; the reason says which. If there
  // is none, `pressure` of the region is raised, so that others give back what
  // they only keep. May call the kernel.
  Result<ClaimedUnit> Claim(Want want);
  // Exactly `unit`, if its word is still `seen`: no more than the swap. Its
  // granule words must be committed.
  std::optional<ClaimedUnit> TryClaim(std::uint32_t unit, UnitWord seen);
  // Owned -> `next`, which is Free or Abandoned: our last use of the unit. If
  // the word is no longer `owned`, somebody took us for dead, and it is his.
  void Release(std::uint32_t unit, UnitWord owned, UnitWord next);

  // Look from the lowest unit on again: others have freed some by now.
  void Rewind();
  // Units that are free now: one look at each.
  std::uint32_t CountFree() const;

  const NumaPlacement& placement() const { return placement_; }

 private:
  struct Candidate {
    std::uint32_t unit;
    UnitWord word;
    bool is_committed;
  };
  std::optional<Candidate> FindAbandoned(std::uint32_t from) const;
  std::optional<Candidate> FindFree(bool holes);
  bool MayBeAbandoned();
  Outcome MakeReady(const ClaimedUnit& unit) const;

  const SharedTables& shared_;
  const LeaseId lease_;
  UnitLedger& ledger_;
  const NumaPlacement placement_;
  // No unit below this was free and committed when it was last looked at.
  std::atomic<std::uint32_t> first_committed_{0};
  // After a look at all units that found none committed: how many holes are
  // taken before the next one. Only where looking takes long.
  std::atomic<std::uint32_t> holes_without_look_{0};
  // The region's count when the last look found nothing abandoned.
  std::atomic<std::uint32_t> abandonments_seen_;
};

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_UNIT_CLAIMER_H_
