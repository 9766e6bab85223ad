// Looks at every word of a region and says where each byte is.
#ifndef ZCB_ALLOCATOR_AUDIT_H_
#define ZCB_ALLOCATOR_AUDIT_H_

#include <cstdint>

#include "allocator/audit_report.h"
#include "allocator/buffer_ref.h"
#include "allocator/buffer_word.h"
#include "allocator/region.h"
#include "allocator/status.h"

namespace zcb::alloc {

struct AuditOptions {
  // Nobody is at work in the region: what a living process could be half way
  // through is damage then, not a note.
  bool quiet = false;
  // Asks the file system whether there is memory wherever it is booked. Slow.
  bool check_backing = false;
  bool list_notes = false;
  std::uint32_t max_findings = 64;

  // The layer above answers for what is out; nullptr: it is not asked. May be
  // asked twice about the same buffer.
  void* context = nullptr;
  // Whether a ring holds the message that a Sent word names.
  bool (*is_published)(void* context, BufferRef ref, BufferWord word) = nullptr;
  // Whether a record or a ring still names a Retained buffer.
  bool (*is_kept)(void* context, BufferRef ref) = nullptr;
  std::uint32_t group_count = BufferWord::kMaxGroups;
};

// Walks all units, slabs, extents and words, and proves the accounting: the
// places of the report add up to the region. Reads only: no page is added to
// the files, nothing is mended.
//
// Works on a live region: a finding is reported when a second look sees the
// same; what has changed meanwhile counts as moving, and the shares are those
// of a region that moved under the audit. Exact when nobody is at work.
//
// kBadHandle: inherited over fork. kNoMemory: no private memory for the report.
// Threads: any, also several at once. Signals: not async-signal-safe.
// Progress: bounded by the region's size; waits for nobody. Death: leaves
// nothing. Everything read is untrusted; only private geometry leads the walk.
Result<AuditReport> Audit(Region& region, const AuditOptions& options = {});

}  // namespace zcb::alloc

namespace zcb {

// The same, under the name by which programs ask for it.
inline Result<alloc::AuditReport> audit(
    alloc::Region& region, const alloc::AuditOptions& options = {}) {
  return alloc::Audit(region, options);
}

}  // namespace zcb

#endif  // ZCB_ALLOCATOR_AUDIT_H_
