// The part of UnitAudit that looks inside a unit: granules, slabs, words.
#include <algorithm>

#include "allocator/audit_unit.h"
#include "allocator/granule_map.h"

namespace zcb::alloc {
namespace {

using Kind = UnitWord::Kind;
using State = BufferWord::State;

// The word that says the same and has no other bit set.
BufferWord Canonical(BufferWord word) {
  switch (word.state()) {
    case State::kFree:
      return word.Free();
    case State::kRetained:
      return word.Retain();
    case State::kHeld:
      return BufferWord(word.raw() & ~BufferWord().Keep().raw());
    case State::kSent:
      break;
  }
  return word;
}

}  // namespace

void UnitAudit::LookAtGranules(std::uint32_t unit, const Home& home,
                               UnitTally* tally) {
  const std::uint32_t count = shared_.granules_per_unit();
  const std::uint32_t first = shared_.FirstGranuleOf(unit);
  GranuleMap rest = GranuleMap::AllFree(count);
  std::array<GranuleWord, kGranulesPerUnit> words;
  for (std::uint32_t g = 0; g < count; ++g) words[g] = view_.granule(first + g);
  for (std::uint32_t g = 0; g < count; ++g) {
    const SlabShape slab = CheckedShape(words[g], first + g, count);
    if (!slab.ok() || words[g].granules_to_head() != 0) continue;
    const std::uint32_t granules = slab.cut().granules;
    if (!rest.IsFree(g, granules)) {
      Report(AuditSeverity::kDamage, AuditKind::kSlabOverlap,
             AuditWhere::kGranule, first + g, words[g].raw());
      continue;
    }
    rest.Take(g, granules);
    for (std::uint32_t i = 0; i < granules; ++i) {
      if (words[g + i] == GranuleWord::Make(slab.size_class, i, granules)) {
        continue;
      }
      // Half made or half dissolved; but nothing writes another slab's word.
      const bool is_step = i != 0 && words[g + i].raw() == 0;
      Report(is_step ? Step(home) : AuditSeverity::kDamage,
             AuditKind::kSlabBroken, AuditWhere::kGranule, first + g + i,
             words[g + i].raw());
      break;
    }
    tally->slabs[tally->slab_count++] = {slab, 0};
    LookAtSlab(slab, home, tally);
  }
  for (std::uint32_t g = 0; g < count; ++g) {
    if (rest.IsFree(g, 1)) LookAtRest(first + g, words[g], home, tally);
  }
}

// A granule of no slab.
void UnitAudit::LookAtRest(std::uint32_t granule, GranuleWord word,
                           const Home& home, UnitTally* tally) {
  AuditPlace place = home.uncut;
  const bool is_left =
      word.is_valid() &&
      (word.size_class() == kExtentClass ||
       CheckedShape(word, granule, shared_.granules_per_unit()).ok());
  if (word.raw() == 0) {
    // Not cut, or not yet.
  } else if (word.is_valid() && word.size_class() == kExtentTailClass) {
    place = PlaceOfTailGranule(granule, word, home);
  } else if (is_left) {
    // Of a step half way, of who died in it, or of an extent; the next owner
    // takes the granule for free.
    Report(Step(home), AuditKind::kGranuleAlone, AuditWhere::kGranule, granule,
           word.raw());
  } else {
    Report(AuditSeverity::kDamage, AuditKind::kGranuleFields,
           AuditWhere::kGranule, granule, word.raw());
    place = AuditPlace::kDamaged;
  }
  tally->Add(place, kGranuleBytes);
}

AuditPlace UnitAudit::PlaceOfTailGranule(std::uint32_t granule,
                                         GranuleWord word, const Home& home) {
  const std::uint32_t unit = shared_.UnitOfGranule(granule);
  const std::uint32_t place = granule - shared_.FirstGranuleOf(unit);
  const std::uint32_t units = word.span();
  if (units != 0 && units <= unit && word.granules_to_head() == place) {
    const std::uint32_t first = unit - units;
    view_.LookAtHead(first);
    const UnitWord head = view_.unit(first);
    const GranuleWord of_head = view_.granule(shared_.FirstGranuleOf(first));
    const std::uint32_t tail = of_head.granules_to_head();
    if (head.IsExtentHead() && head.length_units() == units && tail > place &&
        of_head == GranuleWord::Make(kExtentClass, tail, units)) {
      return QuietPlaceOfExtent(first, head);
    }
  }
  // The extent has gone, or is not there yet: the unit's owner sees to it.
  Report(AuditSeverity::kNote, AuditKind::kTailAlone, AuditWhere::kGranule,
         granule, word.raw());
  return home.uncut;
}

// The other side: an extent whose tail the unit after it does not know.
void UnitAudit::LookAtTail(std::uint32_t unit, std::uint32_t units,
                           std::uint32_t tail) {
  if (tail == 0) return;
  const std::uint32_t next = unit + units;
  view_.LookAt(next);
  const Kind kind = view_.unit(next).kind();
  const std::uint32_t first = shared_.FirstGranuleOf(next);
  for (std::uint32_t g = 0; g < tail; ++g) {
    const GranuleWord word = view_.granule(first + g);
    if ((kind == Kind::kOwned || kind == Kind::kAbandoned) &&
        word == GranuleWord::Make(kExtentTailClass, g, units)) {
      continue;
    }
    Report(AuditSeverity::kDamage, AuditKind::kTailAlone, AuditWhere::kGranule,
           first + g, word.raw());
    return;
  }
}

void UnitAudit::LookAtSlab(const SlabShape& slab, const Home& home,
                           UnitTally* tally) {
  const SizeClass& cut = slab.cut();
  UnitTally::Slab& mine = tally->slabs[tally->slab_count - 1];
  for (std::uint32_t i = 0; i < cut.count; ++i) {
    const BufferPlace place = PlaceAt(shared_, slab, i);
    const BufferWord word = view_.word(*place.word);
    tally->Add(PlaceOfWord(word, place.ref, home), cut.bytes(), 1);
    if (word.is_free()) continue;
    ++mine.out;
    if (view_.hint(*place.hint)) {
      Report(AuditSeverity::kNote, AuditKind::kHintAhead, AuditWhere::kLine,
             place.ref.line(), word.raw());
    }
  }
  tally->Add(home.tail, cut.granules * kGranuleBytes - cut.count * cut.bytes());
}

AuditPlace UnitAudit::PlaceOfWord(BufferWord word, BufferRef ref,
                                  const Home& home) {
  const auto report = [&](AuditSeverity severity, AuditKind kind) {
    Report(severity, kind, AuditWhere::kLine, ref.line(), word.raw());
  };
  if (word != Canonical(word)) {
    report(AuditSeverity::kDamage, AuditKind::kWordFields);
  }
  switch (word.state()) {
    case State::kFree:
      return home.inside;
    case State::kHeld:
      return PlaceOfHeld(word, ref, home);
    case State::kRetained:
      if (options_.is_kept == nullptr ||
          options_.is_kept(options_.context, ref)) {
        return AuditPlace::kRetained;
      }
      report(AuditSeverity::kDamage, AuditKind::kRetainedByNobody);
      return AuditPlace::kDamaged;
    case State::kSent:
      break;
  }
  const bool has_group = word.group_slot() < options_.group_count;
  if (has_group && (options_.is_published == nullptr ||
                    options_.is_published(options_.context, ref, word))) {
    return AuditPlace::kSent;
  }
  const AuditKind kind =
      has_group ? AuditKind::kSentNowhere : AuditKind::kSentGroup;
  if (home.owner == Home::Owner::kDead) {  // its reaper turns the word Free
    report(AuditSeverity::kRepair, kind);
    return AuditPlace::kRepair;
  }
  // A living owner may be just about to publish it.
  if (home.owner == Home::Owner::kLiving && has_group) {
    report(Step(home), kind);
    return AuditPlace::kInTransit;
  }
  report(AuditSeverity::kDamage, kind);
  return AuditPlace::kDamaged;
}

AuditPlace UnitAudit::PlaceOfHeld(BufferWord word, BufferRef ref,
                                  const Home& home) {
  const LeaseId holder = word.holder();
  const LeaseLife life = view_.LifeOf(holder.slot, holder.generation,
                                      BufferWord::kHolderGenerationMask);
  const auto report = [&](AuditSeverity severity, AuditKind kind) {
    Report(severity, kind, AuditWhere::kLine, ref.line(), word.raw());
  };
  if (life == LeaseLife::kGone) {
    report(AuditSeverity::kDamage, AuditKind::kHeldLease);
    return AuditPlace::kDamaged;
  }
  const bool has_owner =
      home.owner == Home::Owner::kLiving || home.owner == Home::Owner::kDead;
  const bool is_own = has_owner && home.slot == holder.slot;
  if (!is_own && !view_.IsTouched(holder.slot, ref.granule())) {
    report(AuditSeverity::kDamage, AuditKind::kHeldUntouched);
  }
  if (life == LeaseLife::kDead) {
    report(AuditSeverity::kRepair, AuditKind::kHeldDead);
    return AuditPlace::kRepair;
  }
  return AuditPlace::kHeld;
}

// Every word that stands for no buffer is Free: who dissolves a slab or frees
// an extent has all its buffers.
void UnitAudit::LookAtStrays(std::uint32_t unit, const UnitTally& tally) {
  LookAtStrayWords(unit, tally, true);
  LookAtStrayWords(unit, tally, false);
}

void UnitAudit::LookAtStrayWords(std::uint32_t unit, const UnitTally& tally,
                                 bool dense) {
  const std::uint32_t per_granule = static_cast<std::uint32_t>(
      dense ? kDenseWordsPerGranule : kSparseWordsPerGranule);
  const Geometry& geometry = view_.region().geometry();
  const std::uint64_t table =
      dense ? geometry.dense_words_offset : geometry.sparse_words_offset;
  constexpr std::uint64_t kWordsPerPage = kMetaPageBytes / 8;
  const std::uint64_t first =
      std::uint64_t{shared_.FirstGranuleOf(unit)} * per_granule;
  const std::uint64_t end =
      first + std::uint64_t{shared_.granules_per_unit()} * per_granule;
  const auto stands_for_one = [&](std::uint64_t index) {
    if (!dense && index == first && view_.unit(unit).IsExtentHead()) {
      return true;
    }
    return std::any_of(
        tally.slabs.begin(), tally.slabs.begin() + tally.slab_count,
        [&](const UnitTally::Slab& slab) {
          const std::uint64_t begin =
              std::uint64_t{slab.shape.head} * per_granule;
          return slab.shape.cut().is_dense == dense && index >= begin &&
                 index < begin + slab.shape.cut().count;
        });
  };
  for (std::uint64_t index = first; index < end;) {
    const std::uint64_t next =
        std::min((index / kWordsPerPage + 1) * kWordsPerPage, end);
    if (!view_.pages().Has(table + index * 8)) {
      index = next;
      continue;
    }
    for (; index < next; ++index) {
      const BufferWord word = view_.word(
          *view_.region().meta<SharedTables::Word>(table + index * 8));
      if (word.is_free() || stands_for_one(index)) continue;
      const std::uint64_t line =
          index / per_granule * kLinesPerGranule +
          index % per_granule * (kLinesPerGranule / per_granule);
      Report(AuditSeverity::kDamage, AuditKind::kWordStray, AuditWhere::kLine,
             line, word.raw());
    }
  }
}

}  // namespace zcb::alloc
