#include "allocator/reap_dead.h"

#include "allocator/unit_reaper.h"

namespace zcb::alloc {
namespace {

// A process that never used the layer above has sent nothing. A word in its
// units that says Sent is from an earlier owner, whose reaper found the message
// in its ring: it stays out.
bool StaysOut(void* /*context*/, BufferRef /*ref*/, BufferWord /*word*/) {
  return true;
}

}  // namespace

std::uint32_t ReapDeadProcesses(const SharedTables& shared, LeaseId self) {
  Region& region = shared.region();
  if (region.IsDamaged()) return 0;  // what we see may not be what there is
  const std::uint16_t high = region.LeaseHighWater();
  std::uint32_t reaped = 0;
  for (std::uint16_t slot = 0; slot < high; ++slot) {
    // acquire <- lease.attach, lease.death: who it is
    const LeaseWord word(
        region.lease_word(slot).load(std::memory_order_acquire));
    const LeaseId lease{slot, word.generation()};
    if (word.phase() == LeaseWord::Phase::kFree || lease == self ||
        !region.MarkDeadIfGone(lease) ||
        // relaxed: before its death
        region.lease_record(slot).uses_client.load(std::memory_order_relaxed) !=
            0) {
      continue;
    }
    if (!UnitReaper(shared, self, lease, &StaysOut, nullptr).Run()) continue;
    region.FreeDeadLease(lease);
    ++reaped;
  }
  return reaped;
}

}  // namespace zcb::alloc
