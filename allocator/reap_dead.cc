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
    const auto uses_client = [&] {
      // relaxed: of one that has not gone yet, a guess; after its death, exact
      return region.lease_record(slot).uses_client.load(
                 std::memory_order_relaxed) != 0;
    };
    // Not even marked, if it is not ours to reap: who finds it marked takes it
    // that somebody is at it.
    if (word.phase() == LeaseWord::Phase::kFree || lease == self ||
        uses_client() || !region.MarkDeadIfGone(lease) || uses_client()) {
      continue;
    }
    if (!UnitReaper(shared, self, lease, &StaysOut, nullptr).Run()) continue;
    region.FreeDeadLease(lease);
    ++reaped;
  }
  return reaped;
}

}  // namespace zcb::alloc
