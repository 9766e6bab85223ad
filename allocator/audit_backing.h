// Whether there is memory wherever the region books some.
#ifndef ZCB_ALLOCATOR_AUDIT_BACKING_H_
#define ZCB_ALLOCATOR_AUDIT_BACKING_H_

#include <cstdint>

#include "allocator/audit_report.h"
#include "allocator/region.h"

namespace zcb::alloc {

// Memory behind a file, by its file system's count; 0: it does not say.
std::uint64_t BackedBytes(int fd);

// Compares the commit bytes with what the kernel has. Page by page where
// cachestat(2) answers for the file (Linux 6.5, tmpfs); else only in sum, and
// only in a quiet region.
void CheckBacking(const Region& region, bool quiet, AuditFindings* findings);

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_AUDIT_BACKING_H_
