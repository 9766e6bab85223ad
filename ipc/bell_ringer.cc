#include "ipc/bell_ringer.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <new>

#include "allocator/cancel_shield.h"
#include "ipc/entry_word.h"
#include "ipc/futex.h"
#include "ipc/ring.h"

namespace zcb::ipc {

BellRinger::BellRinger(const alloc::Region* region) : region_(region) {
  Reserve();
}

BellRinger::~BellRinger() {
  if (cache_ == nullptr) return;
  for (const Cached& cached : *cache_) {
    if (cached.descriptor >= 0) close(cached.descriptor);
  }
}

void BellRinger::RingSleepers(const GroupView& group) {
  // seq_cst <-> bell.sleep: read before the members are looked at
  std::uint64_t before = group.header().sleep.load(std::memory_order_seq_cst);
  if (!GroupSleepWord(before).maybe()) return;
  const std::uint32_t high = group.EntryHigh();
  bool somebody_sleeps = false;
  bool we_sleep = false;
  const auto ring = [&](bool ours) {
    for (std::uint32_t i = 0; i < high; ++i) {
      EntryState& entry = group.entry(i);
      // seq_cst <-> bell.sleep: set before the sleeper looked at its slot
      std::uint64_t raw = entry.sleep.load(std::memory_order_seq_cst);
      const SleepWord sleep(raw);
      if (!sleep.is_asleep()) continue;
      // acquire <- member.claim: whose bell it is
      const EntryWord word(entry.word.load(std::memory_order_acquire));
      if (!word.is_occupied()) continue;  // who was put out must learn it
      const bool is_ours = word.lease() == region_->lease();
      if (is_ours) we_sleep = true;
      if (is_ours != ours) continue;
      somebody_sleeps = true;
      SlotWord slot;
      // acquire <- ring.consume: where the sleeper stands
      const std::uint64_t cursor = entry.cursor.load(std::memory_order_acquire);
      if (ReadSlot(group, cursor, &slot) == RingAnswer::kFull) continue;
      // The bell first, then the mark: killed in between, the next ringer rings
      // again, and the sleeper is awake at any rate.
      if (sleep.state() == SleepWord::State::kParked) {
        FutexRing(&entry.bell);
      } else if (!Ring({word.lease().slot, word.lease().generation,
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
  };
  // A program that polls has its own messages announced, too. The others first:
  // they can run meanwhile.
  ring(false);
  if (we_sleep) ring(true);
  if (!somebody_sleeps) {
    // seq_cst <-> bell.sleep: from exactly what we read first, so a sleeper
    // that came meanwhile keeps its "maybe"; failure relaxed: it did come
    group.header().sleep.compare_exchange_strong(
        before, GroupSleepWord(before).NobodySleeps().raw(),
        std::memory_order_seq_cst, std::memory_order_relaxed);
  }
}

bool BellRinger::RingForRoom(const GroupView& group, bool memory_came_back,
                             bool keep_maybe) {
  // seq_cst <-> room.wait: read before the waiters are looked at
  std::uint64_t before = group.header().room.load(std::memory_order_seq_cst);
  if (!GroupSleepWord(before).maybe()) return false;
  const std::uint32_t there_is =
      (ApproxUsed(group) < group.message_room() ? EntryState::kWantsRoom : 0) |
      (memory_came_back ? EntryState::kWantsMemory : 0);
  bool somebody_waits = false;
  bool memory_is_wanted = false;
  const std::uint32_t high = group.EntryHigh();
  for (std::uint32_t i = 0; i < high; ++i) {
    EntryState& entry = group.entry(i);
    // seq_cst <-> room.wait: set before the waiter looked for room
    std::uint64_t raw = entry.room.load(std::memory_order_seq_cst);
    const SleepWord wait(raw);
    if (!wait.is_asleep()) continue;
    // acquire <- member.claim: whose bell it is
    const EntryWord word(entry.word.load(std::memory_order_acquire));
    if (!word.is_occupied()) continue;
    somebody_waits = true;
    // relaxed: carried by the room word
    const std::uint32_t wants = entry.wants.load(std::memory_order_relaxed);
    if ((wants & EntryState::kWantsMemory) != 0) memory_is_wanted = true;
    if ((wants & there_is) == 0) continue;
    if (!RingRoomBell(&entry, word.lease())) continue;
    // seq_cst <-> room.wait: only this wait, which the epoch names; failure
    // relaxed: it ended by itself
    entry.room.compare_exchange_strong(raw, wait.Rung().raw(),
                                       std::memory_order_seq_cst,
                                       std::memory_order_relaxed);
  }
  if (!somebody_waits && !keep_maybe) {
    // seq_cst <-> room.wait: from exactly what we read first, so a waiter that
    // came meanwhile keeps its "maybe"; failure relaxed: it did come
    group.header().room.compare_exchange_strong(
        before, GroupSleepWord(before).NobodySleeps().raw(),
        std::memory_order_seq_cst, std::memory_order_relaxed);
  }
  return memory_is_wanted;
}

// The bell first, then the mark, as for sleepers. A waiter hears both bells.
bool BellRinger::RingRoomBell(EntryState* entry, alloc::LeaseId lease) {
  FutexRing(&entry->room_bell);
  // relaxed: carried by the room word
  const std::uint32_t number =
      entry->room_bell_number.load(std::memory_order_relaxed);
  return number == 0 || Ring({lease.slot, lease.generation, number - 1});
}

bool BellRinger::Ring(const BellName& name) {
  const std::size_t home =
      (name.lease_slot * 31U + name.number * 7U) % kCachedBells;
  const alloc::CancelShield shield;  // also where destructors ring
  const std::lock_guard lock(mutex_);
  if (cache_ == nullptr) cache_.reset(new (std::nothrow) Cache);
  if (cache_ == nullptr) return RingWithoutDescriptors(name);
  Cached& cached = (*cache_)[home];
  if (cached.descriptor < 0 || cached.name != name) {
    if (cached.descriptor >= 0) close(cached.descriptor);
    cached = {name, OpenRemoteBell(*region_, name)};
    if (cached.descriptor < 0) {
      if (errno == EMFILE || errno == ENFILE) {
        return RingWithoutDescriptors(name);
      }
      return errno == ENOENT;  // gone: nobody waits. Anything else may pass
    }
  }
  RingDescriptor(cached.descriptor);
  Reserve();
  return true;
}

bool BellRinger::RingWithoutDescriptors(const BellName& name) {
  for (alloc::UniqueFd& fd : reserve_) fd.Close();
  const int bell = OpenRemoteBell(*region_, name);
  const bool is_gone = bell < 0 && errno == ENOENT;
  if (bell >= 0) {
    RingDescriptor(bell);
    close(bell);
  }
  Reserve();
  return bell >= 0 || is_gone;
}

// Any file will do. Not to be had: the next ring tries again.
void BellRinger::Reserve() {
  for (alloc::UniqueFd& fd : reserve_) {
    if (fd.is_open()) continue;
    fd = alloc::UniqueFd(fcntl(region_->directory_fd(), F_DUPFD_CLOEXEC, 0));
  }
}

}  // namespace zcb::ipc
