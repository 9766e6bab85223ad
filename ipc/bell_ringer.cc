#include "ipc/bell_ringer.h"

#include <unistd.h>

#include <cerrno>

#include "ipc/entry_word.h"
#include "ipc/ring.h"

namespace zcb::ipc {

BellRinger::~BellRinger() {
  for (const Cached& cached : cache_) {
    if (cached.descriptor >= 0) close(cached.descriptor);
  }
}

void BellRinger::RingSleepers(const GroupView& group) {
  // seq_cst <-> bell.sleep: read before the members are looked at
  std::uint64_t before = group.header().sleep.load(std::memory_order_seq_cst);
  if (!GroupSleepWord(before).maybe()) return;
  bool somebody_sleeps = false;
  const std::uint32_t high = group.EntryHigh();
  for (std::uint32_t i = 0; i < high; ++i) {
    EntryState& entry = group.entry(i);
    // seq_cst <-> bell.sleep: set before the sleeper looked at its slot
    std::uint64_t raw = entry.sleep.load(std::memory_order_seq_cst);
    const SleepWord sleep(raw);
    if (sleep.state() != SleepWord::State::kSleeping) continue;
    // acquire <- member.claim: whose bell it is
    const EntryWord word(entry.word.load(std::memory_order_acquire));
    if (!word.is_occupied()) continue;  // who was put out must learn it
    somebody_sleeps = true;
    SlotWord slot;
    // acquire <- ring.consume: where the sleeper stands
    const std::uint64_t cursor = entry.cursor.load(std::memory_order_acquire);
    if (ReadSlot(group, cursor, &slot) == RingAnswer::kFull) continue;
    // The bell first, then the mark: killed in between, the next ringer rings
    // again, and the sleeper is awake at any rate.
    if (!Ring({word.lease().slot, word.lease().generation,
               // relaxed: by the claim
               entry.bell_number.load(std::memory_order_relaxed)})) {
      continue;  // not rung, not marked: the next publisher tries again
    }
    // seq_cst <-> bell.sleep: only this sleep, which the epoch names; failure
    // relaxed: it woke up by itself
    entry.sleep.compare_exchange_strong(raw, sleep.Rung().raw(),
                                        std::memory_order_seq_cst,
                                        std::memory_order_relaxed);
  }
  if (!somebody_sleeps) {
    // seq_cst <-> bell.sleep: from exactly what we read first, so a sleeper
    // that came meanwhile keeps its "maybe"; failure relaxed: it did come
    group.header().sleep.compare_exchange_strong(
        before, GroupSleepWord(before).NobodySleeps().raw(),
        std::memory_order_seq_cst, std::memory_order_relaxed);
  }
}

bool BellRinger::Ring(const BellName& name) {
  const std::size_t home =
      (name.lease_slot * 31U + name.number * 7U) % kCachedBells;
  const std::lock_guard lock(mutex_);
  Cached& cached = cache_[home];
  if (cached.descriptor < 0 || cached.name != name) {
    if (cached.descriptor >= 0) close(cached.descriptor);
    cached = {name, OpenRemoteBell(*region_, name)};
    // Gone: nobody waits. Anything else (no descriptors left) may pass.
    if (cached.descriptor < 0) return errno == ENOENT;
  }
  RingDescriptor(cached.descriptor);
  return true;
}

}  // namespace zcb::ipc
