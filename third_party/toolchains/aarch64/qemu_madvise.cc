// madvise(2) for programs under qemu-user, whose own (7.2) says yes to every
// advice and follows none but MADV_DONTNEED.
//
// An advice that says yes and does nothing hides a fork from the child and
// leaves pages uncommitted. Here MADV_WIPEONFORK is followed, by an atfork
// handler (so a raw clone(2) is not seen), and what is left is EINVAL, as on a
// kernel that does not know it.
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <mutex>

namespace {

struct Range {
  void* base = nullptr;  // nullptr: not in use
  std::size_t length_bytes = 0;
};

// No containers: they may call munmap() from below malloc().
constinit std::mutex mutex;
constinit std::array<Range, 4096> ranges;

bool Remember(void* base, std::size_t length_bytes) {
  const std::lock_guard lock(mutex);
  for (Range& range : ranges) {
    if (range.base != nullptr) continue;
    range = {base, length_bytes};
    return true;
  }
  return false;
}

// Whole mappings only: nothing here unmaps a part of one.
void Forget(void* base) {
  const std::lock_guard lock(mutex);
  for (Range& range : ranges) {
    if (range.base == base) range = {};
  }
}

void LockForFork() { mutex.lock(); }
void UnlockInParent() { mutex.unlock(); }

void WipeInChild() {
  for (const Range& range : ranges) {
    if (range.base == nullptr) continue;
    ::mmap(range.base, range.length_bytes, PROT_READ | PROT_WRITE,
           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
  }
  mutex.unlock();
}

// Before any other handler is there: the kernel wipes before all of them.
[[gnu::constructor(101)]] void Install() {
  ::pthread_atfork(LockForFork, UnlockInParent, WipeInChild);
}

}  // namespace

extern "C" [[gnu::visibility("default")]] int madvise(void* base,
                                                      std::size_t length_bytes,
                                                      int advice) noexcept {
  if (advice == MADV_DONTNEED) {
    return static_cast<int>(::syscall(SYS_madvise, base, length_bytes, advice));
  }
  if (advice == MADV_WIPEONFORK && Remember(base, length_bytes)) return 0;
  errno = EINVAL;
  return -1;
}

extern "C" [[gnu::visibility("default")]] int munmap(
    void* base, std::size_t length_bytes) noexcept {
  Forget(base);
  return static_cast<int>(::syscall(SYS_munmap, base, length_bytes));
}
