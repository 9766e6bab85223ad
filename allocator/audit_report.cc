#include "allocator/audit_report.h"

namespace zcb::alloc {

const char* Describe(AuditKind kind) {
  switch (kind) {
    case AuditKind::kUnitFields:
      return "unit word: bits set that this kind has not";
    case AuditKind::kUnitLease:
      return "unit word names a lease that nobody has, or not this time";
    case AuditKind::kUnitDead:
      return "unit of a dead process, not yet reaped";
    case AuditKind::kUnitHalfway:
      return "unit that a living process is claiming or freeing";
    case AuditKind::kMemberAlone:
      return "extent member without its head";
    case AuditKind::kExtentBroken:
      return "extent head of which a unit is no member";
    case AuditKind::kExtentLength:
      return "extent head longer than the region";
    case AuditKind::kExtentGranule:
      return "extent head whose granule word says otherwise";
    case AuditKind::kOrphanBack:
      return "orphaned extent whose buffer is back";
    case AuditKind::kTailAlone:
      return "extent and its tail granule do not know each other";
    case AuditKind::kUncommitted:
      return "unit in use, but booked as a hole";
    case AuditKind::kCommittedHole:
      return "booked as committed, but no memory behind it";
    case AuditKind::kGranuleFields:
      return "granule word that fits nothing at its place";
    case AuditKind::kGranuleAlone:
      return "granule of a slab or extent whose head is not there";
    case AuditKind::kSlabBroken:
      return "slab of which a granule says otherwise";
    case AuditKind::kSlabOverlap:
      return "slab inside another slab";
    case AuditKind::kWordFields:
      return "buffer word: bits set that this state has not";
    case AuditKind::kWordStray:
      return "word says out where no buffer is";
    case AuditKind::kSentGroup:
      return "sent to a group that the region has not";
    case AuditKind::kSentNowhere:
      return "sent, but in no ring";
    case AuditKind::kRetainedByNobody:
      return "retained, but no process keeps it";
    case AuditKind::kHeldLease:
      return "held by a lease that nobody has, or not this time";
    case AuditKind::kHeldDead:
      return "held by a dead process, not yet reaped";
    case AuditKind::kHeldUntouched:
      return "held in another's unit without a mark in the holder's map";
    case AuditKind::kHintAhead:
      return "hint for a buffer whose word is not free";
    case AuditKind::kKeepNothing:
      return "keep record of a buffer that is not kept";
    case AuditKind::kKeepLease:
      return "keep record of a lease that nobody has, or not this time";
    case AuditKind::kKeepDead:
      return "keep record of a dead process, not yet reaped";
    case AuditKind::kOwnUnitWord:
      return "unit of ours whose word says otherwise";
    case AuditKind::kOwnUnitUnknown:
      return "unit word names this process, which does not know the unit";
    case AuditKind::kOwnCode:
      return "granule code that does not fit its slab or unit";
    case AuditKind::kOwnDoubled:
      return "in two places of this process at once";
    case AuditKind::kOwnLost:
      return "free, but in no place of this process";
    case AuditKind::kOwnState:
      return "stored as free, but its state is another";
    case AuditKind::kOwnAwayFree:
      return "away, though its word is free: a scan brings it home";
    case AuditKind::kOwnOut:
      return "inside this process, though its word says out";
    case AuditKind::kOwnTaken:
      return "taken, but its word names somebody else";
    case AuditKind::kOwnCount:
      return "list or count of a private table is wrong";
  }
  return "unknown";
}

const char* NameOf(AuditPlace place) {
  switch (place) {
    case AuditPlace::kFreeHole:
      return "free, no memory behind it";
    case AuditPlace::kFreeCommitted:
      return "free, committed";
    case AuditPlace::kOwnedFree:
      return "owned, uncut";
    case AuditPlace::kSlabTail:
      return "owned, behind the last buffer of a slab";
    case AuditPlace::kPrivate:
      return "buffers inside their process";
    case AuditPlace::kExtent:
      return "extents inside their process";
    case AuditPlace::kHeld:
      return "held";
    case AuditPlace::kSent:
      return "sent";
    case AuditPlace::kRetained:
      return "retained";
    case AuditPlace::kInTransit:
      return "in transit";
    case AuditPlace::kAbandoned:
      return "abandoned, for adoption";
    case AuditPlace::kRepair:
      return "waiting for repair";
    case AuditPlace::kDamaged:
      return "damaged";
  }
  return "unknown";
}

void AuditFindings::Add(const AuditFinding& finding) {
  ++by_severity_[static_cast<std::size_t>(finding.severity)];
  ++by_kind_[static_cast<std::size_t>(finding.kind)];
  if (finding.severity == AuditSeverity::kNote && !list_notes_) return;
  if (list_.size() < most_) list_.push_back(finding);
}

}  // namespace zcb::alloc
