// Figures for people: of a group, and of one member's own doings.
#ifndef ZCB_IPC_STATISTICS_H_
#define ZCB_IPC_STATISTICS_H_

#include <atomic>
#include <cstdint>

#include "allocator/region.h"
#include "ipc/group_view.h"
#include "ipc/member_address.h"

namespace zcb::ipc {

// A group, as of some time during the call; not all of the same time.
struct GroupStats {
  std::uint64_t members = 0;
  std::uint64_t ordered = 0;        // messages and records, since it was made
  std::uint64_t ring_messages = 0;  // places that messages may fill
  std::uint64_t ring_used = 0;      // of these and the records': not all read
  // The member that has read least.
  std::uint64_t slowest_behind = 0;
  MemberAddress slowest;
  std::uint64_t evictions = 0;
};

// Wait-free; no system call. Applies the records that it meets, as any reader
// does, so that the members are those of MembersOf().
GroupStats ReadGroupStats(const GroupView& group, const alloc::Region& region);

// A count that costs a load and a store: two locked additions to it are an
// eighth of a small send (100 and 114 ns).
class LossyCounter {
 public:
  // Threads that add at once: one of them may be lost, and all that others have
  // added while one was between its load and its store.
  void LossyAdd(std::uint64_t amount) {
    // relaxed, both: a count for people that carries nothing with it
    count_.store(count_.load(std::memory_order_relaxed) + amount,
                 std::memory_order_relaxed);
  }
  // None is lost, if all add in this way.
  void Add(std::uint64_t amount) {
    count_.fetch_add(amount, std::memory_order_relaxed);  // as above
  }
  std::uint64_t Guess() const {
    return count_.load(std::memory_order_relaxed);  // as above
  }

 private:
  std::atomic<std::uint64_t> count_{0};
};

// What one member has done. Its senders may be many, and lose some of what they
// have sent; its receiver is one at a time.
struct MemberCounters {
  LossyCounter sent_messages;
  LossyCounter sent_bytes;
  LossyCounter refused_sends;
  LossyCounter received_messages;
  LossyCounter received_bytes;
  LossyCounter received_views;
};

}  // namespace zcb::ipc

#endif  // ZCB_IPC_STATISTICS_H_
