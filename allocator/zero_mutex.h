// A mutex that fresh memory holds unlocked.
#ifndef ZCB_ALLOCATOR_ZERO_MUTEX_H_
#define ZCB_ALLOCATOR_ZERO_MUTEX_H_

#include <pthread.h>

#include <type_traits>

namespace zcb::alloc {

// Never constructed: it lies in memory that the kernel hands out zeroed
// (PrivateMapping), where an array of locks that nobody takes costs no page. A
// std::mutex would have to be written there first.
//
// All zero is PTHREAD_MUTEX_INITIALIZER with glibc and musl (there is a test),
// and needs no destroying there.
class ZeroMutex {
 public:
  void lock() { ::pthread_mutex_lock(&mutex_); }
  void unlock() { ::pthread_mutex_unlock(&mutex_); }
  bool try_lock() { return ::pthread_mutex_trylock(&mutex_) == 0; }

 private:
  pthread_mutex_t mutex_;
};
static_assert(std::is_trivially_default_constructible_v<ZeroMutex>);
static_assert(std::is_trivially_destructible_v<ZeroMutex>);

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_ZERO_MUTEX_H_
