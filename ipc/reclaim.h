// Gives back what every living member has read.
#ifndef ZCB_IPC_RECLAIM_H_
#define ZCB_IPC_RECLAIM_H_

#include <cstdint>

#include "allocator/allocator.h"
#include "ipc/group_view.h"
#include "ipc/keep_table.h"

namespace zcb::ipc {

// Reclaims up to `most` positions; anyone may, any number at once. Returns how
// far the reclaimed index moved by this caller's own hand.
//
// An entry gates while it is Joining, Member or Leaving and its lease word is
// Alive with that generation: death stops the gating, not the record of it.
// The decision about a buffer rests on its word alone, never on the payload's
// header. Lock-free; a crash anywhere leaves work that the next caller does
// again with the same result.
std::uint64_t Reclaim(const GroupView& group, alloc::Allocator* allocator,
                      const KeepTable& keeps, std::uint64_t most);

inline constexpr std::uint64_t kReclaimAll = ~std::uint64_t{0};

}  // namespace zcb::ipc

#endif  // ZCB_IPC_RECLAIM_H_
