#include "allocator/small_thread.h"

#include <sys/mman.h>

#include "allocator/abi.h"

namespace zcb::alloc {
namespace {

// Whatever the size of a page is.
constexpr std::size_t kGuardBytes = std::size_t{64} << 10;
#ifdef __SANITIZE_THREAD__
// It keeps 900 KiB of each thread at the top of its stack.
constexpr std::size_t kStackBytes = std::size_t{2} << 20;
#else
// Other sanitizers make frames several times as large.
constexpr std::size_t kStackBytes = std::size_t{256} << 10;
#endif
// So much of the stack lies in the page where the state begins. From its top
// down: what the C library keeps of a thread and thread-local variables (3.6
// KiB with glibc on x86-64), then the frames of a thread that waits (1 KiB).
// With this both end in the page below.
constexpr std::size_t kTopInPage = 1536;
static_assert(kTopInPage % kLineBytes == 0 && kTopInPage < kMetaPageBytes);
constexpr std::size_t kStateOffset = kGuardBytes + kStackBytes + kTopInPage;

}  // namespace

SmallThread::SmallThread(std::size_t state_bytes) {
  const std::size_t length_bytes = kStateOffset + state_bytes;
  void* const base =
      ::mmap(nullptr, length_bytes, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  if (base == MAP_FAILED) return;
  if (::mprotect(base, kGuardBytes, PROT_NONE) != 0) {
    ::munmap(base, length_bytes);
    return;
  }
  // Fails where there are no huge pages.
  (void)::madvise(base, length_bytes, MADV_NOHUGEPAGE);
  base_ = static_cast<std::byte*>(base);
  length_bytes_ = length_bytes;
}

void* SmallThread::state() const { return base_ + kStateOffset; }

bool SmallThread::Start(void* (*run)(void*), void* context) {
  if (runs_) return true;
  pthread_attr_t attributes;
  if (::pthread_attr_init(&attributes) != 0) return false;
  // A program may have more thread-local variables than fit: then its thread
  // gets a stack as any other.
  runs_ = ::pthread_attr_setstack(&attributes, base_ + kGuardBytes,
                                  kStackBytes + kTopInPage) == 0 &&
          ::pthread_create(&thread_, &attributes, run, context) == 0;
  ::pthread_attr_destroy(&attributes);
  runs_ = runs_ || ::pthread_create(&thread_, nullptr, run, context) == 0;
  return runs_;
}

void SmallThread::Join() {
  ::pthread_join(thread_, nullptr);
  runs_ = false;
}

void SmallThread::Unmap() {
  if (base_ != nullptr) ::munmap(base_, length_bytes_);
  base_ = nullptr;
}

}  // namespace zcb::alloc
