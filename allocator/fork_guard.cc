#include "allocator/fork_guard.h"

#include <sys/mman.h>

#include <new>

#include "allocator/abi.h"

namespace zcb::alloc {

constinit const std::atomic<std::uint32_t> ForkGuard::kNeverOurs{0};

ForkGuard ForkGuard::Arm() {
  void* page = ::mmap(nullptr, kMetaPageBytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return ForkGuard();
  if (::madvise(page, kMetaPageBytes, MADV_WIPEONFORK) != 0) {
    ::munmap(page, kMetaPageBytes);
    return ForkGuard();
  }
  ForkGuard guard;
  guard.word_ = new (page) std::atomic<std::uint32_t>(1);
  return guard;
}

}  // namespace zcb::alloc
