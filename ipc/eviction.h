// Puts out members that hold a full ring back: an option of senders.
//
// Time is private to the sender that judges: nobody keeps a clock for others.
// What happens then is one compare-and-swap of the entry (Evicted: it gates no
// more), and the same record that a death gets; docs/protocols.md section 6.
#ifndef ZCB_IPC_EVICTION_H_
#define ZCB_IPC_EVICTION_H_

#include <array>
#include <cstddef>
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

// How long who has stood still before a full ring, as one sender saw it.
// Thread-safe: two threads at once, and one of them judges.
class LaggardWatch {
 public:
  struct Verdict {
    std::uint32_t evicted = 0;
    // Until the next one is due, nanoseconds; 0: nobody is suspected.
    std::uint64_t next_due_ns = 0;
  };
  // Looks at the ring at the time `now_ns`. If it is full, whoever stands at
  // its reclaimed end is a suspect, and one that was a suspect `limit_ns` ago
  // and has not read since is put out; never the entry `self`.
  Verdict Judge(const GroupView& group, const alloc::Region& region,
                std::uint16_t self, std::uint64_t limit_ns,
                std::uint64_t now_ns);

 private:
  // More than these are suspected when some of these have gone.
  static constexpr std::size_t kMostSuspects = 16;
  struct Suspect {
    std::uint16_t entry = 0;
    std::uint16_t generation = 0;
    std::uint64_t cursor = 0;
    std::uint64_t since_ns = 0;
  };
  using Suspects = std::array<Suspect, kMostSuspects>;
  // Since when the same one has been seen where it is.
  std::uint64_t SinceOf(const Suspect& seen) const;

  std::mutex mutex_;                    // guards what follows
  std::unique_ptr<Suspects> suspects_;  // once there is one
  std::size_t suspect_count_ = 0;
};

}  // namespace zcb::ipc

#endif  // ZCB_IPC_EVICTION_H_
