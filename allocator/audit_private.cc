#include "allocator/audit_private.h"

#include <bit>
#include <new>
#include <vector>

#include "allocator/buffer_word.h"
#include "allocator/granule_map.h"
#include "allocator/granule_word.h"
#include "allocator/private_mapping.h"
#include "allocator/unit_word.h"

namespace zcb::alloc {
namespace {

class PrivateAudit {
 public:
  PrivateAudit(BufferSupply& supply, LeaseId lease)
      : supply_(supply),
        shared_(supply.shared()),
        tables_(supply.tables()),
        lease_(lease),
        stored_memory_(tables_.line_count()),
        stored_(stored_memory_.as<std::uint8_t>()),
        free_granules_(shared_.unit_count()),
        is_in_table_(shared_.unit_count()),
        is_extent_(shared_.unit_count()),
        taken_(shared_.granule_count()) {}

  bool ok() const { return stored_memory_.ok(); }

  OwnAuditReport Run() {
    LookAtStores();
    LookAtUnits();
    for (std::uint32_t c = 0; c < kExtentClass; ++c) LookAtClass(c);
    LookAtExtents();
    LookAtGranules();
    LookAtTaken();
    LookForUnknownUnits();
    return std::move(report_);
  }

 private:
  void Report(AuditSeverity severity, AuditKind kind, AuditWhere where,
              std::uint64_t index, std::uint64_t value = 0) {
    report_.findings.Add({severity, kind, where, index, value});
  }
  void Damage(AuditKind kind, AuditWhere where, std::uint64_t index,
              std::uint64_t value = 0) {
    Report(AuditSeverity::kDamage, kind, where, index, value);
  }

  // A free buffer lies in a magazine, the depot or a map: once.
  void Store(std::uint32_t line, std::uint32_t size_class) {
    if (line >= tables_.line_count()) {
      Damage(AuditKind::kOwnCount, AuditWhere::kLine, line, size_class);
      return;
    }
    if (stored_[line]++ != 0) {
      Damage(AuditKind::kOwnDoubled, AuditWhere::kLine, line, size_class);
      return;
    }
    const PrivateTables::Start start = tables_.StartAt(line);
    if (!start.ok() || start.slab.size_class != size_class) {
      Damage(AuditKind::kOwnCode, AuditWhere::kLine, line, size_class);
    }
    const BufferState state = StateOf(line);
    if (state != BufferState::kCached && state != BufferState::kPoisoned) {
      Damage(AuditKind::kOwnState, AuditWhere::kLine, line,
             static_cast<std::uint64_t>(state));
    }
  }
  BufferState StateOf(std::uint32_t line) const {
    // relaxed: the threads are quiet
    return tables_.state(line).load(std::memory_order_relaxed);
  }

  // Magazines and depot; the maps come with their slabs.
  void LookAtStores() {
    supply_.caches().ForEachCache(
        [](void* self, const ThreadCache& cache) {
          static_cast<PrivateAudit*>(self)->LookAtCache(cache);
        },
        this);
    for (std::uint32_t c = 0; c < kExtentClass; ++c) {
      supply_.depot().ForEachLine(c, [&](std::uint32_t line) {
        ++report_.in_depot;
        Store(line, c);
      });
    }
  }

  void LookAtCache(const ThreadCache& cache) {
    for (std::uint32_t c = 0; c < kExtentClass; ++c) {
      const Magazine& magazine = cache.magazines[CodeOf(c)];
      if (magazine.count() > magazine.limit()) {
        Damage(AuditKind::kOwnCount, AuditWhere::kClass, c, magazine.count());
      }
      magazine.ForEachLine(cache.lines, [&](std::uint32_t line) {
        ++report_.in_magazines;
        Store(line, c);
      });
    }
  }

  void LookAtUnits() {
    if (!supply_.units().IsConsistent()) {
      Damage(AuditKind::kOwnCount, AuditWhere::kUnit, 0);
    }
    supply_.units().ForEachOwned(
        [&](std::uint32_t unit, UnitWord word, GranuleMap free) {
          ++report_.units;
          is_in_table_[unit] = true;
          free_granules_[unit] = free;
          CheckUnitWord(unit, word);
        });
  }

