#include "allocator/fork_guard.h"

#include <sys/mman.h>

#include <cerrno>
#include <new>

#include "allocator/abi.h"

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
  void* page = ::mmap(nullptr, kMetaPageBytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return Failed();
  if (::madvise(page, kMetaPageBytes, MADV_WIPEONFORK) != 0) {
    const ForkGuard failed = Failed();
    ::munmap(page, kMetaPageBytes);
    return failed;
  }
  ForkGuard guard;
  guard.word_ = new (page) std::atomic<std::uint32_t>(1);
  return guard;
}

}  // namespace zcb::alloc
