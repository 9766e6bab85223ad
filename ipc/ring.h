// The order of a group: a ring of slots that is published into by one
// compare-and-swap, and read in place.
//
//        reclaimed <= every living member's cursor <= tail
//   ...  r ............ c ............ c' ........... t   (t - r <= slots)
//
// There is never a slot that is claimed but not filled: a publisher prepares
// everything first, and the compare-and-swap that puts the reference into the
// tail's slot is the message's place in the order. Whoever finds a filled slot
// at the tail helps the tail forward, so a publisher that stops or dies right
// after it holds nobody up.
//
// Therefore a publisher need not move the tail itself, and one that sends much
// does it now and then: the tail is a lower bound, and everybody who goes by it
// moves it first (CatchUpTail, FindPlace).
//
// (The idea of "fill the slot, then help the tail" is Michael and Scott's
// queue, PODC 1996, turned from a list into a ring; the lap in the slot takes
// the part of their counted pointers.)
//
// What may run at once: any number of publishers and readers in any number of
// processes. A crash between any two steps leaves a ring that others go on
// with. Lock-free: a failed compare-and-swap means that another publisher won.
#ifndef ZCB_IPC_RING_H_
#define ZCB_IPC_RING_H_

#include <atomic>
#include <cstdint>

#include "ipc/group_view.h"
#include "ipc/slot_word.h"

