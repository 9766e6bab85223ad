#include "allocator/fork_guard.h"

#include <new>

#include "allocator/wiped_memory.h"

namespace zcb::alloc {

constinit const std::atomic<std::uint32_t> ForkGuard::kNeverOurs{0};

Failure ForkGuard::WhyNot() { return WipedMemory::WhyNot(); }

ForkGuard ForkGuard::Arm() {
  ForkGuard guard;
  if (void* const word = WipedMemory::Take(sizeof(*guard.word_))) {
    guard.word_ = new (word) std::atomic<std::uint32_t>(1);
  }
  return guard;
}

}  // namespace zcb::alloc
