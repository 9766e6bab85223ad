// One unit under audit: what its word, its granules and their buffers say.
#ifndef ZCB_ALLOCATOR_AUDIT_UNIT_H_
#define ZCB_ALLOCATOR_AUDIT_UNIT_H_

#include <array>
#include <cstdint>
#include <vector>

#include "allocator/audit.h"
#include "allocator/audit_view.h"
#include "allocator/buffer_place.h"

namespace zcb::alloc {

// What one look at a unit adds up to; the shares' bytes are the unit's.
struct UnitTally {
  struct Slab {
    SlabShape shape;
    std::uint32_t out = 0;
  };
  std::array<AuditShare, kAuditPlaceCount> places{};
  std::array<Slab, kGranulesPerUnit> slabs{};
  std::uint32_t slab_count = 0;
  std::uint64_t extent_bytes = 0;  // of the extent whose head is here
  bool is_extent_out = false;

  void Add(AuditPlace place, std::uint64_t bytes, std::uint64_t buffers = 0) {
    AuditShare& share = places[static_cast<std::size_t>(place)];
    share.bytes += bytes;
    share.buffers += buffers;
  }
};

// Judges every word by what the protocols allow at any instant, so that one
// look at a region that moves finds little that is not there. What is left,
// from words that were read before and after a change, differs at the next
// look: see Audit().
class UnitAudit {
 public:
  UnitAudit(AuditView& view, const AuditOptions& options)
      : view_(view), shared_(view.shared()), options_(options) {}

  void Look(std::uint32_t unit, UnitTally* tally,
            std::vector<AuditFinding>* findings);

 private:
  // Whose the memory is around a buffer, and where it counts when the buffer
  // is not out.
  struct Home {
    enum class Owner : std::uint8_t { kLiving, kDead, kNobody, kGone };
    Owner owner = Owner::kGone;
    std::uint16_t slot = 0;  // of kLiving and kDead
    AuditPlace uncut = AuditPlace::kDamaged;
    AuditPlace tail = AuditPlace::kDamaged;
    AuditPlace inside = AuditPlace::kDamaged;
  };
  // The state that an owner may leave for an instant, or for good when it dies
  // there: the next owner mends it.
  AuditSeverity Step(const Home& home) const {
    return home.owner == Home::Owner::kLiving && options_.quiet
               ? AuditSeverity::kDamage
               : AuditSeverity::kNote;
  }
  // Of a look that only asks where something counts, nothing is reported.
  void Report(AuditSeverity severity, AuditKind kind, AuditWhere where,
              std::uint64_t index, std::uint64_t value);

  // Units and extents: audit_unit.cc.
  Home HomeOf(LeaseLife life, std::uint16_t slot, AuditPlace uncut,
              AuditPlace tail, AuditPlace inside) const;
  void ReportLife(LeaseLife life, std::uint32_t unit, UnitWord word);
  void LookAtOwned(std::uint32_t unit, UnitWord word, UnitTally* tally);
  void LookAtHead(std::uint32_t unit, UnitWord word, UnitTally* tally);
  void LookAtTail(std::uint32_t unit, std::uint32_t units, std::uint32_t tail);
  AuditPlace PlaceOfMember(std::uint32_t unit, UnitWord word);
  // Where an extent counts, by its head; reports only if the head is looked at.
  AuditPlace PlaceOfExtent(std::uint32_t unit, UnitWord head);
  // The same for a member or tail: what is wrong is told where the head is.
  AuditPlace QuietPlaceOfExtent(std::uint32_t unit, UnitWord head);
  void CheckBooked(std::uint32_t unit, AuditSeverity severity);

  // Slabs and words: audit_slabs.cc.
  void LookAtGranules(std::uint32_t unit, const Home& home, UnitTally* tally);
  void LookAtRest(std::uint32_t granule, GranuleWord word, const Home& home,
                  UnitTally* tally);
  AuditPlace PlaceOfTailGranule(std::uint32_t granule, GranuleWord word,
                                const Home& home);
  void LookAtSlab(const SlabShape& slab, const Home& home, UnitTally* tally);
  AuditPlace PlaceOfWord(BufferWord word, BufferRef ref, const Home& home);
  AuditPlace PlaceOfHeld(BufferWord word, BufferRef ref, const Home& home);
  void LookAtStrays(std::uint32_t unit, const UnitTally& tally);
  void LookAtStrayWords(std::uint32_t unit, const UnitTally& tally, bool dense);

  AuditView& view_;
  const SharedTables& shared_;
  const AuditOptions& options_;
  std::vector<AuditFinding>* findings_ = nullptr;
};

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_AUDIT_UNIT_H_
