#include "allocator/handover.h"

#include "allocator/buffer_run.h"
#include "allocator/poison.h"

namespace zcb::alloc {
namespace {

constexpr Failure kDamaged{Status::kLibrary,
                           "the region is damaged: a taken buffer's word"};

}  // namespace

BufferTicket Handover::Give(const BufferPlace& own, std::uint32_t size_class) {
  // relaxed: all set it to the same
  if (!has_given_.load(std::memory_order_relaxed)) {
    has_given_.store(true, std::memory_order_relaxed);
  }
  // relaxed: only this thread writes it while the buffer is live
  const BufferWord before(own.word->load(std::memory_order_relaxed));
  const BufferWord given =
      before.Give(supply_.lease(), BufferTicket::Step(before, size_class));
  std::atomic<BufferState>& state = supply_.tables().state(own.ref.line());
  // Nobody has the ticket yet, but one may be guessed, or be left of a region
  // that was removed: a thread of ours that brings it waits while it is so.
  // relaxed: carried by the word
  state.store(BufferState::kLeaving, std::memory_order_relaxed);
  // release -> buffer.give: the bytes.
  own.word->store(given.raw(), std::memory_order_release);
  // release -> buffer.leave: the word, which says that the buffer is out.
  state.store(BufferState::kAway, std::memory_order_release);
  return BufferTicket::Of(own.ref, given);
}

Result<BufferTicket> Handover::GiveOn(BufferRef taken) {
  std::atomic<BufferState>& state = supply_.tables().state(taken.line());
  BufferState expected = BufferState::kTaken;
  // relaxed: decides between threads of ours, hands nothing on
  if (!state.compare_exchange_strong(expected, BufferState::kLeaving,
                                     std::memory_order_relaxed,
                                     std::memory_order_relaxed)) {
    return {Status::kInvalidParam, "given or freed by another thread"};
  }
  const std::optional<BufferPlace> place = supply_.Locate(taken);
  // relaxed: our own word
  std::uint64_t seen = place ? place->word->load(std::memory_order_relaxed) : 0;
  const BufferWord given =
      BufferWord(seen).Give(supply_.lease(), BufferTicket::kStepOn);
  // release -> buffer.give: the bytes. relaxed on failure: nothing was learnt.
  const bool ok = place && BufferWord(seen).IsHeldBy(supply_.lease()) &&
                  place->word->compare_exchange_strong(
                      seen, given.raw(), std::memory_order_release,
                      std::memory_order_relaxed);
  // release -> buffer.leave: the word, as in Give().
  state.store(BufferState::kAway, std::memory_order_release);
  if (!ok) return kDamaged;
  return BufferTicket::Of(taken, given);
}

// First the word, which decides between all takers; then the state. A crash in
// between leaves Held{us}, as after.
//
// Ours again: the state goes before the word is Free, as in a send that is
// cancelled; or a thread of ours that collects would take the buffer.
Result<BufferRef> Handover::Take(BufferTicket ticket) {
  constexpr Failure kWorthless{Status::kNotExist,
                               "the ticket was used, withdrawn or never given"};
  const BufferRef ref = ticket.ref();
  const PrivateTables& tables = supply_.tables();
  if (ref.line() >= tables.line_count()) {
    return {Status::kInvalidParam, "outside the region"};
  }
  const std::optional<BufferPlace> place = supply_.Locate(ref);
  if (!place) return kWorthless;
  // relaxed: the compare-and-swap checks it
  std::uint64_t seen = place->word->load(std::memory_order_relaxed);
  if (!ticket.IsFor(BufferWord(seen))) return kWorthless;
  // Should a thread of ours adopt the unit after this, it is taken all the
  // same, and comes home when it is freed.
  const bool is_own = tables.StartAt(ref.line()).ok();
  if (!is_own) {
    if (const Outcome added = supply_.touched().Add(ref.granule()); !added) {
      return added.failure();
    }
  }
  const BufferWord taken = BufferWord(seen).Give(supply_.lease());
  // acquire <- buffer.give: the giver's bytes. relaxed on failure: another
  // one's.
  if (!place->word->compare_exchange_strong(seen, taken.raw(),
                                            std::memory_order_acquire,
                                            std::memory_order_relaxed)) {
    return kWorthless;
  }
  if (!tables.Recall(ref.line(),
                     is_own ? BufferState::kLive : BufferState::kTaken)) {
    return kDamaged;
  }
  if (is_own) {
    // release -> word.free: the state.
    place->word->store(taken.Free().raw(), std::memory_order_release);
  }
  return ref;
}

// The state goes before the word: once that is Free, the owner may give us the
// same buffer again, and another thread of ours may take it. Of two threads
// that free it, the word lets one.
Outcome Handover::FreeTaken(BufferRef taken, bool poison) {
  const std::optional<BufferPlace> place = supply_.Locate(taken);
  // relaxed: our own word
  std::uint64_t seen = place ? place->word->load(std::memory_order_relaxed) : 0;
  const BufferWord word(seen);
  const bool ok = place && word.IsHeldBy(supply_.lease());
  if (ok && poison) Poison(supply_.PointerTo(taken), place->usable_bytes);
  // release -> buffer.leave: our last use of the byte.
  supply_.tables()
      .state(taken.line())
      .store(BufferState::kAway, std::memory_order_release);
  if (!ok) return kDamaged;
  // release -> word.free: our last use of the bytes. relaxed on failure:
  // another thread was faster.
  if (!place->word->compare_exchange_strong(seen, word.Free().raw(),
                                            std::memory_order_release,
                                            std::memory_order_relaxed)) {
    return {Status::kInvalidParam, "already free"};
  }
  supply_.ComeBack(*place);
  return {};
}

std::uint64_t Handover::CountTaken() const {
  std::uint64_t count = 0;
  supply_.touched().ForEachKnown([&](std::uint32_t granule) {
    const std::uint32_t first = granule * std::uint32_t{kLinesPerGranule};
    for (std::uint32_t i = 0; i < kLinesPerGranule; ++i) {
      // relaxed: a statistic
      count += supply_.tables().state(first + i).load(
                   std::memory_order_relaxed) == BufferState::kTaken;
    }
  });
  return count;
}

bool Handover::LetGo(const BufferPlace& place) {
  // relaxed: the compare-and-swap checks it
  std::uint64_t seen = place.word->load(std::memory_order_relaxed);
  const BufferWord word(seen);
  if (!word.IsHeldBy(supply_.lease())) return false;
  std::atomic<BufferState>& state = supply_.tables().state(place.ref.line());
  // relaxed: our other threads have stopped. Of a buffer that we have, and did
  // not take, the word was forged: it would come home a second time.
  const BufferState seen_state = state.load(std::memory_order_relaxed);
  if (seen_state != BufferState::kAway && seen_state != BufferState::kTaken) {
    return false;
  }
  // release -> buffer.leave: as in FreeTaken().
  state.store(BufferState::kAway, std::memory_order_release);
  // release -> word.free: our last use of the bytes. relaxed on failure:
  // somebody has just taken it.
  if (!place.word->compare_exchange_strong(seen, word.Free().raw(),
                                           std::memory_order_release,
                                           std::memory_order_relaxed)) {
    return false;
  }
  supply_.ComeBack(place);
  return true;
}

void Handover::LetAllGo() {
  const SharedTables& shared = supply_.shared();
  const auto let_go_of = [&](const BufferRun& run) {
    for (std::uint32_t i = 0; i < run.count; ++i) {
      // By the place, which for our own units comes from private tables.
      if (const auto place = supply_.Locate(run.ref(i))) LetGo(*place);
    }
  };
  supply_.touched().ForEachKnown([&](std::uint32_t granule) {
    let_go_of(BufferRun::Around(shared, granule));
  });
  // relaxed: our other threads have stopped
  if (!has_given_.load(std::memory_order_relaxed)) return;
  for (std::uint32_t g = 0; g < shared.granule_count(); ++g) {
    const std::uint32_t line = g * std::uint32_t{kLinesPerGranule};
    const PrivateTables::Start start = supply_.tables().StartAt(line);
    if (!start.ok() || start.index != 0) continue;
    let_go_of(start.slab.ok() ? BufferRun::OfSlab(shared, start.slab)
                              : BufferRun::OfExtent(
                                    shared, shared.UnitOf(BufferRef(line))));
  }
}

}  // namespace zcb::alloc
