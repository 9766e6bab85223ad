#include "allocator/unit_reaper.h"

#include <algorithm>
#include <array>
#include <bit>

#include "allocator/buffer_place.h"
#include "allocator/granule_word.h"
#include "allocator/touched_map.h"

namespace zcb::alloc {
namespace {

using Kind = UnitWord::Kind;

constexpr std::uint32_t kBatch = 8;  // words: a cache line

}  // namespace

bool UnitReaper::IsStillDead() const {
  // acquire <- lease.death, lease.free: orders this look before the swap that
  // follows it.
  return LeaseWord(shared_.region()
                       .lease_word(dead_.slot)
                       .load(std::memory_order_acquire))
      .IsDead(dead_.generation);
}

bool UnitReaper::Run() {
  UndoReservations();
  for (std::uint32_t unit = 0; unit < shared_.unit_count(); ++unit) {
    if (!IsStillDead()) return true;  // somebody has finished before us
    ReapUnit(unit);
  }
  return ReapTouched();
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

bool UnitReaper::IsUnpublished(const BufferRun& run, std::uint32_t index,
                               BufferWord word) const {
  return word.state() == BufferWord::State::kSent &&
         (judge_ == nullptr || !judge_(context_, run.ref(index), word));
}

// Words are read eight at a time, and only then it is asked whether the dead
// one is still dead and the unit still its own. That is enough for all eight:
// - A word that was read before the lease was seen Dead was written by that
//   process or before it, since nobody else becomes that lease until it is
//   Free. And each word is changed only from exactly what was read: had
//   somebody written it since, its generation would have grown.
// - The judgement is about the dead one's send. Were the unit adopted and the
//   buffer sent again meanwhile, "not in the ring" would be yesterday's news:
//   so the unit word is read again after the last judgement.
void UnitReaper::ReapRun(const BufferRun& run, std::optional<UnitWord> holder) {
  const std::uint32_t unit = shared_.UnitOf(BufferRef(run.first_line));
  for (std::uint32_t first = 0; first < run.count; first += kBatch) {
    const std::uint32_t count = std::min(kBatch, run.count - first);
    std::array<std::uint64_t, kBatch> seen;
    std::uint32_t held = 0;
    std::uint32_t unpublished = 0;
    for (std::uint32_t i = 0; i < count; ++i) {
      // acquire <- buffer.leave, buffer.give: and before the looks at the
      // ring, the unit and the lease.
      seen[i] = run.words[first + i].load(std::memory_order_acquire);
      const BufferWord word(seen[i]);
      if (word.IsHeldBy(dead_)) held |= 1U << i;
      if (holder && IsUnpublished(run, first + i, word)) unpublished |= 1U << i;
    }
    if ((held | unpublished) == 0) continue;
    // acquire <- unit.release: and before the swaps.
    if (unpublished != 0 &&
        shared_.unit(unit).load(std::memory_order_acquire) != holder->raw()) {
      unpublished = 0;
    }
    if (!IsStillDead()) return;
    for (std::uint32_t due = held | unpublished; due != 0; due &= due - 1) {
      const auto i = static_cast<std::uint32_t>(std::countr_zero(due));
      FreeWord(run, first + i, seen[i]);
    }
  }
}

void UnitReaper::FreeWord(const BufferRun& run, std::uint32_t index,
                          std::uint64_t seen) {
  // acq_rel -> word.free: nobody reads the bytes any more. relaxed on failure:
  // another reaper was here, or somebody took what the dead one gave.
  if (!run.words[index].compare_exchange_strong(
          seen, BufferWord(seen).Free().raw(), std::memory_order_acq_rel,
          std::memory_order_relaxed)) {
    return;
  }
  // release -> hint.set: after the word.
  run.hints[index].store(1, std::memory_order_release);
  if (run.is_extent) {
    extents_.FreeIfOrphan(self_, shared_.UnitOf(run.ref(index)));
  }
}

bool UnitReaper::ReapTouched() {
  return TouchedMap::ForEachOf(shared_, dead_, [&](std::uint32_t granule) {
    ReapRun(BufferRun::Around(shared_, granule), std::nullopt);
  });
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
    ReapRun(BufferRun::OfSlab(shared_, slab), owned);
  }
  if (!IsStillDead()) return;
  std::uint64_t expected = owned.raw();
  // acq_rel -> unit.release: the dead one's words, and ours, for the adopter.
  shared_.unit(unit).compare_exchange_strong(expected, owned.Abandon().raw(),
                                             std::memory_order_acq_rel,
                                             std::memory_order_relaxed);
}

void UnitReaper::ReapExtent(std::uint32_t unit, UnitWord head) {
  ReapRun(BufferRun::OfExtent(shared_, unit), head);
  if (!IsStillDead()) return;
  // Its word Free: freed at once. Else it waits, nobody's, for its buffer.
  extents_.MakeOrphan(self_, unit, head);
}

}  // namespace zcb::alloc
