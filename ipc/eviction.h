// Puts out members that hold a full ring back, or what memory was sent: an
// option of senders.
//
// Time is private to the sender that judges: nobody keeps a clock for others.
// What happens then is one compare-and-swap of the entry (Evicted: it gates no
// more), and the same record that a death gets; docs/protocols.md section 6.
#ifndef ZCB_IPC_EVICTION_H_
#define ZCB_IPC_EVICTION_H_

#include <cstdint>
#include <memory>
#include <mutex>

#include "allocator/region.h"
#include "ipc/entry_word.h"
#include "ipc/group_view.h"

namespace zcb::ipc {

// Member or Joining -> Evicted, from exactly `seen`, then the record of it.
// False: the entry has changed. Killed between the two: whoever reclaims next
// publishes the record.
bool Evict(const GroupView& group, std::uint16_t index, EntryWord seen);

// What a sender lacks: a place in the ring, or memory anywhere in the region.
enum class RoomKind : std::uint8_t { kRing, kMemory };

// How long who has stood still while a sender lacked something, as it saw it.
// Thread-safe: two threads at once, and one of them judges.
class LaggardWatch {
 public:
  struct Verdict {
    std::uint32_t evicted = 0;
    // Until the next one is due, nanoseconds; 0: the ring waits for nobody who
    // could be put out.
    std::uint64_t next_due_ns = 0;
  };
  // Looks at the ring at the time `now_ns`. If it is full, or (kMemory) not
  // empty, everybody alive who has not read all of it is a suspect since the
  // look that first saw it where it stands. A suspect for `limit_ns` that
  // stands at the reclaimed end is put out; never the entry `self`. Several
  // that stand still one behind the other so have their time together: once the
  // first is out and its part reclaimed, the next look finds the second one
  // due.
  Verdict Judge(const GroupView& group, const alloc::Region& region,
                std::uint16_t self, RoomKind lacking, std::uint64_t limit_ns,
                std::uint64_t now_ns);

 private:
  struct Suspect {
    bool is_one = false;
    std::uint16_t generation = 0;
    std::uint64_t cursor = 0;
    std::uint64_t since_ns = 0;
  };
  // Since when it has been seen where it is: `now_ns`, if it was not yet.
  std::uint64_t SinceOf(std::uint32_t index, std::uint16_t generation,
                        std::uint64_t cursor, std::uint64_t now_ns);

  std::mutex mutex_;                     // guards what follows
  std::unique_ptr<Suspect[]> suspects_;  // by entry; once somebody was judged
};

}  // namespace zcb::ipc

#endif  // ZCB_IPC_EVICTION_H_
