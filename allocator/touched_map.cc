#include "allocator/touched_map.h"

#include <mutex>

namespace zcb::alloc {
namespace {

// For allocators that share a lease: of these, one clears the map. Not taken in
// a child of fork(2).
constinit std::mutex begin_mutex;

SharedTables::Word* MapOf(const SharedTables& shared, LeaseId lease) {
  const Geometry& g = shared.region().geometry();
  return shared.region().meta<SharedTables::Word>(
      g.touched_offset + lease.slot * g.touched_bytes_per_lease);
}

Outcome Commit(const SharedTables& shared, LeaseId lease) {
  const Geometry& g = shared.region().geometry();
  return shared.region().CommitMeta(
      g.touched_offset + lease.slot * g.touched_bytes_per_lease,
      g.touched_bytes_per_lease);
}

}  // namespace

TouchedMap::TouchedMap(const SharedTables& shared, LeaseId lease)
    : shared_(shared),
      lease_(lease),
      known_memory_(shared.granule_count()),
      known_(known_memory_.as<std::atomic<std::uint8_t>>()) {}

Result<const SharedTables::Word*> TouchedMap::Find(const SharedTables& shared,
                                                   LeaseId lease) {
  // acquire <- touched.begin: the map is committed and cleared.
  if (shared.region()
          .lease_record(lease.slot)
          .touched_generation.load(std::memory_order_acquire) !=
      lease.generation) {
    return static_cast<const SharedTables::Word*>(nullptr);
  }
  // It has memory, unless the record was forged.
  if (const Outcome backed = Commit(shared, lease); !backed) {
    return backed.failure();
  }
  return static_cast<const SharedTables::Word*>(MapOf(shared, lease));
}

Outcome TouchedMap::AddSlow(std::uint32_t granule) {
  Region& region = shared_.region();
  if (!region.IsOurs()) {
    return {Status::kBadHandle, "inherited over fork: attach anew"};
  }
  if (const Outcome backed = Commit(shared_, lease_); !backed) return backed;
  SharedTables::Word* const map = MapOf(shared_, lease_);
  {
    const std::lock_guard lock(begin_mutex);
    std::atomic<std::uint64_t>& begun =
        region.lease_record(lease_.slot).touched_generation;
    // relaxed: written by this process, under the lock
    if (begun.load(std::memory_order_relaxed) != lease_.generation) {
      const std::uint64_t words =
          region.geometry().touched_bytes_per_lease / sizeof(std::uint64_t);
      for (std::uint64_t i = 0; i < words; ++i) {
        // relaxed: touched.begin carries it
        map[i].store(0, std::memory_order_relaxed);
      }
      // release -> touched.begin: the map is committed and cleared.
      begun.store(lease_.generation, std::memory_order_release);
    }
  }
  // relaxed: lease.death carries it to reapers, touched.add to our threads
  map[granule / 64].fetch_or(std::uint64_t{1} << (granule % 64),
                             std::memory_order_relaxed);
  // relaxed: a hint
  is_used_.store(true, std::memory_order_relaxed);
  // release -> touched.add: the bit is set.
  known_[granule].store(1, std::memory_order_release);
  return {};
}

}  // namespace zcb::alloc
