// A store and a load that must not pass each other, where one side is on the
// data path and the other side sleeps: the fence is paid by the sleeper alone.
//
//   often                          rarely
//   data.store(x, release)         flag.store(1, seq_cst)
//   LightBarrier()                 HeavyBarrier()
//   flag.load()                    data.load()
//
// At least one of the two sees what the other stored. HeavyBarrier() is
// membarrier(2): when it returns, every thread that runs in a process that has
// called EnableHeavyBarriers() has executed a full fence since it was called.
// LightBarrier() then only keeps the compiler from reordering; in a process
// that could not register it is a full fence, since nobody can interrupt it.
// (Dice, Huang and Yang describe the idea in "Asymmetric Dekker
// Synchronization", 2001.)
#ifndef ZCB_IPC_ASYMMETRIC_BARRIER_H_
#define ZCB_IPC_ASYMMETRIC_BARRIER_H_

#include <atomic>

namespace zcb::ipc {

namespace internal {
// Written by EnableHeavyBarriers(), once; read by LightBarrier(). Relaxed: who
// does not see it yet fences for nothing. A child of fork(2) has both, it and
// the registration.
inline constinit std::atomic<bool> is_registered{false};
}  // namespace internal

inline void LightBarrier() {
  if (internal::is_registered.load(std::memory_order_relaxed)) [[likely]] {
    // Of the compiler alone; the pair is HeavyBarrier().
    std::atomic_signal_fence(std::memory_order_seq_cst);
  } else {
    __sync_synchronize();  // a fence that TSAN's g++ takes, too
  }
}

// Once per process. False: the kernel has no such call (Linux before 4.16, or a
// sandbox refuses it). Such a process's own HeavyBarrier() fails as well, so it
// looks again every now and then, instead of relying on being woken.
bool EnableHeavyBarriers();

// Some microseconds: processors that run registered processes are interrupted.
// False: not to be had.
bool HeavyBarrier();

}  // namespace zcb::ipc

#endif  // ZCB_IPC_ASYMMETRIC_BARRIER_H_
