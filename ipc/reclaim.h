// Gives back what every living member has read.
#ifndef ZCB_IPC_RECLAIM_H_
#define ZCB_IPC_RECLAIM_H_

#include <atomic>
#include <cstdint>

#include "allocator/allocator.h"
#include "ipc/group_view.h"
#include "ipc/keep_table.h"

namespace zcb::ipc {

// For a process that would rather not reclaim what others have sent. A buffer
// that its own process brings home goes into a magazine there; anybody else
// takes the lines of its word and its hint away from their owner, who has to
// look for the buffer later. So where several send, each frees its own ahead of
// the reclaimed index, and the index itself is moved past the others' messages
// when a part of the ring is in use: by then there is little left to do.
struct OwnFirst {
  static constexpr std::uint64_t kPart = 4;  // a quarter
  // Messages of this process below it have been reclaimed. A hint, private to
  // the process: written and read, relaxed, by whoever reclaims with it.
  std::atomic<std::uint64_t> done_below{0};
};

// Reclaims up to `most` positions; anyone may, any number at once. Returns how
// far the reclaimed index moved by this caller's own hand; with `own` also
// counts the buffers that came home ahead of it.
//
// An entry gates while it is Joining, Member or Leaving and its lease word is
// Alive with that generation: death stops the gating, not the record of it.
// The decision about a buffer rests on its word alone, never on the payload's
// header. Lock-free; a crash anywhere leaves work that the next caller does
// again with the same result.
std::uint64_t Reclaim(const GroupView& group, alloc::Allocator* allocator,
                      const KeepTable& keeps, std::uint64_t most,
                      OwnFirst* own = nullptr);

inline constexpr std::uint64_t kReclaimAll = ~std::uint64_t{0};

}  // namespace zcb::ipc

#endif  // ZCB_IPC_RECLAIM_H_
