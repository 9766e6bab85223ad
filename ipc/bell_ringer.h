// Wakes the members of a group that sleep and have something to read.
#ifndef ZCB_IPC_BELL_RINGER_H_
#define ZCB_IPC_BELL_RINGER_H_

#include <array>
#include <mutex>

#include "allocator/region.h"
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

// Thread-safe. Holds the descriptors of the bells rung lately, so that a ring
// is one write(2). The mutex is private to the process.
class BellRinger {
 public:
  explicit BellRinger(const alloc::Region* region) : region_(region) {}
  ~BellRinger();
  BellRinger(const BellRinger&) = delete;
  BellRinger& operator=(const BellRinger&) = delete;

  // Rings every sleeping member whose next slot is filled; clears the group's
  // "maybe" if nobody sleeps. Never blocks.
  void RingSleepers(const GroupView& group);

 private:
  // False if the bell could not be opened just now.
  bool Ring(const BellName& name);

  struct Cached {
    BellName name;
    int descriptor = -1;
  };
  static constexpr std::size_t kCachedBells = 64;

  const alloc::Region* region_;
  std::mutex mutex_;  // guards cache_
  std::array<Cached, kCachedBells> cache_;
};

}  // namespace zcb::ipc

#endif  // ZCB_IPC_BELL_RINGER_H_
