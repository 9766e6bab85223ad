// What a loop that waits for another processor does in each turn.
#ifndef ZCB_IPC_RELAX_CPU_H_
#define ZCB_IPC_RELAX_CPU_H_

#include <sys/sysinfo.h>

#include <atomic>

namespace zcb::ipc {

// 15 to 60 ns, by the processor.
inline void RelaxCpu() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("isb" ::: "memory");
#endif
}

// With one processor, whoever we wait for cannot run while we spin. (Those that
// this thread may run on do not count: the other side may have others.)
inline bool SpinningHelps() {
  static std::atomic<int> processors{0};
  // relaxed: every thread computes the same number
  int count = processors.load(std::memory_order_relaxed);
  if (count == 0) {
    count = get_nprocs();
    processors.store(count, std::memory_order_relaxed);  // as above
  }
  return count > 1;
}

}  // namespace zcb::ipc

#endif  // ZCB_IPC_RELAX_CPU_H_
