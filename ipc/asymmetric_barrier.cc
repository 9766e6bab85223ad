#include "ipc/asymmetric_barrier.h"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace zcb::ipc {

bool EnableHeavyBarriers() {
  if (::syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0,
                0) != 0) {
    return false;
  }
  internal::is_registered.store(true, std::memory_order_relaxed);  // see there
  return true;
}

bool HeavyBarrier() {
  // Our own thread too, whatever the kernel does for it.
  std::atomic_signal_fence(std::memory_order_seq_cst);
  return ::syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0) == 0;
}

}  // namespace zcb::ipc
