// What an audit says: where every byte is, and what is wrong. Pure data.
#ifndef ZCB_ALLOCATOR_AUDIT_REPORT_H_
#define ZCB_ALLOCATOR_AUDIT_REPORT_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "allocator/size_classes.h"

namespace zcb::alloc {

// Where a byte of the data file is. Each is in exactly one place.
enum class AuditPlace : std::uint8_t {
  kFreeHole,       // of a free unit, no memory behind it
  kFreeCommitted,  // of a free unit, with memory behind it
  kOwnedFree,      // of a living process's unit, not cut into buffers
  kSlabTail,       // behind the last buffer of a slab
  kPrivate,        // buffers inside their process: in use or cached
  kExtent,         // the same, of whole units (and their tail granules)
  kHeld,           // given or taken, by a living process
  kSent,           // in a ring
  kRetained,       // kept by a receiver
  kInTransit,      // being claimed or freed by a living process
  kAbandoned,      // nobody's: whoever needs a unit adopts it
  kRepair,         // a dead process's: whoever notices reaps it
  kDamaged,        // nobody can tell whose
};
inline constexpr std::size_t kAuditPlaceCount = 13;

// kNote    allowed, or a step of a living process half way
// kRepair  what a death left; the next reaper, adopter or collector mends it
// kDamage  nothing that the protocols produce: memory is lost, or will be used
//          by two
enum class AuditSeverity : std::uint8_t { kNote, kRepair, kDamage };
inline constexpr std::size_t kAuditSeverityCount = 3;

// Each with its text in Describe().
enum class AuditKind : std::uint8_t {
  // units
  kUnitFields,     // bits set that this kind of word has not
  kUnitLease,      // names a lease that is free, or of another generation
  kUnitDead,       // names a dead lease
  kUnitHalfway,    // being claimed or freed by a living process
  kMemberAlone,    // no head at that distance, or of another extent
  kExtentBroken,   // a unit of the extent is no member of it
  kExtentLength,   // reaches beyond the region
  kExtentGranule,  // the head's granule word is not that of the extent
  kOrphanBack,     // its buffer is back, nobody has freed the extent
  kTailAlone,      // a tail granule without its extent, or the reverse
  kUncommitted,    // in use, but its memory is booked as a hole
  kCommittedHole,  // booked as memory, but a hole
  // granules
  kGranuleFields,  // a word that fits no slab at that place
  kGranuleAlone,   // a part of a slab whose head does not say so
  kSlabBroken,     // a head whose parts do not say so
  kSlabOverlap,    // two slabs on one granule
  // buffers
  kWordFields,        // bits set that this state of a word has not
  kWordStray,         // out, where no buffer is
  kSentGroup,         // a group number that the region has not
  kSentNowhere,       // sent, but in no ring
  kRetainedByNobody,  // no record of any process holds it
  kHeldLease,         // held by a lease that is free or of another generation
  kHeldDead,          // held by a dead lease
  kHeldUntouched,     // held in another's unit, and the holder's map says no
  kHintAhead,         // a hint, but the word is not free
  // the layer above
  kKeepNothing,  // a keep record that names no kept buffer
  kKeepLease,  // a keep record of a lease that is free, or another generation's
  kKeepDead,   // a keep record of a dead lease
  // the process's own books
  kOwnUnitWord,     // a unit of ours whose word says otherwise
  kOwnUnitUnknown,  // a word names us, our books do not know the unit
  kOwnCode,         // a granule's code is not that of its slab
  kOwnDoubled,      // a buffer in two places
  kOwnLost,         // a free buffer in no place
  kOwnState,        // a buffer in a magazine, depot or map that is not free
  kOwnAwayFree,     // away, though its word is free: comes home by a scan
  kOwnOut,          // live or cached, though its word says out
  kOwnTaken,        // a taken buffer whose word does not name us
  kOwnCount,        // a counter or a list of a table is wrong
};
inline constexpr std::size_t kAuditKindCount =
    static_cast<std::size_t>(AuditKind::kOwnCount) + 1;

// A sentence; a literal.
const char* Describe(AuditKind kind);
const char* NameOf(AuditPlace place);

// What the number beside a finding counts.
enum class AuditWhere : std::uint8_t {
  kRegion,
  kUnit,
  kGranule,
  kLine,  // a buffer's first, or the one that a word stands for
  kHugePage,
  kLease,  // its slot
  kClass,
};

struct AuditFinding {
  AuditSeverity severity = AuditSeverity::kNote;
  AuditKind kind = AuditKind::kUnitFields;
  AuditWhere where = AuditWhere::kRegion;
  std::uint64_t index = 0;  // of `where`
  std::uint64_t value = 0;  // the word as it was read, or a count
  friend bool operator==(const AuditFinding&, const AuditFinding&) = default;
};

// A bounded list, and counts that are not bounded.
class AuditFindings {
 public:
  explicit AuditFindings(std::size_t most = 64, bool list_notes = false)
      : most_(most), list_notes_(list_notes) {}
  void Add(const AuditFinding& finding);
  // Seen once, gone at the second look: the region is at work.
  void AddMoving(std::uint64_t count) { moving_ += count; }

