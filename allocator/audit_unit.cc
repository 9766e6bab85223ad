#include "allocator/audit_unit.h"

#include <utility>

namespace zcb::alloc {
namespace {

using Kind = UnitWord::Kind;

// Names a lease by its slot alone.
constexpr bool NamesSlot(Kind kind) {
  return kind == Kind::kReserved || kind == Kind::kExtentHead ||
         kind == Kind::kFreeing;
}

}  // namespace

void UnitAudit::Report(AuditSeverity severity, AuditKind kind, AuditWhere where,
                       std::uint64_t index, std::uint64_t value) {
  if (findings_ != nullptr) {
    findings_->push_back({severity, kind, where, index, value});
  }
}

UnitAudit::Home UnitAudit::HomeOf(LeaseLife life, std::uint16_t slot,
                                  AuditPlace uncut, AuditPlace tail,
                                  AuditPlace inside) const {
  switch (life) {
    case LeaseLife::kLiving:
      return {Home::Owner::kLiving, slot, uncut, tail, inside};
    case LeaseLife::kDead:
      return {Home::Owner::kDead, slot, AuditPlace::kRepair,
              AuditPlace::kRepair, AuditPlace::kRepair};
    case LeaseLife::kGone:
      break;
  }
  return {};
}

void UnitAudit::ReportLife(LeaseLife life, std::uint32_t unit, UnitWord word) {
  if (life == LeaseLife::kDead) {
    Report(AuditSeverity::kRepair, AuditKind::kUnitDead, AuditWhere::kUnit,
           unit, word.raw());
  } else if (life == LeaseLife::kGone) {
    Report(AuditSeverity::kDamage, AuditKind::kUnitLease, AuditWhere::kUnit,
           unit, word.raw());
  }
}

void UnitAudit::Look(std::uint32_t unit, UnitTally* tally,
                     std::vector<AuditFinding>* findings) {
  *tally = {};
  findings_ = findings;
  const UnitWord word = view_.unit(unit);
  view_.LookAt(unit);
  const std::uint64_t bytes = shared_.unit_bytes();
  switch (word.kind()) {
    case Kind::kFree:
      tally->Add(view_.region().IsUnitCommitted(unit)
                     ? AuditPlace::kFreeCommitted
                     : AuditPlace::kFreeHole,
                 bytes);
      break;
    case Kind::kOwned:
      LookAtOwned(unit, word, tally);
      break;
    case Kind::kAbandoned:
      LookAtGranules(unit,
                     {Home::Owner::kNobody, 0, AuditPlace::kAbandoned,
                      AuditPlace::kAbandoned, AuditPlace::kAbandoned},
                     tally);
      break;
    case Kind::kReserved:
    case Kind::kExtentHead:
    case Kind::kFreeing:
    case Kind::kOrphanHead:
      LookAtHead(unit, word, tally);
      break;
    case Kind::kMember:
      tally->Add(PlaceOfMember(unit, word), bytes);
      break;
  }
  const bool has_length =
      word.kind() != Kind::kFree && word.kind() != Kind::kAbandoned;
  const bool has_slot = has_length && word.kind() != Kind::kOrphanHead;
  if ((!has_length && word.length_units() != 0) ||
      (!has_slot && word.lease_slot() != 0)) {
    Report(AuditSeverity::kDamage, AuditKind::kUnitFields, AuditWhere::kUnit,
           unit, word.raw());
  }
  LookAtStrays(unit, *tally);
}

void UnitAudit::CheckBooked(std::uint32_t unit, AuditSeverity severity) {
  if (view_.region().IsUnitCommitted(unit)) return;
  Report(severity, AuditKind::kUncommitted, AuditWhere::kUnit, unit,
         view_.unit(unit).raw());
}

void UnitAudit::LookAtOwned(std::uint32_t unit, UnitWord word,
                            UnitTally* tally) {
  const LeaseLife life = view_.LifeOf(word.lease_slot(), word.length_units(),
                                      UnitWord::kMaxLength);
  ReportLife(life, unit, word);
  const Home home = HomeOf(life, word.lease_slot(), AuditPlace::kOwnedFree,
                           AuditPlace::kSlabTail, AuditPlace::kPrivate);
  CheckBooked(unit, Step(home));  // claimed first, committed then
  LookAtGranules(unit, home, tally);
}

// Also a unit that is reserved: each of an extent to be is, for itself.
void UnitAudit::LookAtHead(std::uint32_t unit, UnitWord word,
                           UnitTally* tally) {
  const std::uint64_t unit_bytes = shared_.unit_bytes();
  const std::uint32_t units = word.length_units();
  const bool is_extent = word.IsExtentHead();
  const std::uint32_t most = word.kind() == Kind::kReserved
                                 ? shared_.unit_count()
                                 : shared_.unit_count() - unit;
  if (NamesSlot(word.kind())) {
    const LeaseLife life = view_.LifeOf(word.lease_slot(), 0, 0);
    ReportLife(life, unit, word);
    if (!is_extent && life == LeaseLife::kLiving) {
      Report(options_.quiet ? AuditSeverity::kDamage : AuditSeverity::kNote,
             AuditKind::kUnitHalfway, AuditWhere::kUnit, unit, word.raw());
    }
  }
  if (units == 0 || units > most) {
    Report(AuditSeverity::kDamage, AuditKind::kExtentLength, AuditWhere::kUnit,
           unit, word.raw());
    tally->Add(AuditPlace::kDamaged, unit_bytes);
    return;
  }
  const AuditPlace place = PlaceOfExtent(unit, word);
  tally->Add(place, unit_bytes, is_extent ? 1 : 0);
  if (!is_extent) return;

  for (std::uint32_t i = 1; i < units; ++i) {
    const UnitWord member = view_.unit(unit + i);
    if (member.kind() == Kind::kMember && member.length_units() == i) continue;
    Report(AuditSeverity::kDamage, AuditKind::kExtentBroken, AuditWhere::kUnit,
           unit + i, member.raw());
    break;
  }
  CheckBooked(unit, AuditSeverity::kDamage);
  const std::uint32_t granule = shared_.FirstGranuleOf(unit);
  const GranuleWord first = view_.granule(granule);
  const std::uint32_t tail = first.granules_to_head();
  if (first != GranuleWord::Make(kExtentClass, tail, units) ||
      tail >= shared_.granules_per_unit() ||
      (tail != 0 && units == shared_.unit_count() - unit)) {
    Report(AuditSeverity::kDamage, AuditKind::kExtentGranule,
           AuditWhere::kGranule, granule, first.raw());
    return;
  }
  LookAtTail(unit, units, tail);
  tally->extent_bytes = units * unit_bytes + tail * kGranuleBytes;
  tally->is_extent_out = !view_.word(*shared_.sparse_word(granule)).is_free();
}

AuditPlace UnitAudit::PlaceOfExtent(std::uint32_t unit, UnitWord head) {
  const LeaseLife life = NamesSlot(head.kind())
                             ? view_.LifeOf(head.lease_slot(), 0, 0)
                             : LeaseLife::kGone;
  if (!head.IsExtentHead()) {
    const AuditPlace transit = AuditPlace::kInTransit;
    return HomeOf(life, head.lease_slot(), transit, transit, transit).inside;
  }
  Home home = HomeOf(life, head.lease_slot(), AuditPlace::kExtent,
                     AuditPlace::kExtent, AuditPlace::kExtent);
  const std::uint32_t granule = shared_.FirstGranuleOf(unit);
  const BufferWord word = view_.word(*shared_.sparse_word(granule));
  if (head.kind() == Kind::kOrphanHead) {
    home = {Home::Owner::kNobody, 0, AuditPlace::kRepair, AuditPlace::kRepair,
            AuditPlace::kRepair};
    if (word.is_free()) {
      Report(AuditSeverity::kRepair, AuditKind::kOrphanBack, AuditWhere::kUnit,
             unit, head.raw());
    }
  }
  return PlaceOfWord(word, BufferRef(shared_.FirstLineOf(unit)), home);
}

AuditPlace UnitAudit::QuietPlaceOfExtent(std::uint32_t unit, UnitWord head) {
  std::vector<AuditFinding>* const mine = std::exchange(findings_, nullptr);
  const AuditPlace place = PlaceOfExtent(unit, head);
  findings_ = mine;
  return place;
}

AuditPlace UnitAudit::PlaceOfMember(std::uint32_t unit, UnitWord word) {
  const std::uint32_t distance = word.length_units();
  if (distance != 0 && distance <= unit) {
    const std::uint32_t first = unit - distance;
    const UnitWord head = view_.unit(first);
    const bool has_owner =
        head.kind() == Kind::kExtentHead || head.kind() == Kind::kReserved;
    if ((has_owner ? head.lease_slot() == word.lease_slot()
                   : head.kind() == Kind::kOrphanHead ||
                         head.kind() == Kind::kFreeing) &&
        head.length_units() > distance &&
        head.length_units() <= shared_.unit_count() - first) {
      if (head.IsExtentHead()) CheckBooked(unit, AuditSeverity::kDamage);
      view_.LookAtHead(first);
      return QuietPlaceOfExtent(first, head);
    }
  }
  Report(AuditSeverity::kDamage, AuditKind::kMemberAlone, AuditWhere::kUnit,
         unit, word.raw());
  return AuditPlace::kDamaged;
}

}  // namespace zcb::alloc
