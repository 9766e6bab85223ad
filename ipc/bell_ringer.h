// Wakes the members of a group that sleep and have something to read, and the
// senders that wait for room in it.
#ifndef ZCB_IPC_BELL_RINGER_H_
#define ZCB_IPC_BELL_RINGER_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>

#include "allocator/region.h"
#include "allocator/unique_fd.h"
#include "ipc/doorbell.h"
#include "ipc/group_view.h"
#include "ipc/sleep_word.h"

namespace zcb::ipc {

// True if somebody may sleep: then call BellRinger::RingSleepers. One load,
// after the publication.
inline bool SomebodyMaySleep(const GroupView& group) {
  // seq_cst <-> bell.sleep: looked at after the slot was filled
  return GroupSleepWord(group.header().sleep.load(std::memory_order_seq_cst))
      .maybe();
}

// Says "maybe" in a group's word.
inline void RaiseMaybe(std::atomic<std::uint64_t>* group_word) {
  // relaxed: the exchange checks it
  std::uint64_t raw = group_word->load(std::memory_order_relaxed);
  // seq_cst <-> bell.sleep, room.wait: a new version, so that nobody who looked
  // before clears it; failure relaxed: try from the newer one. Each failure
  // means that another sleeper or ringer got through.
  while (!group_word->compare_exchange_weak(
      raw, GroupSleepWord(raw).SomebodySleeps().raw(),
      std::memory_order_seq_cst, std::memory_order_relaxed)) {
  }
}

// True if a sender may wait for room: then call Attachment::ReclaimGroup. One
// load of the same line, after a cursor was moved and LightBarrier().
inline bool SomebodyWaitsForRoom(const GroupView& group) {
  // relaxed: ordered by the barrier, room.wait; what it leads to reads anew
  return GroupSleepWord(group.header().room.load(std::memory_order_relaxed))
      .maybe();
}

// Before room is looked for while somebody waits. Two may make it together,
// each by moving its cursor, or by ending: of these the later one finds what
// the earlier one did. The waiter's HeavyBarrier() orders him and each of them,
// not one of them and the other.
inline void MeetOthers(const GroupView& group) {
  // acq_rel <-> room.wait: what we did before, what they did after. Changes
  // nothing.
  group.header().room.fetch_add(0, std::memory_order_acq_rel);
}

// Thread-safe. Holds the descriptors of the bells rung lately, so that a ring
// is one write(2). The mutex is private to the process.
class BellRinger {
 public:
  explicit BellRinger(const alloc::Region* region);
  ~BellRinger();
  BellRinger(const BellRinger&) = delete;
  BellRinger& operator=(const BellRinger&) = delete;

  // Rings every sleeping member whose next slot is filled, those of this
  // process last; clears the group's "maybe" if nobody sleeps. Never blocks.
  void RingSleepers(const GroupView& group);

  // Rings every sender that waits for room in this group, if there is some, and
  // with `memory_came_back` those that wait for memory; clears the group's
  // "maybe" if nobody waits, unless `keep_maybe`. Never blocks. True if a
  // sender was found that waits for memory.
  bool RingForRoom(const GroupView& group, bool memory_came_back,
                   bool keep_maybe);

 private:
  // Rings one entry's bell for room. False: it could not be opened just now.
  bool RingRoomBell(EntryState* entry, alloc::LeaseId lease);

  // False if the bell could not be opened just now.
  bool Ring(const BellName& name);
  // With the mutex held. Rings with a descriptor that is not kept; if there are
  // no others, with the one kept for that.
  bool RingWithoutDescriptors(const BellName& name);
  void Reserve();

  struct Cached {
    BellName name;
    int descriptor = -1;
  };
  static constexpr std::size_t kCachedBells = 64;

  const alloc::Region* region_;
  std::mutex mutex_;  // guards what follows
  using Cache = std::array<Cached, kCachedBells>;
  std::unique_ptr<Cache> cache_;  // from the first ring on
  // Given up for those with which a bell is opened (its name, looked at, and
  // its own) when there are no others left: what was sent is in the order, and
  // who sleeps must hear of it.
  std::array<alloc::UniqueFd, 2> reserve_;
};

}  // namespace zcb::ipc

#endif  // ZCB_IPC_BELL_RINGER_H_
