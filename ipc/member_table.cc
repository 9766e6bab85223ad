#include "ipc/member_table.h"

#include <algorithm>

#include "ipc/ring.h"
#include "ipc/sleep_word.h"

namespace zcb::ipc {
namespace {

using Phase = EntryWord::Phase;
using Control = SlotWord::Control;

bool EndsMembership(Control kind) {
  return kind == Control::kLeave || kind == Control::kProcessDown;
}

void RaiseEntryHigh(const GroupView& group, std::uint32_t high) {
  std::atomic<std::uint32_t>& word = group.header().entry_high;
  std::uint32_t seen = word.load(std::memory_order_relaxed);  // CAS decides
  while (seen < high &&
         // release -> member.claim: reclaimers look at the entry from now on.
         // seq_cst <-> member.gate: raised before the entry gates.
         !word.compare_exchange_weak(seen, high, std::memory_order_seq_cst,
                                     std::memory_order_relaxed)) {
  }
}

OrderWord Load(const std::atomic<std::uint64_t>& word) {
  // acquire <- member.apply: what the applier saw, we see
  return OrderWord(word.load(std::memory_order_acquire));
}

void SetOnce(std::atomic<std::uint64_t>& word, std::uint16_t generation,
             std::uint64_t position) {
  std::uint64_t expected = OrderWord::Unset(generation).raw();
  // release -> member.apply: first applier wins, all find the same value;
  // failure relaxed: set already, or another generation
  word.compare_exchange_strong(
      expected, OrderWord::At(generation, position).raw(),
      std::memory_order_release, std::memory_order_relaxed);
}

template <typename Visit>
void ForEachMemberAt(const GroupView& group, std::uint64_t position,
                     Visit&& visit) {
  const std::uint32_t high = group.EntryHigh();
  for (std::uint32_t i = 0; i < high; ++i) {
    const EntryState& entry = group.entry(i);
    // acquire <- member.free: a generation newer than the words' means gone
    const EntryWord word(entry.word.load(std::memory_order_acquire));
    if (!IsMemberAt(entry, word, position)) continue;
    // relaxed: carried by the JOIN that we applied or saw applied
    visit(View::Item{{entry.node_id.load(std::memory_order_relaxed),
                      entry.pid.load(std::memory_order_relaxed)},
                     static_cast<std::uint16_t>(i),
                     word.generation()});
  }
}

}  // namespace

Result<ClaimedEntry> ClaimEntry(const GroupView& group, alloc::LeaseId lease,
                                MemberAddress address,
                                std::uint32_t bell_number) {
  for (std::uint32_t i = 0; i < group.entry_count(); ++i) {
    EntryState& entry = group.entry(i);
    // acquire <- member.free: what the last user of the entry did is over
    const EntryWord word(entry.word.load(std::memory_order_acquire));
    if (word.phase() != Phase::kFree) continue;
    RaiseEntryHigh(group, i + 1);
    std::uint64_t expected = word.raw();
    // seq_cst <-> member.gate: gates from here; a reclaimer that missed it had
    // read its tail before we read ours. Failure relaxed: taken, go on.
    if (!entry.word.compare_exchange_strong(expected, word.Join(lease).raw(),
                                            std::memory_order_seq_cst,
                                            std::memory_order_relaxed)) {
      continue;
    }
    const std::uint16_t generation = word.generation();
    // relaxed, all of these: the JOIN's publication carries them
    entry.join.store(OrderWord::Unset(generation).raw(),
                     std::memory_order_relaxed);
    // Who would evict us waits until this generation stands here, and may set
    // the word from then on. So it is stored once, or (the first life of an
    // entry finds zeros, which say just that) not at all.
    if (OrderWord(entry.leave.load(std::memory_order_relaxed)).generation() !=
        generation) {
      // release -> member.apply: whoever sees this sees the join word reset,
      // too, and cannot set it for a late JOIN of the last life
      entry.leave.store(OrderWord::Unset(generation).raw(),
                        std::memory_order_release);
    }
    entry.node_id.store(address.node_id, std::memory_order_relaxed);
    entry.pid.store(address.pid, std::memory_order_relaxed);
    entry.bell_number.store(bell_number, std::memory_order_relaxed);
    RaiseCursorToTail(group, static_cast<std::uint16_t>(i));
    return ClaimedEntry{static_cast<std::uint16_t>(i), generation};
  }
  return {Status::kNoResources, "the group has no room for another member"};
}

void UnclaimEntry(const GroupView& group, const ClaimedEntry& entry,
                  alloc::LeaseId lease) {
  std::atomic<std::uint64_t>& word = group.entry(entry.index).word;
  const EntryWord seen(word.load(std::memory_order_relaxed));  // our own
  std::uint64_t expected = seen.raw();
  if (seen.phase() == Phase::kJoining && seen.lease() == lease &&
      seen.generation() == entry.generation &&
      // release -> member.free: the entry is nobody's; failure relaxed: put
      // out, or reaped
      word.compare_exchange_strong(expected, seen.Free().raw(),
                                   std::memory_order_release,
                                   std::memory_order_relaxed)) {
    return;
  }
  GiveUpEntry(group, entry, lease, false);
}

std::uint64_t RaiseCursorToTail(const GroupView& group, std::uint16_t index) {
  // seq_cst <-> member.gate: read after the entry gates; acquire <- ring.tail
  const std::uint64_t tail =
      group.header().tail.load(std::memory_order_seq_cst);
  // release -> ring.consume: we shall read nothing below
  group.entry(index).cursor.store(tail, std::memory_order_release);
  return tail;
}

void ApplyRecord(const GroupView& group, SlotWord record,
                 std::uint64_t position) {
  if (record.entry() >= group.entry_count()) return;
  EntryState& entry = group.entry(record.entry());
  const std::uint16_t generation = record.entry_generation();
  if (EndsMembership(record.control())) {
    SetOnce(entry.leave, generation, position);
  } else if (record.control() == Control::kJoin) {
    // Gone before it came (it died while joining): it never was a member.
    const OrderWord leave = Load(entry.leave);
    if (leave.generation() == generation && leave.is_set() &&
        leave.position() < position) {
      return;
    }
    SetOnce(entry.join, generation, position);
  }
}

bool RecordCounts(const GroupView& group, SlotWord record,
                  std::uint64_t position) {
  if (record.entry() >= group.entry_count()) return false;
  const EntryState& entry = group.entry(record.entry());
  const OrderWord word =
      Load(EndsMembership(record.control()) ? entry.leave : entry.join);
  return word == OrderWord::At(record.entry_generation(), position);
}

void ApplyUpTo(const GroupView& group, std::uint64_t position) {
  // acquire <- ring.reclaim: what lies below was applied before it was
  // reclaimed
  const std::uint64_t base =
      group.header().reclaimed.load(std::memory_order_acquire);
  const std::uint64_t last = position - base;
  if (last > group.slot_count()) return;  // damaged, or base > position
  // Counted, since a forged position may be the highest number that there is.
  for (std::uint64_t i = 0; i <= last; ++i) {
    const std::uint64_t p = base + i;
    SlotWord slot;
    // Another lap: reclaimed meanwhile, hence applied.
    if (ReadSlot(group, p, &slot) == RingAnswer::kOk && slot.is_control()) {
      ApplyRecord(group, slot, p);
    }
  }
}

std::uint64_t ApplyPublished(const GroupView& group) {
  CatchUpTail(group);
  // acquire <- ring.tail: what lies below is published
  const std::uint64_t tail =
      group.header().tail.load(std::memory_order_acquire);
  if (tail > 0) ApplyUpTo(group, tail - 1);
  return tail;
}

bool IsMemberAt(const EntryState& entry, EntryWord word,
                std::uint64_t position) {
  const OrderWord join = Load(entry.join);
  const OrderWord leave = Load(entry.leave);
  // All three of one generation, or the entry was given away while we looked,
  // which only an entry whose leave was reclaimed is.
  return join.generation() == word.generation() &&
         leave.generation() == word.generation() && join.is_set() &&
         join.position() <= position &&
         (!leave.is_set() || leave.position() > position);
}

void ReadViewAt(const GroupView& group, std::uint64_t position, View* view) {
  view->Clear();
  ForEachMemberAt(group, position,
                  [view](const View::Item& item) { view->Add(item); });
}

std::size_t ReadFirstMembersAt(const GroupView& group, std::uint64_t position,
                               std::span<MemberAddress> members) {
  std::size_t count = 0;
  ForEachMemberAt(group, position, [&](const View::Item& item) {
    const auto end = members.begin() + static_cast<std::ptrdiff_t>(count);
    const auto after = std::upper_bound(members.begin(), end, item.address);
    if (after == members.end()) return;
    if (count < members.size()) ++count;
    const auto new_end = members.begin() + static_cast<std::ptrdiff_t>(count);
    std::move_backward(after, new_end - 1, new_end);
    *after = item.address;
  });
  return count;
}

bool PublishDown(const GroupView& group, std::uint16_t index,
                 std::uint16_t generation) {
  EntryState& entry = group.entry(index);
  const auto says_so = [&](SlotWord slot) {
    return slot.is_control() && EndsMembership(slot.control()) &&
           slot.entry() == index && slot.entry_generation() == generation;
  };
  // acquire <- ring.reclaim: a record below it was applied
  std::uint64_t scanned =
      group.header().reclaimed.load(std::memory_order_acquire);
  for (int tries = 0; tries < kMaxRingRetries; ++tries) {
    // acquire <- member.free: freed means that a record was reclaimed
    const EntryWord word(entry.word.load(std::memory_order_acquire));
    if (!word.wants_record() || word.generation() != generation) return true;
    const OrderWord leave = Load(entry.leave);
    if (leave.generation() == generation && leave.is_set()) return true;
    RingPlace place;
    if (FindPlace(group, group.slot_count(), &place) != RingAnswer::kOk) {
      return false;
    }
    // Everything below the place is filled. A record there would do.
    if (place.position - scanned > group.slot_count()) {
      scanned = place.position > group.slot_count()
                    ? place.position - group.slot_count()
                    : 0;
    }
    for (; scanned < place.position; ++scanned) {
      SlotWord slot;
      if (ReadSlot(group, scanned, &slot) == RingAnswer::kOk && says_so(slot)) {
        // The first of its generation, so it is the one that counts: applying
        // it now spares the next caller the search.
        ApplyRecord(group, slot, scanned);
        return true;
      }
    }
    // Winning this place proves that none came in between.
    const SlotWord record =
        SlotWord::Record(SlotWord::LapOf(place.position, group.slot_shift()),
                         Control::kProcessDown, index, generation);
    if (TryPublish(group, place, record)) {
      ApplyRecord(group, record, place.position);
      return true;
    }
  }
  return false;
}

void PublishMissing(const GroupView& group) {
  const std::uint32_t high = group.EntryHigh();
  for (std::uint32_t i = 0; i < high; ++i) {
    // acquire <- member.down: it names the generation that is gone
    const EntryWord word(group.entry(i).word.load(std::memory_order_acquire));
    if (word.wants_record()) {
      PublishDown(group, static_cast<std::uint16_t>(i), word.generation());
    }
  }
}

void FreeEntry(const GroupView& group, std::uint16_t index,
               std::uint16_t generation, std::uint64_t base) {
  std::atomic<std::uint64_t>& word = group.entry(index).word;
  for (int tries = 0; tries < kMaxRingRetries; ++tries) {
    // acquire <- member.claim: judge the newest word; if it is of a later life,
    // we see below that the record was passed
    const EntryWord seen(word.load(std::memory_order_acquire));
    if (seen.phase() == Phase::kFree || seen.phase() == Phase::kEvicted ||
        seen.generation() != generation) {
      return;
    }
    // acquire <- ring.reclaim: while the record stands, the generation (which
    // wraps) means this life of the entry and no later one
    if (group.header().reclaimed.load(std::memory_order_acquire) != base) {
      return;
    }
    std::uint64_t expected = seen.raw();
    // release -> member.free: nothing of this generation counts any more;
    // failure relaxed: read again
    if (word.compare_exchange_strong(expected, seen.Free().raw(),
                                     std::memory_order_release,
                                     std::memory_order_relaxed)) {
      return;
    }
  }
}

void FreeIfPassed(const GroupView& group, std::uint16_t index,
                  std::uint16_t generation) {
  EntryState& entry = group.entry(index);
  // acquire <- member.down: its process uses the entry no more
  const EntryWord seen(entry.word.load(std::memory_order_acquire));
  if (seen.phase() != Phase::kDown || seen.generation() != generation) return;
  const OrderWord leave = Load(entry.leave);
  if (leave.generation() != generation || !leave.is_set() ||
      // acquire <- ring.reclaim: who moved past the record met the entry
      // Evicted; while the record stands its reclaimer will meet it Down
      leave.position() >=
          group.header().reclaimed.load(std::memory_order_acquire)) {
    return;
  }
  std::uint64_t expected = seen.raw();
  // release -> member.free: as in FreeEntry; failure relaxed: freed
  entry.word.compare_exchange_strong(expected, seen.Free().raw(),
                                     std::memory_order_release,
                                     std::memory_order_relaxed);
}

void GiveUpEntry(const GroupView& group, const ClaimedEntry& entry,
                 alloc::LeaseId lease, bool has_left) {
  std::atomic<std::uint64_t>& word = group.entry(entry.index).word;
  for (int tries = 0; tries < kMaxRingRetries; ++tries) {
    // acquire <- member.claim: as we left it, or <- member.evict: put out
    std::uint64_t raw = word.load(std::memory_order_acquire);
    const EntryWord seen(raw);
    if (!seen.is_occupied() || seen.lease() != lease ||
        seen.generation() != entry.generation ||
        (has_left && seen.phase() != Phase::kEvicted)) {
      return;  // reaped, freed, or about to be
    }
    // acq_rel <-> member.down: gates no more, and names no lease; failure
    // relaxed: freed by a reclaimer, or put out just now
    if (word.compare_exchange_strong(raw, seen.Down().raw(),
                                     std::memory_order_acq_rel,
                                     std::memory_order_relaxed)) {
      PublishDown(group, entry.index, entry.generation);
      return;
    }
  }
}

bool IsLeaseAlive(const alloc::Region& region, alloc::LeaseId lease) {
  if (lease.slot >= region.geometry().lease_count) return false;
  // acquire <- lease.attach: alive with that generation, or gone
  return alloc::LeaseWord(
             region.lease_word(lease.slot).load(std::memory_order_acquire))
      .IsAlive(lease.generation);
}

}  // namespace zcb::ipc
