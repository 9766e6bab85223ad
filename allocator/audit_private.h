// A process's own books: what Allocator::AuditOwn() looks at.
#ifndef ZCB_ALLOCATOR_AUDIT_PRIVATE_H_
#define ZCB_ALLOCATOR_AUDIT_PRIVATE_H_

#include "allocator/audit_report.h"
#include "allocator/buffer_supply.h"
#include "allocator/lease_word.h"
#include "allocator/status.h"

namespace zcb::alloc {

// Proves that every buffer of the slabs and extents that this process owns is
// in exactly one place: live, in one magazine, in the depot, in its slab's map
// of free buffers, or away; and that unit words, granule codes, maps and rings
// agree about what is owned.
//
// Reads only. No other thread of the process may use the allocator meanwhile;
// other processes may do what they like. kNoMemory: no private memory for it.
Result<OwnAuditReport> AuditPrivate(BufferSupply& supply, LeaseId lease);

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_AUDIT_PRIVATE_H_
