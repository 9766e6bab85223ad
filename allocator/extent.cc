#include "allocator/extent.h"

#include "allocator/buffer_word.h"
#include "allocator/granule_word.h"

namespace zcb::alloc {

ExtentTable::ExtentTable(const SharedTables& shared,
                         const PrivateTables& tables, UnitTable& units,
                         LeaseId lease)
    : shared_(shared),
      tables_(tables),
      units_(units),
      words_(shared),
      lease_(lease),
      states_memory_(shared.unit_count() * sizeof(State)),
      owned_memory_(shared.unit_count() * sizeof(std::uint32_t)),
      states_(states_memory_.as<State>()),
      owned_(owned_memory_.as<std::uint32_t>()) {}

void ExtentTable::SetCodes(std::uint32_t unit, std::uint32_t units,
                           GranuleCode head, GranuleCode interior) {
  for (std::uint32_t g = units * shared_.granules_per_unit(); g-- > 0;) {
    // release -> slab.create: the head last; it is in our tables by now.
    tables_.code(shared_.FirstGranuleOf(unit) + g)
        .store(g == 0 ? head : interior, std::memory_order_release);
  }
}

Result<BufferRef> ExtentTable::Alloc(std::uint32_t units) {
  if (!units_.ledger().TryTake(units)) return UnitLedger::kOverQuota;
  const std::optional<std::uint32_t> first = words_.Reserve(lease_, units);
  if (!first) {
    units_.ledger().Give(units);
    return Failure{Status::kNoMemory, "not enough free units in a row"};
  }
  const std::uint32_t granule = shared_.FirstGranuleOf(*first);
  Outcome backed = units_.placement().Commit(shared_.region(), *first, units);
  if (backed) backed = shared_.CommitGranuleWords(*first);
  if (backed) backed = shared_.CommitExtentWord(granule);
  if (!backed) {
    words_.Unreserve(lease_, *first, units);
    units_.ledger().Give(units);
    return backed.failure();
  }
  // relaxed: hints may be wrong
  shared_.sparse_hint(granule)->store(0, std::memory_order_relaxed);
  // release -> granule.publish: the extent's word is backed by memory.
  shared_.granule(granule).store(
      GranuleWord::Make(kExtentClass, 0, units).raw(),
      std::memory_order_release);
  const UnitWord head = words_.Complete(lease_, *first, units);
  const std::uint32_t line = shared_.FirstLineOf(*first);
  {
    const std::lock_guard lock(mutex_);
    states_[*first] = State{head, units, owned_count_};
    owned_[owned_count_++] = *first;
  }
  // A thread that judges an earlier buffer of this line finds no code here.
  tables_.Recall(line);
  SetCodes(*first, units, CodeOf(kExtentClass), kInteriorCode);
  return BufferRef(line);
}

UnitWord ExtentTable::Forget(std::uint32_t unit) {
  State& state = states_[unit];
  const UnitWord head = state.head;
  SetCodes(unit, state.units, kNoCode, kNoCode);
  // release -> slab.retire: the codes are cleared.
  tables_.state(shared_.FirstLineOf(unit))
      .store(BufferState::kAway, std::memory_order_release);
  const std::uint32_t last = owned_[--owned_count_];
  owned_[state.position] = last;
  states_[last].position = state.position;
  state = State{};
  return head;
}

void ExtentTable::GiveBack(std::uint32_t unit, UnitWord head) {
  words_.Free(lease_, unit, head);
  units_.ledger().GiveBack(head.length_units());
}

void ExtentTable::Free(std::uint32_t first_line) {
  const std::uint32_t unit = shared_.UnitOf(BufferRef(first_line));
  UnitWord head;
  {
    const std::lock_guard lock(mutex_);
    head = Forget(unit);
  }
  GiveBack(unit, head);
}

std::uint32_t ExtentTable::Collect() {
  std::uint32_t freed = 0;
  for (std::uint32_t i = 0;; ++i) {
    std::uint32_t unit = 0;
    UnitWord head;
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
      head = Forget(unit);
    }
    --i;  // another one has moved to this place
    GiveBack(unit, head);
    ++freed;
  }
}

void ExtentTable::LeaveAll() {
  const std::lock_guard lock(mutex_);
  while (owned_count_ > 0) {
    const std::uint32_t unit = owned_[owned_count_ - 1];
    // relaxed: our own threads have stopped
    const bool is_away =
        tables_.state(shared_.FirstLineOf(unit))
            .load(std::memory_order_relaxed) == BufferState::kAway;
    const UnitWord head = Forget(unit);
    if (is_away) {
      words_.MakeOrphan(lease_, unit, head);
    } else {
      words_.Free(lease_, unit, head);
    }
  }
}

std::uint32_t ExtentTable::UnitsOf(std::uint32_t first_line) {
  const std::lock_guard lock(mutex_);
  return states_[shared_.UnitOf(BufferRef(first_line))].units;
}

BufferCounts ExtentTable::Count(std::uint64_t* units) {
  const std::lock_guard lock(mutex_);
  BufferCounts counts;
  for (std::uint32_t i = 0; i < owned_count_; ++i) {
    *units += states_[owned_[i]].units;
    // relaxed: a statistic
    const bool is_away =
        tables_.state(shared_.FirstLineOf(owned_[i]))
            .load(std::memory_order_relaxed) == BufferState::kAway;
    ++(is_away ? counts.away : counts.live);
  }
  return counts;
}

}  // namespace zcb::alloc
