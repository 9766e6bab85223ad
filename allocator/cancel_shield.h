// Keeps a thread from being cancelled half-way through something.
#ifndef ZCB_ALLOCATOR_CANCEL_SHIELD_H_
#define ZCB_ALLOCATOR_CANCEL_SHIELD_H_

#include <pthread.h>

namespace zcb::alloc {

// A cancelled thread unwinds from the system call at which it learns of it;
// that must not be one that a destructor makes, or that leaves others waiting.
// A cancellation that comes meanwhile waits for the next such call outside.
class CancelShield {
 public:
  CancelShield() { pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &saved_); }
  ~CancelShield() { pthread_setcancelstate(saved_, nullptr); }
  CancelShield(const CancelShield&) = delete;
  CancelShield& operator=(const CancelShield&) = delete;

 private:
  int saved_ = PTHREAD_CANCEL_ENABLE;
};

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_CANCEL_SHIELD_H_
