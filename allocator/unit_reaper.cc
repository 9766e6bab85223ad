#include "allocator/unit_reaper.h"

#include "allocator/buffer_place.h"
#include "allocator/granule_word.h"

namespace zcb::alloc {
namespace {

using Kind = UnitWord::Kind;

}  // namespace

bool UnitReaper::IsStillDead() const {
  // acquire <- lease.death, lease.free: orders this look before the swap that
  // follows it.
  return LeaseWord(shared_.region()
                       .lease_word(dead_.slot)
                       .load(std::memory_order_acquire))
      .IsDead(dead_.generation);
}

void UnitReaper::Run() {
  UndoReservations();
  for (std::uint32_t unit = 0; unit < shared_.unit_count(); ++unit) {
    if (!IsStillDead()) return;  // somebody has finished before us
    ReapUnit(unit);
  }
}

// From the top down, because the head of a half-made extent is its lowest unit
// and tells that the members above it are half made too: it goes last.
void UnitReaper::UndoReservations() {
  for (std::uint32_t unit = shared_.unit_count(); unit-- > 0;) {
    // acquire <- unit.claim: and before the looks at the head and the lease.
    std::uint64_t seen = shared_.unit(unit).load(std::memory_order_acquire);
    const UnitWord word(seen);
    if (word.lease_slot() != dead_.slot) continue;
    if (word.kind() == Kind::kMember) {
      const std::uint32_t distance = word.length_units();
      if (distance == 0 || distance > unit) continue;
      // acquire <- unit.claim: and before the look at the lease.
      const UnitWord head(
          shared_.unit(unit - distance).load(std::memory_order_acquire));
      if (head.kind() != Kind::kReserved || head.lease_slot() != dead_.slot) {
        continue;
      }
    } else if (word.kind() != Kind::kReserved) {
      continue;
    }
    if (!IsStillDead()) return;
    // acq_rel -> unit.release: the dead one's last use of it.
    shared_.unit(unit).compare_exchange_strong(seen, word.Free().raw(),
                                               std::memory_order_acq_rel,
                                               std::memory_order_relaxed);
  }
}

void UnitReaper::ReapUnit(std::uint32_t unit) {
  // acquire <- unit.claim: the granule words below it are backed by memory.
  const UnitWord word(shared_.unit(unit).load(std::memory_order_acquire));
  if (word.IsOwnedBy(dead_)) {
    ReapOwned(unit, word);
  } else if (word.lease_slot() == dead_.slot) {
    if (word.kind() == Kind::kFreeing && IsStillDead()) {
      extents_.FinishFreeing(unit, word);
    } else if (word.kind() == Kind::kExtentHead) {
      ReapExtent(unit, word);
    }
  }
}

void UnitReaper::ReapWord(std::uint32_t unit, UnitWord holder, BufferRef ref,
                          SharedTables::Word& word, SharedTables::Hint& hint) {
  // acquire <- buffer.leave: and before the looks at the ring, the unit and the
  // lease.
  std::uint64_t seen = word.load(std::memory_order_acquire);
  const BufferWord sent(seen);
  if (sent.state() != BufferWord::State::kSent) return;
  if (judge_ != nullptr && judge_(context_, ref, sent)) return;
  // The judgement is about the dead one's send. Were the unit adopted and the
  // buffer sent again meanwhile, "not in the ring" would be yesterday's news.
  // acquire <- unit.release: and before the swap.
  if (shared_.unit(unit).load(std::memory_order_acquire) != holder.raw() ||
      !IsStillDead()) {
    return;
  }
  // release -> word.free: nobody reads an unpublished buffer. relaxed on
  // failure: another reaper was here.
  if (word.compare_exchange_strong(seen, sent.Free().raw(),
                                   std::memory_order_acq_rel,
                                   std::memory_order_relaxed)) {
    // release -> hint.set: after the word.
    hint.store(1, std::memory_order_release);
  }
}

void UnitReaper::ReapOwned(std::uint32_t unit, UnitWord owned) {
  for (std::uint32_t g = 0; g < shared_.granules_per_unit(); ++g) {
    const std::uint32_t index = shared_.FirstGranuleOf(unit) + g;
    // acquire <- granule.publish: the slab's words are backed by memory.
    const GranuleWord word(
        shared_.granule(index).load(std::memory_order_acquire));
    const SlabShape slab =
        CheckedShape(word, index, shared_.granules_per_unit());
    if (!slab.ok() || word.granules_to_head() != 0) continue;
    for (std::uint32_t i = 0; i < slab.cut().count; ++i) {
      const BufferPlace place = PlaceAt(shared_, slab, i);
      ReapWord(unit, owned, place.ref, *place.word, *place.hint);
    }
  }
  if (!IsStillDead()) return;
  std::uint64_t expected = owned.raw();
  // acq_rel -> unit.release: the dead one's words, and ours, for the adopter.
  shared_.unit(unit).compare_exchange_strong(expected, owned.Abandon().raw(),
                                             std::memory_order_acq_rel,
                                             std::memory_order_relaxed);
}

void UnitReaper::ReapExtent(std::uint32_t unit, UnitWord head) {
  const BufferPlace place =
      PlaceOfExtent(shared_, unit, {head.length_units(), 0});
  ReapWord(unit, head, place.ref, *place.word, *place.hint);
  if (!IsStillDead()) return;
  // Its word Free: freed at once. Else it waits, nobody's, for its buffer.
  extents_.MakeOrphan(self_, unit, head);
}

}  // namespace zcb::alloc
