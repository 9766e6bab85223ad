// A thread that sleeps nearly always, and what it works with, in few pages.
#ifndef ZCB_ALLOCATOR_SMALL_THREAD_H_
#define ZCB_ALLOCATOR_SMALL_THREAD_H_

#include <pthread.h>

#include <cstddef>
#include <utility>

namespace zcb::alloc {

// One mapping: a guard page, the stack, and right above that the memory of
// whoever runs there, which so begins in a page that the C library's part of
// the thread (at the top of the stack) has touched already. The stack is large
// enough for all that this library does, and no larger: of the 8 MiB of a usual
// one a process that locks its memory would have every page.
//
// Not thread-safe.
class SmallThread {
 public:
  SmallThread() = default;
  explicit SmallThread(std::size_t state_bytes);
  // Only if it does not run.
  ~SmallThread() { Unmap(); }
  SmallThread(SmallThread&& other) noexcept { *this = std::move(other); }
  SmallThread& operator=(SmallThread&& other) noexcept {
    std::swap(base_, other.base_);
    std::swap(length_bytes_, other.length_bytes_);
    std::swap(thread_, other.thread_);
    std::swap(runs_, other.runs_);
    return *this;
  }

  bool ok() const { return base_ != nullptr; }
  // Zeroed at first, and begins at a cache line.
  void* state() const;

  // True: it runs. Again after a failure, if you like.
  bool Start(void* (*run)(void*), void* context);
  bool runs() const { return runs_; }
  // Only if it runs; it must be about to end.
  void Join();
  // In a forked child, where it does not exist: stays as it is for ever.
  void Abandon() { base_ = nullptr; }

 private:
  void Unmap();
  std::byte* base_ = nullptr;
  std::size_t length_bytes_ = 0;
  pthread_t thread_ = {};
  bool runs_ = false;
};

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_SMALL_THREAD_H_
