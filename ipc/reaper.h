// Puts right what a dead process left: by anyone, any number at once.
#ifndef ZCB_IPC_REAPER_H_
#define ZCB_IPC_REAPER_H_

#include "allocator/allocator.h"
#include "allocator/buffer_ref.h"
#include "allocator/buffer_word.h"
#include "allocator/lease_word.h"
#include "ipc/ipc_layout.h"

namespace zcb::ipc {

class Attachment;

// Reaps a lease that is Dead, in idempotent steps; each change names a
// generation or an epoch, so a reaper that comes late or stalls does no harm,
// and one that dies is followed by another, for which the lease is Dead still:
//   1. its entries: Down (also those that were put out), and a process-down
//      record in each group's order; whoever sleeps over something undelivered:
//      rung, for a publisher may have died before its bell
//   2. its keep records: let go
//   3. its units and extents: adopted or rolled (alloc::Allocator::ReapUnits);
//      a buffer that it had marked as sent stays only if its slot says so
//   4. its bells and name claims
//   5. whoever waits for room or memory: rung, if there is some now
//   6. Dead -> Free
// False: for want of memory not all of that could be looked at, and the lease
// stays Dead for the next reaper.
bool Reap(Attachment* attachment, alloc::LeaseId dead);

// Whether the ring of its group holds the message that a Sent word names: what
// decides about the send of a process that died, or that an audit meets.
bool IsPublished(const alloc::Allocator& allocator, const IpcGeometry& geometry,
                 alloc::BufferRef ref, alloc::BufferWord word);

}  // namespace zcb::ipc

#endif  // ZCB_IPC_REAPER_H_
