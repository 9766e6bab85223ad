// Whose end must be told to us, and by whom. Members watch each other; whoever
// only asks who is in a group must not be told of processes that nobody is left
// to bury.
#include "allocator/cancel_shield.h"
#include "ipc/attachment.h"
#include "ipc/bell_ringer.h"
#include "ipc/entry_word.h"
#include "ipc/member_table.h"

namespace zcb::ipc {

void Attachment::FollowMember(const GroupView& group, std::uint16_t index) {
  // acquire <- member.claim: whose process to watch
  const EntryWord word(group.entry(index).word.load(std::memory_order_acquire));
  if (word.gates()) {
    Watch(word.lease());
    return;
  }
  if (!word.wants_record()) return;
  // Not its process: whoever was to publish the record. He may have died before
  // he did, and we need not have watched him. So may whoever was to publish
  // another one's.
  PublishMissing(group);
  if (SomebodyMaySleep(group)) ringer_->RingSleepers(group);
}

void Attachment::LookAtMembersOf(const GroupName& name) {
  const auto found = directory_->Find(name);
  if (!found || !*found) return;
  const GroupView& group = **found;
  const std::uint32_t high = group.EntryHigh();
  for (std::uint32_t i = 0; i < high; ++i) {
    // acquire <- member.claim: whose process it is
    const EntryWord word(group.entry(i).word.load(std::memory_order_acquire));
    const alloc::LeaseId lease = word.lease();
    if (!word.gates() || lease == region_->lease() ||
        lease.slot >= region_->geometry().lease_count ||
        // relaxed: carries nothing; who reads the old one looks once more
        looked_at_[lease.slot].load(std::memory_order_relaxed) ==
            lease.generation) {
      continue;
    }
    if (ReapIfDead(lease.slot)) continue;
    {
      const std::lock_guard lock(join_mutex_);
      // Without a watcher we look again the next time.
      if (!StartWatcher()) continue;
    }
    Watch(lease);
    looked_at_[lease.slot].store(lease.generation,
                                 std::memory_order_relaxed);  // as above
  }
}

}  // namespace zcb::ipc
