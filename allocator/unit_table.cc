#include "allocator/unit_table.h"

#include <algorithm>

namespace zcb::alloc {
namespace {

// A process leaves this share of what is free to the others, so that ten of
// them do not sit on a region that nobody uses.
constexpr std::uint32_t kFreeShare = 4;
// A swing as wide as the spares moves twice their bytes from crest to crest: a
// period sees several of them.
constexpr std::uint64_t kPeriodSpares = 8;
// What only goes between magazines and depot is private: a shared line is read
// for it no more often than this.
constexpr std::uint64_t kTrafficPerSettleBytes = std::uint64_t{16} << 20;
// Idle memory is looked after once in so many returned units, and grows old
// from one look to the next.
constexpr std::uint64_t kReturnsPerLook = 16;

std::uint64_t QuotaUnits(const SharedTables& shared,
                         const AllocatorOptions& options) {
  return options.quota_bytes == AllocatorOptions::kNoQuota
             ? UnitLedger::kNoQuota
             : options.quota_bytes / shared.unit_bytes();
}

}  // namespace

UnitTable::UnitTable(const SharedTables& shared, LeaseId lease,
                     const AllocatorOptions& options)
    : shared_(shared),
      options_(options),
      ledger_(QuotaUnits(shared, options)),
      claimer_(shared, lease, ledger_, options),
      idle_(shared, claimer_),
      states_memory_(shared.unit_count() * sizeof(State)),
      owned_memory_(shared.unit_count() * sizeof(std::uint32_t)),
      room_(shared.unit_count(), shared.granules_per_unit()),
      states_(states_memory_.as<State>()),
      owned_(owned_memory_.as<std::uint32_t>()),
      spare_limit_(SpareLimit(claimer_.CountFree())),
      // relaxed: a hint
      pressure_seen_(
          shared.region().pressure().load(std::memory_order_relaxed)),
      next_settle_bytes_(kTrafficPerSettleBytes),
      period_end_bytes_(PeriodBytes()),
      next_look_units_(kReturnsPerLook) {}

std::uint32_t UnitTable::SpareLimit(std::uint32_t free_units) const {
  const std::uint64_t most_bytes =
      options_.SpareBytesIn(shared_.region().geometry().region_bytes);
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(
      most_bytes / shared_.unit_bytes(), free_units / kFreeShare));
}

std::uint64_t UnitTable::PeriodBytes() const {
  return std::max(kTrafficPerSettleBytes,
                  kPeriodSpares * spare_limit_ * shared_.unit_bytes());
}

std::optional<std::uint32_t> UnitTable::TakeGranules(const SizeClass& cut) {
  const std::lock_guard lock(mutex_);
  const std::uint32_t unit = room_.Find(cut);
  if (unit == RoomIndex::kNone) return std::nullopt;
  State& state = states_[unit];
  const std::uint32_t place = state.free.Find(cut);
  if (place == GranuleMap::kNoRoom) return std::nullopt;
  spare_count_ -= IsSpare(state);
  least_spares_ = std::min(least_spares_, spare_count_);
  room_.Remove(unit);
  state.free.Take(place, cut.granules);
  room_.Insert(unit, state.free);
  return shared_.FirstGranuleOf(unit) + place;
}

void UnitTable::GiveGranules(std::uint32_t first, std::uint32_t granules) {
  const std::uint32_t unit = shared_.UnitOfGranule(first);
  const std::lock_guard lock(mutex_);
  State& state = states_[unit];
  room_.Remove(unit);
  state.free.Give(first - shared_.FirstGranuleOf(unit), granules);
  room_.Insert(unit, state.free);
  if (!IsSpare(state)) return;
  ++spare_count_;
  ReturnSpares(spare_limit_);
}

void UnitTable::GiveRest(std::uint32_t unit, const GranuleMap& rest) {
  // Then it may have been all free, and gone back, already.
  if (rest.free_count() == 0) return;
  const std::lock_guard lock(mutex_);
  State& state = states_[unit];
  room_.Remove(unit);
  state.free.Give(rest);
  room_.Insert(unit, state.free);
  spare_count_ += IsSpare(state);
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
  least_spares_ = std::min(least_spares_, spare_count_);
  room_.Remove(unit);
  state.free.Take(0, granules);
  room_.Insert(unit, state.free);
  return true;
}