  void CheckUnitWord(std::uint32_t unit, UnitWord expected) {
    // acquire <- unit.claim: nothing; only compared.
    const UnitWord word(shared_.unit(unit).load(std::memory_order_acquire));
    if (word != expected) {
      Damage(AuditKind::kOwnUnitWord, AuditWhere::kUnit, unit, word.raw());
    }
  }

  void LookAtClass(std::uint32_t size_class) {
    if (!supply_.slabs().IsConsistent(size_class, shared_.granule_count())) {
      Damage(AuditKind::kOwnCount, AuditWhere::kClass, size_class);
    }
    supply_.slabs().ForEachSlab(
        size_class,
        [&](const SlabShape& slab, std::span<const std::uint64_t> map) {
          LookAtSlab(slab, map);
        });
  }

  void LookAtSlab(const SlabShape& slab, std::span<const std::uint64_t> map) {
    const SizeClass& cut = slab.cut();
    ++report_.slabs;
    TakeGranules(slab.head, cut.granules);
    for (std::uint32_t i = 0; i < cut.count; ++i) {
      const std::uint32_t line = slab.first_line() + i * cut.lines;
      if ((map[i / 64] >> (i % 64) & 1) != 0) {
        ++report_.in_maps;
        Store(line, slab.size_class);
      }
      LookAtBuffer(line, shared_.words(slab)[i]);
    }
  }

  void LookAtBuffer(std::uint32_t line, const SharedTables::Word& shared) {
    // acquire <- word.free: only compared.
    const BufferWord word(shared.load(std::memory_order_acquire));
    const BufferState state = StateOf(line);
    switch (state) {
      case BufferState::kCached:
      case BufferState::kPoisoned:
        if (stored_[line] == 0) {
          Damage(AuditKind::kOwnLost, AuditWhere::kLine, line, word.raw());
        }
        break;
      case BufferState::kLive:
      case BufferState::kLeaving:
        ++report_.live;
        break;
      case BufferState::kTaken:  // of a unit that became ours afterwards
        return;
      case BufferState::kAway:
      case BufferState::kJudged:
        ++report_.away;
        if (word.is_free()) {
          Report(AuditSeverity::kNote, AuditKind::kOwnAwayFree,
                 AuditWhere::kLine, line, word.raw());
        }
        return;
    }
    if (!word.is_free() && state != BufferState::kLeaving) {
      Damage(AuditKind::kOwnOut, AuditWhere::kLine, line, word.raw());
    }
  }

  // Granules of a slab are in a unit of ours, not free there, and of no other.
  void TakeGranules(std::uint32_t first, std::uint32_t granules) {
    const std::uint32_t unit = shared_.UnitOfGranule(first);
    if (!is_in_table_[unit]) {
      Damage(AuditKind::kOwnUnitWord, AuditWhere::kUnit, unit, first);
      return;
    }
    for (std::uint32_t g = first; g < first + granules; ++g) {
      if (taken_[g] ||
          free_granules_[unit].IsFree(g - shared_.FirstGranuleOf(unit), 1)) {
        Damage(AuditKind::kOwnDoubled, AuditWhere::kGranule, g);
      }
      taken_[g] = true;
    }
  }

  void LookAtExtents() {
    if (!supply_.extents().IsConsistent()) {
      Damage(AuditKind::kOwnCount, AuditWhere::kClass, kExtentClass);
    }
    supply_.extents().ForEachOwned([&](std::uint32_t unit, UnitWord head) {
      ++report_.extents;
      is_extent_[unit] = true;
      CheckUnitWord(unit, head);
      const std::uint32_t granule = shared_.FirstGranuleOf(unit);
      if (CodeOfGranule(granule) != CodeOf(kExtentClass)) {
        Damage(AuditKind::kOwnCode, AuditWhere::kGranule, granule);
      }
      const std::uint32_t line = shared_.FirstLineOf(unit);
      stored_[line] = 1;  // an extent is not cached: it has no other place
      LookAtBuffer(line, *shared_.sparse_word(granule));
    });
  }

