// The audit of a region, with what only groups and keep records can tell.
#ifndef ZCB_IPC_AUDIT_H_
#define ZCB_IPC_AUDIT_H_

#include "allocator/audit.h"
#include "allocator/status.h"
#include "ipc/attachment.h"

namespace zcb::ipc {

// alloc::Audit(), and besides:
//   a Sent word        must be in the ring of its group
//   a Retained word    must be named by a keep record, or still by a ring
//   a keep record      must be of a living lease, and name a kept buffer
// The options' callbacks are this function's; the others are the caller's.
// Errors, threads and death as alloc::Audit().
Result<alloc::AuditReport> Audit(Attachment& attachment,
                                 alloc::AuditOptions options = {});

}  // namespace zcb::ipc

#endif  // ZCB_IPC_AUDIT_H_
