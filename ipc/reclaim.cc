#include "ipc/reclaim.h"

#include <algorithm>
#include <type_traits>

#include "allocator/buffer_word.h"
#include "ipc/entry_word.h"
#include "ipc/member_table.h"
#include "ipc/message_place.h"
#include "ipc/ring.h"

namespace zcb::ipc {
namespace {

using alloc::BufferWord;

// How far the living have read. Reads the tail first: an entry that begins to
// gate afterwards begins at that tail or above.
std::uint64_t LimitOf(const GroupView& group, const alloc::Region& region) {
  CatchUpTail(group);
  // seq_cst <-> member.gate: before the entries; acquire <- ring.tail
  std::uint64_t limit = group.header().tail.load(std::memory_order_seq_cst);
  const std::uint32_t high = group.EntryHigh();
  for (std::uint32_t i = 0; i < high; ++i) {
    EntryState& entry = group.entry(i);
    // seq_cst <-> member.gate: after the tail
    const EntryWord word(entry.word.load(std::memory_order_seq_cst));
    if (word.wants_record()) {
      // Whoever finds a death (or an eviction) that is not in the order puts it
      // there; and frees what nobody else will.
      PublishDown(group, static_cast<std::uint16_t>(i), word.generation());
      FreeIfPassed(group, static_cast<std::uint16_t>(i), word.generation());
    } else if (word.gates() && IsLeaseAlive(region, word.lease())) {
      // acquire <- ring.consume: its last reads below the cursor are over
      limit = std::min(limit, entry.cursor.load(std::memory_order_acquire));
    }
  }
  return limit;
}

// kDone: it was, by somebody else. kStop: the index has moved meanwhile.
enum class Verdict : std::uint8_t { kDone, kFreed, kStop };

inline std::atomic<std::uint64_t>& WordOf(const alloc::OwnBuffer& buffer) {
  return buffer.word();
}
inline std::atomic<std::uint64_t>& WordOf(const alloc::BufferPlace& buffer) {
  return *buffer.word;
}

// One message: turns its buffer's word from Sent to Free or Retained, unless
// that was done. `base` is the reclaimed index at which this pass began: while
// it stands, the sequence bits in a word name one position of the ring only.
template <typename Buffer>
[[gnu::always_inline]] inline Verdict ReclaimBuffer(
    const GroupView& group, alloc::Allocator* allocator, const KeepTable& keeps,
    const Buffer& buffer, alloc::BufferRef ref, std::uint64_t position,
    std::uint64_t base) {
  std::atomic<std::uint64_t>& shared_word = WordOf(buffer);
  for (int tries = 0; tries < kMaxRingRetries; ++tries) {
    // seq_cst <-> keep.dekker: kept is set before its keeper's cursor passed;
    // acquire <- buffer.leave: and if it was sent in a later turn, we see below
    // that the ring has gone on
    std::uint64_t raw = shared_word.load(std::memory_order_seq_cst);
    // acquire <- ring.reclaim: still our turn? (The word was acquired, and the
    // swap is from just that: relaxed would do.)
    if (group.header().reclaimed.load(std::memory_order_acquire) != base) {
      return Verdict::kStop;
    }
    const BufferWord word(raw);
    const bool sent = word.IsSentAs(group.group_slot(), position);
    if (!sent) [[unlikely]] {
      if (word.state() != BufferWord::State::kRetained) return Verdict::kDone;
      if (keeps.AnyoneHolds(ref)) return Verdict::kDone;
    }
    const BufferWord next = sent && word.kept() ? word.Retain() : word.Free();
    // seq_cst <-> keep.dekker, release -> word.free: everybody read the
    // payload to its end; failure relaxed: judge anew
    if (!shared_word.compare_exchange_strong(raw, next.raw(),
                                             std::memory_order_seq_cst,
                                             std::memory_order_relaxed)) {
      continue;
    }
    if (next.is_free()) {
      if constexpr (std::is_same_v<Buffer, alloc::OwnBuffer>) {
        allocator->ComeBack(buffer, next);
      } else {
        allocator->ComeBack(buffer);
      }
      return Verdict::kFreed;
    }
    // Retained now: go round once more and see whether anyone still holds it.
  }
  return Verdict::kStop;
}

[[gnu::always_inline]] inline Verdict ReclaimMessage(
    const GroupView& group, alloc::Allocator* allocator, const KeepTable& keeps,
    SlotWord slot, std::uint64_t position, std::uint64_t base) {
  // Our own and in line, as a rule: then the slot names the buffer itself.
  const alloc::OwnBuffer own = allocator->FindOwn(slot.ref());
  if (own.ok()) [[likely]] {
    return ReclaimBuffer(group, allocator, keeps, own, slot.ref(), position,
                         base);
  }
  const auto message = MessagePlace::Of(*allocator, slot.ref());
  if (!message) return Verdict::kDone;  // its slab is gone: done by someone
  return ReclaimBuffer(group, allocator, keeps, message->buffer(),
                       message->buffer().ref, position, base);
}

// release -> ring.reclaim: all below is applied, or given back
bool MoveReclaimed(const GroupView& group, std::uint64_t from,
                   std::uint64_t to) {
  std::uint64_t expected = from;
  // release -> ring.reclaim: as above; failure relaxed: another one is ahead
  return group.header().reclaimed.compare_exchange_strong(
      expected, to, std::memory_order_release, std::memory_order_relaxed);
}

// Of the messages from `base`, the reclaimed index, to `end`, those of this
// process, and leaves the index where it is; how many came back.
std::uint64_t ReclaimOwn(const GroupView& group, alloc::Allocator* allocator,
                         const KeepTable& keeps, std::uint64_t base,
                         std::uint64_t end, OwnFirst* own) {
  std::uint64_t count = 0;
  // relaxed: a hint; who comes again finds it done
  std::uint64_t position =
      std::max(base, own->done_below.load(std::memory_order_relaxed));
  for (; position < end; ++position) {
    SlotWord slot;
    if (ReadSlot(group, position, &slot) != RingAnswer::kOk) break;
    if (slot.is_control() || !allocator->IsOwn(slot.ref())) continue;
    const Verdict verdict =
        ReclaimMessage(group, allocator, keeps, slot, position, base);
    if (verdict == Verdict::kStop) return count;
    if (verdict == Verdict::kFreed) ++count;
  }
  own->done_below.store(position, std::memory_order_relaxed);  // as above
  return count;
}

}  // namespace

std::uint64_t Reclaim(const GroupView& group, alloc::Allocator* allocator,
                      const KeepTable& keeps, std::uint64_t most,
                      OwnFirst* own) {
  // Who reads zeros sees no member that has not read yet.
  if (allocator->region().IsDamaged()) return 0;
  const std::uint64_t limit = LimitOf(group, allocator->region());
  // acquire <- ring.reclaim: what lies below is done
  std::uint64_t base = group.header().reclaimed.load(std::memory_order_acquire);
  if (limit <= base || limit - base > group.slot_count()) return 0;
  const std::uint64_t start = base;
  const std::uint64_t end = limit - base > most ? base + most : limit;
  const bool own_first =
      own != nullptr && limit - base < group.slot_count() / OwnFirst::kPart;
  // Messages are moved past in one step per run; a control record ends a run.
  std::uint64_t position = base;
  while (position < end) {
    SlotWord slot;
    if (ReadSlot(group, position, &slot) != RingAnswer::kOk) break;
    if (!slot.is_control()) {
      if (own_first && !allocator->IsOwn(slot.ref())) [[unlikely]] {
        if (position != base && !MoveReclaimed(group, base, position)) {
          return base - start;
        }
        return position - start +
               ReclaimOwn(group, allocator, keeps, position, end, own);
      }
      if (ReclaimMessage(group, allocator, keeps, slot, position, base) ==
          Verdict::kStop) {
        return base - start;
      }
      ++position;
      continue;
    }
    if (position != base && !MoveReclaimed(group, base, position)) {
      return base - start;
    }
    base = position;
    // Applied before it is passed; the entry is free before the index moves.
    ApplyRecord(group, slot, position);
    if (slot.control() != SlotWord::Control::kJoin &&
        slot.entry() < group.entry_count()) {
      FreeEntry(group, slot.entry(), slot.entry_generation(), base);
    }
    if (!MoveReclaimed(group, base, position + 1)) return base - start;
    base = ++position;
  }
  if (position != base && MoveReclaimed(group, base, position)) {
    base = position;
  }
  return base - start;
}

}  // namespace zcb::ipc
