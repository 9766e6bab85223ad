#include "ipc/ring.h"

namespace zcb::ipc {

std::uint64_t ApproxUsed(const GroupView& group) {
  CatchUpTail(group);
  // acquire <- ring.tail: a figure for people, but not an older one than they
  // have seen
  const std::uint64_t tail =
      group.header().tail.load(std::memory_order_acquire);
  // acquire <- ring.reclaim: likewise
  const std::uint64_t reclaimed =
      group.header().reclaimed.load(std::memory_order_acquire);
  if (tail < reclaimed) return 0;
  const std::uint64_t used = tail - reclaimed;
  return used < group.slot_count() ? used : group.slot_count();
}

}  // namespace zcb::ipc
