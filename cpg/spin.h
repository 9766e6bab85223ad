// Looking a little longer before going to sleep.
#ifndef ZCB_CPG_SPIN_H_
#define ZCB_CPG_SPIN_H_

#include <sched.h>

#include <atomic>
#include <cstdint>

#include "ipc/deadline.h"

namespace zcb::cpg {

inline void RelaxCpu() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("isb" ::: "memory");
#endif
}

// With one processor, whoever we wait for cannot run while we spin.
inline bool SpinningHelps() {
  static std::atomic<int> processors{0};
  // relaxed: every thread computes the same number
  int count = processors.load(std::memory_order_relaxed);
  if (count == 0) {
    cpu_set_t set;
    CPU_ZERO(&set);
    // More processors than the set has bits for is an error, and is enough.
    count = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 2;
    processors.store(count, std::memory_order_relaxed);  // as above
  }
  return count > 1;
}

// Calls `done` until it says true, for about `spin_ns`; its last answer.
template <typename Done>
bool SpinUntil(Done&& done, std::int64_t spin_ns) {
  if (done()) return true;
  if (spin_ns == 0 || !SpinningHelps()) return false;
  const std::int64_t end_ns = ipc::NowNs() + spin_ns;
  constexpr int kLooksPerClock = 16;
  do {
    for (int i = 0; i < kLooksPerClock; ++i) {
      RelaxCpu();
      if (done()) return true;
    }
  } while (ipc::NowNs() < end_ns);
  return false;
}

}  // namespace zcb::cpg

#endif  // ZCB_CPG_SPIN_H_
