// Where one group lies in this process's mapping. A value; trusted numbers.
#ifndef ZCB_IPC_GROUP_VIEW_H_
#define ZCB_IPC_GROUP_VIEW_H_

#include <atomic>
#include <bit>
#include <cstdint>

#include "allocator/region.h"
#include "ipc/group_header.h"
#include "ipc/ipc_layout.h"

namespace zcb::ipc {

class GroupView {
 public:
  GroupView() = default;
  // `group_slot` < geometry.group_count, and its pages are committed.
  GroupView(const alloc::Region& region, const IpcGeometry& geometry,
            std::uint32_t group_slot)
      : group_slot_(group_slot),
        entry_count_(geometry.entry_count),
        slot_mask_(geometry.slot_count - 1),
        slot_shift_(
            static_cast<unsigned>(std::countr_zero(geometry.slot_count))) {
    const std::uint64_t base =
        geometry.groups_offset + geometry.group_bytes * group_slot;
    header_ = region.meta<GroupHeader>(base);
    entries_ = region.meta<EntryState>(base + geometry.entries_offset_in_group);
    slots_ = region.meta<std::atomic<std::uint64_t>>(
        base + geometry.slots_offset_in_group);
  }

  // Over memory that is no region: for tests and models.
  GroupView(GroupHeader* header, EntryState* entries,
            std::atomic<std::uint64_t>* slots, std::uint32_t group_slot,
            std::uint32_t entry_count, std::uint32_t slot_count)
      : header_(header),
        entries_(entries),
        slots_(slots),
        group_slot_(group_slot),
        entry_count_(entry_count),
        slot_mask_(slot_count - 1),
        slot_shift_(static_cast<unsigned>(std::countr_zero(slot_count))) {}

  GroupHeader& header() const { return *header_; }
  // `index` < entry_count().
  EntryState& entry(std::uint32_t index) const { return entries_[index]; }
  std::atomic<std::uint64_t>& slot(std::uint64_t position) const {
    return slots_[position & slot_mask_];
  }
  std::uint32_t group_slot() const { return group_slot_; }
  std::uint32_t entry_count() const { return entry_count_; }
  std::uint64_t slot_count() const { return std::uint64_t{slot_mask_} + 1; }
  unsigned slot_shift() const { return slot_shift_; }
  // Positions that messages may fill; the rest is for control records.
  std::uint64_t message_room() const {
    return slot_count() - 2ULL * entry_count_;
  }
  // Entries that were ever used; what shared memory says, cut to the table.
  std::uint32_t EntryHigh() const {
    // acquire <- member.claim: the entry below it is claimed.
    // seq_cst <-> member.gate: a reclaimer looks after it read the tail
    const std::uint32_t high =
        header_->entry_high.load(std::memory_order_seq_cst);
    return high < entry_count_ ? high : entry_count_;
  }

 private:
  GroupHeader* header_ = nullptr;
  EntryState* entries_ = nullptr;
  std::atomic<std::uint64_t>* slots_ = nullptr;
  std::uint32_t group_slot_ = 0;
  std::uint32_t entry_count_ = 0;
  std::uint32_t slot_mask_ = 0;
  unsigned slot_shift_ = 0;
};

}  // namespace zcb::ipc

#endif  // ZCB_IPC_GROUP_VIEW_H_
