// Notices fork(2), for one load.
#ifndef ZCB_ALLOCATOR_FORK_GUARD_H_
#define ZCB_ALLOCATOR_FORK_GUARD_H_

#include <atomic>
#include <cstdint>

#include "allocator/status.h"

namespace zcb::alloc {

// Says whether the process that armed it is the one that asks. It reads a word
// that the kernel hands to every child zeroed (wiped_memory.h), so it also
// notices a raw clone(2), which no atfork handler sees; getpid(2) would be a
// system call. A child arms a new guard, with a word that no other has had; the
// inherited one stays "not ours" for ever.
//
// Copyable: all copies look at the same word, which is never unmapped. Any
// thread, also in a signal handler.
class ForkGuard {
 public:
  // Never ours.
  ForkGuard() = default;

  // Takes a word. On failure the guard is one that is never ours, and WhyNot()
  // says why the last one failed: kNotSupported or kNoMemory.
  static ForkGuard Arm();
  static Failure WhyNot();

  bool IsOurs() const {
    // relaxed: changed by the kernel alone, at fork.
    return word_->load(std::memory_order_relaxed) != 0;
  }

 private:
  static const std::atomic<std::uint32_t> kNeverOurs;
  const std::atomic<std::uint32_t>* word_ = &kNeverOurs;
};

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_FORK_GUARD_H_