namespace zcb::ipc {

// A free place at the tail, and what is in its slot now.
struct RingPlace {
  std::uint64_t position = 0;
  SlotWord previous;
};

enum class RingAnswer : std::uint8_t { kOk, kFull, kDamaged };

// More turns of a retry loop than any run of honest bad luck takes: beyond it
// the region is damaged, and the caller gets an error instead of a hang.
inline constexpr int kMaxRingRetries = 1 << 20;

// Moves the tail past `position`, which is filled, as is everything below.
inline void HelpTail(const GroupView& group, std::uint64_t position) {
  std::atomic<std::uint64_t>& tail = group.header().tail;
  // relaxed: the compare-and-swap checks it
  std::uint64_t seen = tail.load(std::memory_order_relaxed);
  while (seen <= position &&
         // release -> ring.tail: the slots below the tail are filled; failure
         // relaxed: somebody else has moved it
         !tail.compare_exchange_weak(seen, position + 1,
                                     std::memory_order_release,
                                     std::memory_order_relaxed)) {
  }
}

// Moves the tail past everything that is filled.
inline void CatchUpTail(const GroupView& group) {
  // acquire <- ring.tail: what lies below the tail is filled
  const std::uint64_t tail =
      group.header().tail.load(std::memory_order_acquire);
  std::uint64_t end = tail;
  while (end - tail < group.slot_count() &&
         // acquire <- ring.publish: a filled slot is whole before we pass it
         SlotWord(group.slot(end).load(std::memory_order_acquire)).lap() ==
             SlotWord::LapOf(end, group.slot_shift())) {
    ++end;
  }
  if (end != tail) HelpTail(group, end - 1);
}

// What a publisher remembers of the ring, so that it need not fetch the lines
// of tail and reclaimed, which others write, on the way to its slot. Both are
// lower bounds: positions below `filled_below` were seen filled, positions
// below `reclaimed` were seen reclaimed. Any thread of one process; one that
// goes back by a lost race is still right. Who goes by what another thread saw
// must have seen it, too (ring.hints): it publishes on the strength of that,
// and readers of what it publishes rely on what lies below.
struct RingHints {
  std::atomic<std::uint64_t> filled_below{0};
  std::atomic<std::uint64_t> reclaimed{0};
};

inline std::uint32_t LapBefore(const GroupView& group, std::uint64_t position) {
  return position < group.slot_count()
             ? 0
             : SlotWord::LapOf(position - group.slot_count(),
                               group.slot_shift());
}

// The place at the tail from hints alone: a slot not filled, with all below it
// filled, is the tail's, whatever the tail says. False: ask FindPlace.
inline bool GuessPlace(const GroupView& group, std::uint64_t room,
                       const RingHints& hints, RingPlace* place) {
  // acquire <- ring.hints: the slots below are filled for us, too; we shall
  // move the tail past them
  const std::uint64_t position =
      hints.filled_below.load(std::memory_order_acquire);
  // acquire <- ring.hints: what lies below is done with for us, too; the slot
  // may be filled anew
  const std::uint64_t reclaimed =
      hints.reclaimed.load(std::memory_order_acquire);
  if (position < reclaimed || position - reclaimed >= room) return false;
  // acquire <- ring.publish: stronger than it must be, as in FindPlace()
  const SlotWord slot(group.slot(position).load(std::memory_order_acquire));
  if (slot.lap() != LapBefore(group, position)) return false;
  *place = {position, slot};
  return true;
}

// Finds the place at the tail, if fewer than `room` positions are in use.
// What it read goes into `hints`, if given.
inline RingAnswer FindPlace(const GroupView& group, std::uint64_t room,
                            RingPlace* place, RingHints* hints = nullptr) {
  for (int tries = 0; tries < kMaxRingRetries; ++tries) {
    // acquire <- ring.tail: what lies below the tail is filled
    const std::uint64_t tail =
        group.header().tail.load(std::memory_order_acquire);
    // acquire <- ring.reclaim: what lies below is done with; the slot may be
    // filled anew
    const std::uint64_t reclaimed =
        group.header().reclaimed.load(std::memory_order_acquire);
    if (tail < reclaimed) {  // the tail that we read is old
      // acquire <- ring.reclaim: who moved the index had seen a tail that is
      // not below it, and so do we from here on
      if (group.header().tail.load(std::memory_order_acquire) < reclaimed) {
        return RingAnswer::kDamaged;
      }
      continue;
    }
    const std::uint64_t used = tail - reclaimed;
    if (used > group.slot_count()) return RingAnswer::kDamaged;
    if (hints != nullptr) {
      // release -> ring.hints: what we acquired, for our other threads
      hints->reclaimed.store(reclaimed, std::memory_order_release);
    }
    if (used >= room) return RingAnswer::kFull;
    // acquire <- ring.publish: a filled slot is whole before we pass it.
    // (Relaxed would do: who scans acquires each slot, and finds none older
    // than we did. It costs nothing where it matters.)
    const SlotWord slot(group.slot(tail).load(std::memory_order_acquire));
    if (slot.lap() == SlotWord::LapOf(tail, group.slot_shift())) {
      CatchUpTail(group);
      continue;
    }
    if (slot.lap() == LapBefore(group, tail)) {
      *place = {tail, slot};
      return RingAnswer::kOk;
    }
    // A newer lap is possible only if the tail moved since we read it.
    // relaxed: only compared with what was read before
    if (group.header().tail.load(std::memory_order_relaxed) == tail) {
      return RingAnswer::kDamaged;
    }
  }
  return RingAnswer::kDamaged;
}

// Puts `word` into the place. True: it is in the order, for ever. False:
// somebody else took the place; find another. The tail stays where it is.
inline bool TryFill(const GroupView& group, const RingPlace& place,
                    SlotWord word) {
  std::uint64_t expected = place.previous.raw();
  // release -> ring.publish: header, payload and buffer word are written.
  // seq_cst <-> bell.sleep: filled before we look whether somebody sleeps.
  // Failure relaxed: FindPlace reads everything anew.
  return group.slot(place.position)
      .compare_exchange_strong(expected, word.raw(), std::memory_order_seq_cst,
                               std::memory_order_relaxed);
}

// The same, and moves the tail past it: what a record does, so that the tail is
// past every record whose publisher has returned.
inline bool TryPublish(const GroupView& group, const RingPlace& place,
                       SlotWord word) {
  if (!TryFill(group, place, word)) return false;
  HelpTail(group, place.position);
  return true;
}

// What is at `position`, for a reader that gates it: kFull stands for "not
// published yet".
inline RingAnswer ReadSlot(const GroupView& group, std::uint64_t position,
                           SlotWord* word) {
  // acquire <- ring.publish: header and payload are whole.
  // seq_cst <-> bell.sleep: a sleeper looks here after it said so.
  const SlotWord slot(group.slot(position).load(std::memory_order_seq_cst));
  if (slot.lap() == SlotWord::LapOf(position, group.slot_shift())) {
    *word = slot;
    return RingAnswer::kOk;
  }
  return slot.lap() == LapBefore(group, position) ? RingAnswer::kFull
                                                  : RingAnswer::kDamaged;
}

// Positions in use, as of some time during the call.
std::uint64_t ApproxUsed(const GroupView& group);

}  // namespace zcb::ipc

#endif  // ZCB_IPC_RING_H_