void UnitTable::Insert(const ClaimedUnit& unit, GranuleMap free) {
  const std::lock_guard lock(mutex_);
  states_[unit.index] = State{unit.word, free, owned_count_};
  owned_[owned_count_++] = unit.index;
  room_.Insert(unit.index, free);
  spare_count_ += IsSpare(states_[unit.index]);
}

void UnitTable::Abandon(const ClaimedUnit& unit) {
  claimer_.Release(unit.index, unit.word, unit.word.Abandon());
  ledger_.Give(1);
}

void UnitTable::Remove(std::uint32_t unit, UnitWord next) {
  State& state = states_[unit];
  const std::uint32_t last = owned_[--owned_count_];
  owned_[state.position] = last;
  states_[last].position = state.position;
  room_.Remove(unit);
  claimer_.Release(unit, state.word, next);
  ledger_.GiveBack(1);
  state = State{};
}

std::uint32_t UnitTable::ReturnSpares(std::uint32_t kept) {
  std::uint32_t returned = 0;
  while (spare_count_ > kept) {
    const std::uint32_t unit = room_.OldestEmpty();
    if (unit == RoomIndex::kNone) break;
    Remove(unit, states_[unit].word.Free());
    --spare_count_;
    ++returned;
  }
  least_spares_ = std::min(least_spares_, spare_count_);
  return returned;
}

bool UnitTable::NoteTraffic(std::uint64_t bytes) {
  // relaxed: a clock that may lose a tick
  const std::uint64_t now =
      traffic_bytes_.load(std::memory_order_relaxed) + bytes;
  traffic_bytes_.store(now, std::memory_order_relaxed);
  return now >= next_settle_bytes_.load(std::memory_order_relaxed);
}

bool UnitTable::HearsPressure() {
  // relaxed: a hint, and what we remember of it
  const std::uint32_t pressure =
      shared_.region().pressure().load(std::memory_order_relaxed);
  return pressure_seen_.load(std::memory_order_relaxed) != pressure &&
         pressure_seen_.exchange(pressure, std::memory_order_relaxed) !=
             pressure;
}

void UnitTable::Settle() {
  // relaxed: private hints; of two threads that see something due, either may
  // do it
  const std::uint64_t now = traffic_bytes_.load(std::memory_order_relaxed);
  next_settle_bytes_.store(now + kTrafficPerSettleBytes,
                           std::memory_order_relaxed);
  // relaxed: as above
  if (now >= period_end_bytes_.load(std::memory_order_relaxed)) EndPeriod(now);
  if (options_.idle_bytes == AllocatorOptions::kKeepAll) return;
  const std::uint64_t returned = ledger_.returned_units();
  // relaxed: as above
  if (returned < next_look_units_.load(std::memory_order_relaxed)) {
    return;
  }
  next_look_units_.store(returned + kReturnsPerLook, std::memory_order_relaxed);
  idle_.GiveBackOld(options_.idle_bytes);
}

void UnitTable::AskOthers() {
  // relaxed: only asks for a look
  shared_.region().pressure().fetch_add(1, std::memory_order_relaxed);
}

void UnitTable::EndPeriod(std::uint64_t now) {
  claimer_.Rewind();
  const std::uint32_t free_units = claimer_.CountFree();
  const std::lock_guard lock(mutex_);
  spare_limit_ = SpareLimit(free_units + spare_count_);
  // relaxed: as in Settle()
  period_end_bytes_.store(now + PeriodBytes(), std::memory_order_relaxed);
  // Half of what was not needed, and all that is too much by now.
  ReturnSpares(std::min(spare_limit_, spare_count_ - (least_spares_ + 1) / 2));
  least_spares_ = spare_count_;
}

std::uint32_t UnitTable::ReturnFreeUnits() {
  const std::lock_guard lock(mutex_);
  return ReturnSpares(0);
}

void UnitTable::LeaveAll() {
  const std::lock_guard lock(mutex_);
  ReturnSpares(0);
  while (owned_count_ > 0) {
    const std::uint32_t unit = owned_[owned_count_ - 1];
    Remove(unit, states_[unit].word.Abandon());
  }
}

bool UnitTable::IsInUse(std::uint32_t unit, const PrivateTables& tables) {
  {
    const std::lock_guard lock(mutex_);
    if (states_[unit].word.kind() == UnitWord::Kind::kOwned) return true;
  }
  return tables.UsesAny(shared_.FirstGranuleOf(unit),
                        shared_.granules_per_unit());
}

std::uint32_t UnitTable::owned_count() {
  const std::lock_guard lock(mutex_);
  return owned_count_;
}

}  // namespace zcb::alloc
