#include "allocator/extent.h"

#include "allocator/buffer_word.h"
#include "allocator/granule_map.h"
#include "allocator/granule_word.h"

namespace zcb::alloc {
namespace {

// Another claimer's reservation may be in the way and then be undone: look
// again a few times, but wait for nobody.
constexpr int kPassesWithoutASite = 3;
// Each lost race for a place means that another process got one; after so many
// the caller may as well be told that memory is short.
constexpr int kLostRaces = 64;

}  // namespace

ExtentTable::ExtentTable(const SharedTables& shared,
                         const PrivateTables& tables, UnitTable& units,
                         LeaseId lease)
    : shared_(shared),
      tables_(tables),
      units_(units),
      words_(shared),
      waiting_(shared, units),
      lease_(lease),
      states_memory_(shared.unit_count() * sizeof(State)),
      owned_memory_(shared.unit_count() * sizeof(std::uint32_t)),
      states_(states_memory_.as<State>()),
      owned_(owned_memory_.as<std::uint32_t>()) {}

void ExtentTable::SetCodes(std::uint32_t unit, ExtentSize size,
                           GranuleCode head, GranuleCode interior) {
  for (std::uint32_t g = size.granules(shared_.granules_per_unit()); g-- > 0;) {
    // release -> slab.create: the head last; it is in our tables by now.
    tables_.code(shared_.FirstGranuleOf(unit) + g)
        .store(g == 0 ? head : interior, std::memory_order_release);
  }
}

std::optional<ExtentSite> ExtentTable::Reserve(ExtentSize size) {
  int without = 0;
  for (int lost = 0; lost < kLostRaces;) {
    const std::optional<ExtentSite> site =
        FindExtentSite(shared_, size, lease_, units_);
    if (!site) {
      if (++without == kPassesWithoutASite) break;
      continue;
    }
    ++lost;
    const ExtentTail tail = TailOf(site->first, size);
    if (site->has_tail_unit &&
        !units_.TakeFirstGranules(tail.unit, size.tail_granules)) {
      continue;
    }
    if (words_.ReserveAt(lease_, site->first, site->UnitsToReserve(size))) {
      return site;
    }
    if (site->has_tail_unit) {
      units_.GiveGranules(shared_.FirstGranuleOf(tail.unit),
                          size.tail_granules);
    }
  }
  return std::nullopt;
}

void ExtentTable::Unreserve(const ExtentSite& site, ExtentSize size) {
  words_.Unreserve(lease_, site.first, site.UnitsToReserve(size));
  if (site.has_tail_unit) ReturnTail(TailOf(site.first, size), false);
}

// Only forged words can offer what is in use here. Such units stay Reserved by
// us, so that nobody takes them from us; the rest goes back.
bool ExtentTable::UnreserveIfOurs(const ExtentSite& site, ExtentSize size) {
  const std::uint32_t end = site.first + site.UnitsToReserve(size);
  const auto is_ours = [&](std::uint32_t unit) {
    return units_.IsInUse(unit, tables_);
  };
  bool any = false;
  for (std::uint32_t unit = site.first; unit < end; ++unit) {
    any = any || is_ours(unit);
  }
  if (!any) return false;
  for (std::uint32_t unit = site.first; unit < end; ++unit) {
    if (!is_ours(unit)) words_.Unreserve(lease_, unit, 1);
  }
  if (site.has_tail_unit) ReturnTail(TailOf(site.first, size), false);
  return true;
}

Outcome ExtentTable::Commit(const ExtentSite& site, ExtentSize size) const {
  const std::uint32_t reserved = site.UnitsToReserve(size);
  Outcome backed =
      units_.placement().Commit(shared_.region(), site.first, reserved);
  if (backed) backed = shared_.CommitGranuleWords(site.first);
  if (backed && reserved != size.units) {
    backed = shared_.CommitGranuleWords(site.first + size.units);
  }
  if (backed) {
    backed = shared_.CommitExtentWord(shared_.FirstGranuleOf(site.first));
  }
  return backed;
}

bool ExtentTable::MakeTail(const ExtentSite& site, ExtentSize size) {
  const ExtentTail tail = TailOf(site.first, size);
  if (!tail.exists()) return true;
  if (site.has_tail_unit) {
    WriteTail(shared_, tail);
    return true;
  }
  // What an extent's owner may have left there. Nobody reads the words while
  // the unit is Reserved.
  const std::uint32_t granules = shared_.granules_per_unit();
  ClearTail(shared_, {tail.unit, {size.units, granules}});
  WriteTail(shared_, tail);
  const std::optional<UnitWord> owned = words_.OwnTailUnit(lease_, tail.unit);
  if (!owned) return false;
  units_.Insert(ClaimedUnit{tail.unit, *owned, false}, GranuleMap());
  return true;
}

void ExtentTable::ReturnTail(const ExtentTail& tail, bool with_rest) {
  if (!tail.exists()) return;
  ClearTail(shared_, tail);
  units_.GiveGranules(
      shared_.FirstGranuleOf(tail.unit),
      with_rest ? shared_.granules_per_unit() : tail.size.tail_granules);
}

Result<BufferRef> ExtentTable::Alloc(ExtentSize size) {
  const std::optional<ExtentSite> site = Reserve(size);
  if (!site) {
    return Failure{Status::kNoMemory, "not enough free units in a row"};
  }
  // A new unit for the tail is the unit table's from MakeTail() on.
  const std::uint32_t reserved = site->UnitsToReserve(size);
  if (UnreserveIfOurs(*site, size)) {
    return Failure{Status::kLibrary, "units in use were offered: damaged"};
  }
  if (!units_.ledger().TryTake(reserved)) {
    Unreserve(*site, size);
    return UnitLedger::kOverQuota;
  }
  if (const Outcome backed = Commit(*site, size); !backed) {
    Unreserve(*site, size);
    units_.ledger().Give(reserved);
    return backed.failure();
  }
  if (!MakeTail(*site, size)) {
    Unreserve(*site, size);
    units_.ledger().Give(reserved);
    return Failure{Status::kNoMemory, "the units were taken from us"};
  }
  const std::uint32_t first = site->first;
  const std::uint32_t granule = shared_.FirstGranuleOf(first);
  // relaxed: hints may be wrong
  shared_.sparse_hint(granule)->store(0, std::memory_order_relaxed);
  // release -> granule.publish: the extent's word is backed by memory.
  shared_.granule(granule).store(
      GranuleWord::Make(kExtentClass, size.tail_granules, size.units).raw(),
      std::memory_order_release);
  const UnitWord head = words_.Complete(lease_, first, size.units);
  const std::uint32_t line = shared_.FirstLineOf(first);
  {
    const std::lock_guard lock(mutex_);
    states_[first] = State{head, size, owned_count_,
                           size.tail_granules != 0 && !site->has_tail_unit};
    owned_[owned_count_++] = first;
  }
  // A thread that judges an earlier buffer of this line finds no code here.
  tables_.Recall(line);
  SetCodes(first, size, CodeOf(kExtentClass), kInteriorCode);
  return BufferRef(line);
}

ExtentTable::State ExtentTable::Forget(std::uint32_t unit) {
  const State state = states_[unit];
  SetCodes(unit, state.size, kNoCode, kNoCode);
  // release -> slab.retire: the codes are cleared.
  tables_.state(shared_.FirstLineOf(unit))
      .store(BufferState::kAway, std::memory_order_release);
  const std::uint32_t last = owned_[--owned_count_];
  owned_[state.position] = last;
  states_[last].position = state.position;
  states_[unit] = State{};
  return state;
}

void ExtentTable::FreeForgotten(std::uint32_t unit, const State& state) {
  // Else we were taken for dead, and the tail's unit is not ours either.
  const bool freed = words_.Free(lease_, unit, state.head);
  units_.ledger().GiveBack(state.size.units);
  if (freed) ReturnTail(TailOf(unit, state.size), state.has_rest);
}

void ExtentTable::Free(std::uint32_t first_line) {
  const std::uint32_t unit = shared_.UnitOf(BufferRef(first_line));
  State state;
  {
    const std::lock_guard lock(mutex_);
    state = Forget(unit);
  }
  FreeForgotten(unit, state);
}

std::uint32_t ExtentTable::Collect() {
  std::uint32_t freed = waiting_.Collect();
  for (std::uint32_t i = 0;; ++i) {
    std::uint32_t unit = 0;
    State state;
    {
      const std::lock_guard lock(mutex_);
      if (i >= owned_count_) return freed;
      unit = owned_[i];
      const std::uint32_t granule = shared_.FirstGranuleOf(unit);
      // relaxed: TryTake() decides, by the word; the hint has no say here
      if (tables_.state(shared_.FirstLineOf(unit))
                  .load(std::memory_order_relaxed) != BufferState::kAway ||
          !tables_.TryTake(shared_.FirstLineOf(unit), kExtentClass,
                           *shared_.sparse_word(granule))) {
        continue;
      }
      state = Forget(unit);
    }
    --i;  // another one has moved to this place
    FreeForgotten(unit, state);
    ++freed;
  }
}

std::uint32_t ExtentTable::ReleaseRests() {
  std::uint32_t released = 0;
  for (std::uint32_t i = 0;; ++i) {
    std::uint32_t rest = 0;
    std::uint32_t granules = 0;
    {
      const std::lock_guard lock(mutex_);
      if (i >= owned_count_) return released;
      State& state = states_[owned_[i]];
      if (!state.has_rest) continue;
      state.has_rest = false;
      rest = shared_.FirstGranuleOf(owned_[i]) +
             state.size.granules(shared_.granules_per_unit());
      granules = shared_.granules_per_unit() - state.size.tail_granules;
    }
    units_.GiveGranules(rest, granules);
    ++released;
  }
}

void ExtentTable::LeaveAll() {
  waiting_.Collect();
  for (;;) {
    std::uint32_t unit = 0;
    bool is_away = false;
    State state;
    {
      const std::lock_guard lock(mutex_);
      if (owned_count_ == 0) return;
      unit = owned_[owned_count_ - 1];
      // relaxed: our own threads have stopped
      is_away = tables_.state(shared_.FirstLineOf(unit))
                    .load(std::memory_order_relaxed) == BufferState::kAway;
      state = Forget(unit);
    }
    if (!is_away) {
      FreeForgotten(unit, state);
    } else if (words_.MakeOrphan(lease_, unit, state.head)) {
      // Freed at once, if its buffer had come back; else the tail stays for
      // whoever adopts its unit.
      const ExtentTail tail = TailOf(unit, state.size);
      if (tail.exists() && !IsTailInUse(shared_, tail)) {
        ReturnTail(tail, state.has_rest);
      }
    }
  }
}

ExtentSize ExtentTable::SizeOf(std::uint32_t first_line) {
  const std::lock_guard lock(mutex_);
  return states_[shared_.UnitOf(BufferRef(first_line))].size;
}

BufferCounts ExtentTable::Count(std::uint64_t* units) {
  const std::lock_guard lock(mutex_);
  BufferCounts counts;
  for (std::uint32_t i = 0; i < owned_count_; ++i) {
    *units += states_[owned_[i]].size.units;
    // relaxed: a statistic
    const bool is_away =
        tables_.state(shared_.FirstLineOf(owned_[i]))
            .load(std::memory_order_relaxed) == BufferState::kAway;
    ++(is_away ? counts.away : counts.live);
  }
  return counts;
}

}  // namespace zcb::alloc