  // Damage and repairs in the order found, up to the bound; notes if asked for.
  const std::vector<AuditFinding>& list() const { return list_; }
  std::uint64_t Count(AuditSeverity severity) const {
    return by_severity_[static_cast<std::size_t>(severity)];
  }
  std::uint64_t Count(AuditKind kind) const {
    return by_kind_[static_cast<std::size_t>(kind)];
  }
  std::uint64_t damage() const { return Count(AuditSeverity::kDamage); }
  std::uint64_t repairs() const { return Count(AuditSeverity::kRepair); }
  std::uint64_t notes() const { return Count(AuditSeverity::kNote); }
  std::uint64_t moving() const { return moving_; }

 private:
  std::size_t most_;
  bool list_notes_;
  std::vector<AuditFinding> list_;
  std::array<std::uint64_t, kAuditSeverityCount> by_severity_{};
  std::array<std::uint64_t, kAuditKindCount> by_kind_{};
  std::uint64_t moving_ = 0;
};

struct AuditShare {
  std::uint64_t bytes = 0;
  std::uint64_t buffers = 0;  // where there are any
};

// A table of the meta file.
struct AuditTable {
  const char* name = "";
  std::uint64_t virtual_bytes = 0;
  std::uint64_t committed_bytes = 0;  // pages that hold data
};

// All slabs (or extents) of a size class, whoever owns them.
struct AuditClass {
  std::uint64_t slabs = 0;
  std::uint64_t buffers = 0;
  std::uint64_t buffers_out = 0;  // held, sent or retained
  std::uint64_t payload_bytes = 0;
  // Words and hints: room set aside for them, and pages of it that hold data.
  std::uint64_t metadata_bytes = 0;
  std::uint64_t metadata_committed_bytes = 0;
};

struct AuditReport {
  std::uint64_t region_bytes = 0;
  std::uint64_t unit_bytes = 0;
  std::uint64_t data_backed_bytes = 0;  // by the file system's count
  std::uint32_t living_leases = 0;
  std::uint32_t dead_leases = 0;
  std::array<AuditShare, kAuditPlaceCount> places{};
  std::array<AuditClass, kClassCount> classes{};
  std::vector<AuditTable> tables;
  AuditFindings findings;

  const AuditShare& of(AuditPlace place) const {
    return places[static_cast<std::size_t>(place)];
  }
  // Equals region_bytes: every byte was found in one place.
  std::uint64_t SumBytes() const {
    std::uint64_t sum = 0;
    for (const AuditShare& share : places) sum += share.bytes;
    return sum;
  }
  // Nothing is lost and nothing doubled.
  bool IsSound() const {
    return findings.damage() == 0 && SumBytes() == region_bytes;
  }
  // The same, and no death is left to mend.
  bool IsClean() const { return IsSound() && findings.repairs() == 0; }
};

// A process's private books: Allocator::AuditOwn().
struct OwnAuditReport {
  // Buffers of the units and extents that the process owns, each in one place.
  std::uint64_t live = 0;          // handed out, or just being sent
  std::uint64_t in_magazines = 0;  // of all threads
  std::uint64_t in_depot = 0;
  std::uint64_t in_maps = 0;  // of their slabs
  std::uint64_t away = 0;     // out, or not yet found back
  std::uint64_t taken = 0;    // of other processes' units
  std::uint64_t units = 0;
  std::uint64_t slabs = 0;
  std::uint64_t extents = 0;
  AuditFindings findings;

  bool IsSound() const { return findings.damage() == 0; }
};

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_AUDIT_REPORT_H_
