#include "allocator/unit_table.h"

namespace zcb::alloc {
namespace {

constexpr std::uint32_t kSparesKept = 1;
// Each lost race for a unit means that another process got one; after so many
// in a row the caller may as well be told that memory is short.
constexpr int kClaimPasses = 64;

}  // namespace

UnitTable::UnitTable(const SharedTables& shared, LeaseId lease,
                     const AllocatorOptions& options)
    : shared_(shared),
      lease_(lease),
      options_(options),
      states_memory_(shared.unit_count() * sizeof(State)),
      owned_memory_(shared.unit_count() * sizeof(std::uint32_t)),
      states_(states_memory_.as<State>()),
      owned_(owned_memory_.as<std::uint32_t>()) {}

std::optional<std::uint32_t> UnitTable::TakeGranules(const SizeClass& cut) {
  const std::lock_guard lock(mutex_);
  std::uint32_t best = 0;
  std::uint32_t best_place = GranuleMap::kNoRoom;
  std::uint32_t best_free = kGranulesPerUnit + 1;
  for (std::uint32_t i = 0; i < owned_count_; ++i) {
    const GranuleMap& map = states_[owned_[i]].free;
    const std::uint32_t free = map.free_count();
    if (free < cut.granules || free >= best_free) continue;
    const std::uint32_t place = map.Find(cut);
    if (place == GranuleMap::kNoRoom) continue;
    best = owned_[i];
    best_place = place;
    best_free = free;
    if (free == cut.granules) break;
  }
  if (best_place == GranuleMap::kNoRoom) return std::nullopt;
  spare_count_ -= IsSpare(states_[best]);
  states_[best].free.Take(best_place, cut.granules);
  return shared_.FirstGranuleOf(best) + best_place;
}

void UnitTable::GiveGranules(std::uint32_t first, std::uint32_t granules) {
  const std::uint32_t unit = shared_.UnitOfGranule(first);
  const std::lock_guard lock(mutex_);
  State& state = states_[unit];
  state.free.Give(first - shared_.FirstGranuleOf(unit), granules);
  if (!IsSpare(state)) return;
  if (spare_count_ == kSparesKept) {
    Remove(unit, state.word.Free());
  } else {
    ++spare_count_;
  }
}

// A unit that is not ours has no granule free.
bool UnitTable::HasFirstGranules(std::uint32_t unit, std::uint32_t granules) {
  const std::lock_guard lock(mutex_);
  return states_[unit].free.IsFree(0, granules);
}

bool UnitTable::TakeFirstGranules(std::uint32_t unit, std::uint32_t granules) {
  const std::lock_guard lock(mutex_);
  State& state = states_[unit];
  if (!state.free.IsFree(0, granules)) return false;
  spare_count_ -= IsSpare(state);
  state.free.Take(0, granules);
  return true;
}

std::optional<ClaimedUnit> UnitTable::TryClaim(std::uint32_t unit,
                                               UnitWord seen) {
  const UnitWord ours = seen.Own(lease_);
  std::uint64_t expected = seen.raw();
  // release -> unit.claim: the granule words are backed by memory.
  // acquire <- unit.release: the last owner has finished with it all.
  // relaxed on failure: somebody else's now.
  if (!shared_.unit(unit).compare_exchange_strong(expected, ours.raw(),
                                                  std::memory_order_acq_rel,
                                                  std::memory_order_relaxed)) {
    return std::nullopt;
  }
  return ClaimedUnit{unit, ours, seen.kind() == UnitWord::Kind::kAbandoned};
}

Result<ClaimedUnit> UnitTable::Claim(Want want) {
  constexpr Failure kFull{Status::kNoMemory,
                          "every unit of the region is in use"};
  for (int pass = 0; pass < kClaimPasses; ++pass) {
    // In order of preference; the lowest index of each.
    enum : std::size_t { kAbandoned, kCommitted, kHole, kNothing };
    std::size_t best = kNothing;
    std::uint32_t best_unit = 0;
    UnitWord best_word;
    for (std::uint32_t i = 0; i < shared_.unit_count() && best != kAbandoned;
         ++i) {
      // relaxed: only looks for a candidate
      const UnitWord word(shared_.unit(i).load(std::memory_order_relaxed));
      std::size_t rank = kNothing;
      if (word.kind() == UnitWord::Kind::kAbandoned) {
        rank = kAbandoned;
      } else if (word.kind() == UnitWord::Kind::kFree && want == Want::kAny) {
        rank = shared_.region().IsUnitCommitted(i) ? kCommitted : kHole;
      }
      if (rank >= best) continue;
      best = rank;
      best_unit = i;
      best_word = word;
    }
    if (best == kNothing) return kFull;
    // Before the claim: once the word names an owner, others read them.
    if (const Outcome backed = shared_.CommitGranuleWords(best_unit); !backed) {
      return backed.failure();
    }
    const std::optional<ClaimedUnit> unit = TryClaim(best_unit, best_word);
    if (!unit) continue;
    // Also for an adopted one: its owner may have died before this step.
    if (const Outcome backed = shared_.region().CommitUnits(unit->index, 1);
        !backed) {
      const UnitWord back =
          unit->was_abandoned ? unit->word.Abandon() : unit->word.Free();
      std::uint64_t expected = unit->word.raw();
      // release -> unit.release: we have touched nothing.
      shared_.unit(unit->index)
          .compare_exchange_strong(expected, back.raw(),
                                   std::memory_order_release,
                                   std::memory_order_relaxed);
      return backed.failure();
    }
    if (!unit->was_abandoned) {
      // What an extent's owner may have left here. relaxed: invisible until
      // granule.publish says more
      for (std::uint32_t g = 0; g < shared_.granules_per_unit(); ++g) {
        shared_.granule(shared_.FirstGranuleOf(unit->index) + g)
            .store(0, std::memory_order_relaxed);
      }
    }
    return *unit;
  }
  return kFull;
}

void UnitTable::Insert(const ClaimedUnit& unit, GranuleMap free) {
  const std::lock_guard lock(mutex_);
  states_[unit.index] = State{unit.word, free, owned_count_};
  owned_[owned_count_++] = unit.index;
  spare_count_ += IsSpare(states_[unit.index]);
}

void UnitTable::Abandon(const ClaimedUnit& unit) {
  std::uint64_t expected = unit.word.raw();
  // release -> unit.release: whatever we wrote into it. On failure it is no
  // longer ours anyway.
  shared_.unit(unit.index)
      .compare_exchange_strong(expected, unit.word.Abandon().raw(),
                               std::memory_order_release,
                               std::memory_order_relaxed);
}

// With the lock held.
void UnitTable::Remove(std::uint32_t unit, UnitWord next) {
  State& state = states_[unit];
  const std::uint32_t last = owned_[--owned_count_];
  owned_[state.position] = last;
  states_[last].position = state.position;
  std::uint64_t expected = state.word.raw();
  // release -> unit.release: our last use of everything in the unit. A failure
  // means that somebody took us for dead: it is his, and we let go of it.
  shared_.unit(unit).compare_exchange_strong(expected, next.raw(),
                                             std::memory_order_release,
                                             std::memory_order_relaxed);
  state = State{};
}

std::uint32_t UnitTable::ReturnFreeUnits() {
  const std::lock_guard lock(mutex_);
  std::uint32_t returned = 0;
  for (std::uint32_t i = owned_count_; i-- > 0;) {
    const std::uint32_t unit = owned_[i];
    if (!IsSpare(states_[unit])) continue;
    Remove(unit, states_[unit].word.Free());
    ++returned;
  }
  spare_count_ = 0;
  return returned;
}

void UnitTable::LeaveAll() {
  const std::lock_guard lock(mutex_);
  while (owned_count_ > 0) {
    const std::uint32_t unit = owned_[owned_count_ - 1];
    const State& state = states_[unit];
    Remove(unit, IsSpare(state) ? state.word.Free() : state.word.Abandon());
  }
  spare_count_ = 0;
}

std::uint32_t UnitTable::owned_count() {
  const std::lock_guard lock(mutex_);
  return owned_count_;
}

}  // namespace zcb::alloc
