#include "ipc/statistics.h"

#include <algorithm>

#include "ipc/entry_word.h"
#include "ipc/member_table.h"

namespace zcb::ipc {

GroupStats ReadGroupStats(const GroupView& group, const alloc::Region& region) {
  GroupStats stats;
  stats.ring_messages = group.message_room();
  // relaxed: a count for people
  stats.evictions = group.header().evictions.load(std::memory_order_relaxed);
  stats.ordered = ApplyPublished(group);
  std::uint64_t limit = stats.ordered;
  const std::uint32_t high = group.EntryHigh();
  for (std::uint32_t i = 0; i < high; ++i) {
    const EntryState& entry = group.entry(i);
    // acquire <- member.free: a generation newer than the words' means gone
    const EntryWord word(entry.word.load(std::memory_order_acquire));
    const bool is_member =
        stats.ordered != 0 && IsMemberAt(entry, word, stats.ordered - 1);
    if (is_member) ++stats.members;
    if (!word.gates() || !IsLeaseAlive(region, word.lease())) continue;
    // acquire <- ring.consume: where it stands
    const std::uint64_t cursor = entry.cursor.load(std::memory_order_acquire);
    limit = std::min(limit, cursor);
    if (is_member && cursor < stats.ordered &&
        stats.ordered - cursor > stats.slowest_behind) {
      stats.slowest_behind = stats.ordered - cursor;
      // relaxed, both: carried by the JOIN that we saw applied
      stats.slowest = {entry.node_id.load(std::memory_order_relaxed),
                       entry.pid.load(std::memory_order_relaxed)};
    }
  }
  // The cursor of an entry that is just being claimed may be its last user's.
  // acquire <- ring.reclaim: a figure for people
  limit = std::max(
      limit, std::min(group.header().reclaimed.load(std::memory_order_acquire),
                      stats.ordered));
  stats.ring_used = std::min(stats.ordered - limit, group.slot_count());
  stats.slowest_behind = std::min(stats.slowest_behind, group.slot_count());
  return stats;
}

}  // namespace zcb::ipc
