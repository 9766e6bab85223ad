// How a process takes part in the groups of a region.
#ifndef ZCB_IPC_IPC_OPTIONS_H_
#define ZCB_IPC_IPC_OPTIONS_H_

#include <cstdint>
#include <optional>

#include "allocator/allocator_options.h"
#include "allocator/region_options.h"
#include "allocator/status.h"
#include "ipc/ipc_layout.h"

namespace zcb::ipc {

// A sender reclaims as it goes, so that its own buffers come back warm: after
// so many messages of the group, or so many bytes of its own.
struct ReclaimPace {
  static constexpr std::uint64_t kLeastBytes = 4096;
  static constexpr std::uint32_t kMostMessages = IpcLimits::kMaxSlots;

  std::uint32_t messages = 64;                     // ZCB_RECLAIM_MESSAGES
  std::uint64_t bytes = std::uint64_t{256} << 10;  // ZCB_RECLAIM_BYTES

  // kInvalidParam: out of range.
  Outcome Check() const;
};

struct IpcOptions {
  alloc::RegionOptions region;
  // Whoever creates the region decides. ZCB_RING_SLOTS, ZCB_GROUP_MEMBERS
  IpcShape shape;
  // Those of the first attachment of this process count, of both.
  alloc::AllocatorOptions allocator;
  ReclaimPace reclaim_pace;
  // How many messages ahead of the one that it begins a receiver asks for the
  // lines of; 0: it does not.
  static constexpr std::uint32_t kMostPrefetch = 64;
  std::uint32_t prefetch = 4;  // ZCB_PREFETCH
  // How long, at most, a receiver that has caught up with a burst waits before
  // it looks once more; 0: it does not. See burst_pause.h.
  static constexpr std::uint32_t kMostBurstPauseNs = 1'000'000;
  std::uint32_t burst_pause_ns = 2000;  // ZCB_BURST_PAUSE_NS
  std::uint32_t node_id = 1;            // ZCB_NODEID
  // Most bytes of payload that this process keeps in the region; 0: no limit.
  // Said, it holds for an attachment that is there already, too.
  std::optional<std::uint64_t> retain_bytes;  // ZCB_RETAIN_BYTES

  // RegionOptions::FromEnvironment(), AllocatorOptions::FromEnvironment(), and
  // the variables named above: ZCB_NODEID 1 to 2^32-1; ZCB_RECLAIM_BYTES and
  // ZCB_RETAIN_BYTES as ParseBytes(); the others digits. kInvalidParam: a value
  // that makes no sense, alone or with the others.
  static Result<IpcOptions> FromEnvironment();
  // kInvalidParam: out of range; not looked at: region and allocator.
  Outcome Check() const;
};

}  // namespace zcb::ipc

#endif  // ZCB_IPC_IPC_OPTIONS_H_
