#include "allocator/fork_guard.h"

#include <cerrno>
#include <new>

#include "allocator/errno_saver.h"
#include "allocator/wiped_memory.h"

namespace zcb::alloc {

namespace {

constinit std::atomic<int> g_last_error{0};

ForkGuard Failed() {
  // relaxed: for a text, of some failure as good as another
  g_last_error.store(errno, std::memory_order_relaxed);
  return {};
}

}  // namespace

constinit const std::atomic<std::uint32_t> ForkGuard::kNeverOurs{0};

Failure ForkGuard::WhyNot() {
  // relaxed: as above
  return g_last_error.load(std::memory_order_relaxed) == EINVAL
             ? Failure{Status::kNotSupported, "no MADV_WIPEONFORK"}
             : Failure{Status::kNoMemory, "no page that is wiped on fork"};
}

ForkGuard ForkGuard::Arm() {
  const ErrnoSaver errno_saver;
  void* const word = WipedMemory::Take(sizeof(std::atomic<std::uint32_t>));
  if (word == nullptr) return Failed();
  ForkGuard guard;
  guard.word_ = new (word) std::atomic<std::uint32_t>(1);
  return guard;
}

}  // namespace zcb::alloc
