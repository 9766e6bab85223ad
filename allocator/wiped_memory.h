// Memory for small things that a process has once, and a forked child not.
#ifndef ZCB_ALLOCATOR_WIPED_MEMORY_H_
#define ZCB_ALLOCATOR_WIPED_MEMORY_H_

#include <cstddef>

#include "allocator/abi.h"
#include "allocator/status.h"

#if defined(__SANITIZE_ADDRESS__)
#define ZCB_WITH_ADDRESS_SANITIZER
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ZCB_WITH_ADDRESS_SANITIZER
#endif
#endif

namespace zcb::alloc {

// One piece after the other, each zero, from one range of addresses whose pages
// come when they are touched: a page for each of them would cost a process that
// does nothing else more than all that is in it. A child, also of a raw
// clone(2), finds every piece zeroed (MADV_WIPEONFORK), and is never given one
// that its parent has had.
//
// Never given back. Pieces begin at cache lines.
class WipedMemory {
 public:
  static constexpr std::size_t kAlignment = kLineBytes;

  // nullptr: there is none; WhyNot() says why the last one was refused:
  // kNotSupported or kNoMemory. Any thread, also in a child whose parent had
  // other threads: takes no lock.
  static void* Take(std::size_t bytes);
  static Failure WhyNot();
};

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_WIPED_MEMORY_H_
