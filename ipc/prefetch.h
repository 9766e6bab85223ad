// Lines asked for before they are needed. Hints: whatever they name, nothing is
// read, and nothing can go wrong.
#ifndef ZCB_IPC_PREFETCH_H_
#define ZCB_IPC_PREFETCH_H_

#include <cstddef>
#include <cstdint>

#include "allocator/abi.h"
#include "allocator/region.h"
#include "ipc/group_view.h"
#include "ipc/slot_word.h"

namespace zcb::ipc {

// Header and first line of the message at `position`, if there is one already.
// Of one that is page-aligned: its first lines of payload.
inline void PrefetchMessage(const GroupView& group, std::uint64_t position,
                            const alloc::Region& region) {
  // relaxed: the reader that comes here acquires it
  const SlotWord slot(group.slot(position).load(std::memory_order_relaxed));
  if (slot.lap() != SlotWord::LapOf(position, group.slot_shift()) ||
      slot.is_control() ||
      slot.ref().offset_bytes() >= region.geometry().region_bytes) {
    return;
  }
  const std::byte* const header = region.data() + slot.ref().offset_bytes();
  __builtin_prefetch(header);
  __builtin_prefetch(header + alloc::kLineBytes);
}

}  // namespace zcb::ipc

#endif  // ZCB_IPC_PREFETCH_H_
