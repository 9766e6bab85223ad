// How one process uses its allocator. None of it is shared: every process of a
// region may choose differently.
#ifndef ZCB_ALLOCATOR_ALLOCATOR_OPTIONS_H_
#define ZCB_ALLOCATOR_ALLOCATOR_OPTIONS_H_

#include <algorithm>
#include <cstdint>

#include "allocator/magazine_limits.h"
#include "allocator/status.h"

namespace zcb::alloc {

struct NumaTopology;

struct AllocatorOptions {
  static constexpr std::uint64_t kNoQuota = 0;
  static constexpr std::uint64_t kDefaultSpareBytes = std::uint64_t{64} << 20;
  static constexpr std::int32_t kNoNode = -1;     // wherever memory comes from
  static constexpr std::int32_t kLocalNode = -2;  // of the CPU that asks

  // The most bytes of units and extents that this process may own; kNoQuota:
  // no limit but the region. What others hold of them counts until it is back.
  std::uint64_t quota_bytes = kNoQuota;  // ZCB_QUOTA_BYTES

  // Free memory that stays with the process, so that a working set that swings
  // does not claim and give back units all the time: of empty units this much,
  // and as much of buffers ready for use (beside what threads have at hand).
  // Beyond that they go back to the region; what is kept shrinks again when it
  // has not been needed.
  // Never more than a sixteenth of the region.
  std::uint64_t spare_bytes = kDefaultSpareBytes;  // ZCB_SPARE_BYTES
  std::uint64_t SpareBytesIn(std::uint64_t region_bytes) const {
    return std::min(spare_bytes, region_bytes / 16);
  }

  // How much of each size class a thread has at hand, and rotates over, before
  // it turns to what the process has in common (magazine.h). From
  // MagazineLimits::kLeastRotationBytes to kMostRotationBytes.
  std::uint64_t magazine_bytes =
      MagazineLimits::kRotationBytes;  // ZCB_MAGAZINE_BYTES

  // Whether units that go back to the region also give their memory back to
  // the system: what is free and committed in the region beyond this many
  // bytes is punched out. kKeepAll: never.
  static constexpr std::uint64_t kKeepAll = ~std::uint64_t{0};
  std::uint64_t idle_bytes = kKeepAll;  // ZCB_IDLE_BYTES

  // Fills a buffer with 0xdd when it is freed, so that who uses it afterwards
  // sees garbage at once. Costs a write of the whole buffer.
  bool poison = false;  // ZCB_POISON

  // Where memory that is committed for this process shall lie, and which units
  // it prefers: a node number, kLocalNode or kNoNode.
  std::int32_t numa_node = kNoNode;  // ZCB_NUMA
  // The machine's nodes; nullptr: as the kernel says. For tests.
  const NumaTopology* topology = nullptr;

  // The defaults above, changed by the variables named beside them (bytes as
  // in RegionOptions; ZCB_IDLE_BYTES=all is kKeepAll; ZCB_POISON 0 or 1;
  // ZCB_NUMA a number, "local" or "none"). kInvalidParam: a value that is none
  // of these, or out of range. A program with raised privileges ignores them.
  static Result<AllocatorOptions> FromEnvironment();
  // kInvalidParam: out of range.
  Outcome Check() const;
};

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_ALLOCATOR_OPTIONS_H_