  // What is neither free in its unit nor cut has no code, and is nobody's:
  // left where an adopter could make no sense of the words.
  void LookAtGranules() {
    for (std::uint32_t g = 0; g < shared_.granule_count(); ++g) {
      const std::uint32_t unit = shared_.UnitOfGranule(g);
      const std::uint32_t first = shared_.FirstGranuleOf(unit);
      const bool is_free = free_granules_[unit].IsFree(g - first, 1);
      if (CodeOfGranule(g) != kNoCode) {
        if (!is_free) continue;
        Damage(AuditKind::kOwnCode, AuditWhere::kGranule, g, CodeOfGranule(g));
      } else if (is_in_table_[unit] && !is_free && !IsKeptBack(g, first)) {
        Damage(AuditKind::kOwnLost, AuditWhere::kGranule, g);
      }
    }
  }

  GranuleCode CodeOfGranule(std::uint32_t granule) const {
    // relaxed: the threads are quiet
    return tables_.code(granule).load(std::memory_order_relaxed);
  }

  // A unit that begins with the end of an extent: of ours, which may keep all
  // of it, or of a process that is gone.
  bool IsKeptBack(std::uint32_t granule, std::uint32_t first) const {
    // relaxed: our own unit's word
    const GranuleWord word(
        shared_.granule(granule).load(std::memory_order_relaxed));
    return CodeOfGranule(first) == kInteriorCode ||
           (word.is_valid() && word.size_class() == kExtentTailClass);
  }

  // What Take() handed out lies in granules that our touched map names.
  void LookAtTaken() {
    supply_.touched().ForEachKnown([&](std::uint32_t granule) {
      const std::uint32_t first = granule * std::uint32_t{kLinesPerGranule};
      for (std::uint32_t i = 0; i < kLinesPerGranule; ++i) {
        if (StateOf(first + i) != BufferState::kTaken) continue;
        ++report_.taken;
        const auto place = supply_.Locate(BufferRef(first + i));
        // acquire <- buffer.give: only compared.
        const BufferWord word(
            place ? place->word->load(std::memory_order_acquire) : 0);
        if (!word.IsHeldBy(lease_)) {
          Damage(AuditKind::kOwnTaken, AuditWhere::kLine, first + i,
                 word.raw());
        }
      }
    });
  }

  void LookForUnknownUnits() {
    for (std::uint32_t unit = 0; unit < shared_.unit_count(); ++unit) {
      // acquire <- unit.claim: only compared.
      const UnitWord word(shared_.unit(unit).load(std::memory_order_acquire));
      const bool names_us = word.IsOwnedBy(lease_) ||
                            (word.lease_slot() == lease_.slot &&
                             (word.kind() == UnitWord::Kind::kReserved ||
                              word.kind() == UnitWord::Kind::kFreeing ||
                              word.kind() == UnitWord::Kind::kExtentHead));
      if (names_us && !is_in_table_[unit] && !is_extent_[unit]) {
        Damage(AuditKind::kOwnUnitUnknown, AuditWhere::kUnit, unit, word.raw());
      }
    }
  }

  BufferSupply& supply_;
  const SharedTables& shared_;
  const PrivateTables& tables_;
  LeaseId lease_;
  PrivateMapping stored_memory_;
  std::uint8_t* stored_;  // by line: in how many places it lies free
  std::vector<GranuleMap> free_granules_;  // by unit
  std::vector<bool> is_in_table_;          // by unit: owned, for slabs
  std::vector<bool> is_extent_;            // by unit: the head of one of ours
  std::vector<bool> taken_;                // by granule: of a slab
  OwnAuditReport report_;
};

}  // namespace

Result<OwnAuditReport> AuditPrivate(BufferSupply& supply, LeaseId lease) {
  constexpr Failure kNoMemory{Status::kNoMemory,
                              "no private memory for the report"};
  try {
    PrivateAudit audit(supply, lease);
    if (!audit.ok()) return kNoMemory;
    return audit.Run();
  } catch (const std::bad_alloc&) {
    return kNoMemory;
  }
}

}  // namespace zcb::alloc
