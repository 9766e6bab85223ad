// What the functions of the C interface have in common.
#ifndef ZCB_ALLOCATOR_ZCB_CALL_H_
#define ZCB_ALLOCATOR_ZCB_CALL_H_

#include <new>

#include "allocator/allocator.h"
#include "allocator/errno_saver.h"
#include "allocator/status.h"
#include "allocator/zcb_allocator.h"

namespace zcb::alloc {

// Why the last call of this thread that failed did so.
[[gnu::tls_model(
    "initial-exec")]] extern constinit thread_local const char* zcb_reason;

[[gnu::cold]] inline zcb_status Fail(const Failure& failure) {
  zcb_reason = failure.reason;
  // Status has the same numbers on purpose.
  return static_cast<zcb_status>(failure.status);
}
[[gnu::cold]] inline zcb_status FailNull() {
  return Fail({Status::kInvalidParam, "a NULL argument"});
}
inline zcb_status Answer(const Outcome& outcome) {
  return outcome.ok() ? ZCB_OK : Fail(outcome.failure());
}

// The C handle is the object itself: nothing to look up.
inline Allocator& Unwrap(zcb_allocator* allocator) {
  return *reinterpret_cast<Allocator*>(allocator);
}
inline zcb_allocator* Wrap(Allocator* allocator) {
  return reinterpret_cast<zcb_allocator*>(allocator);
}

// Runs the body of a function off the fast path: errno stays, and an allocator
// that a fork left behind is refused. Only bad_alloc is caught: that is all our
// own code throws, and the unwinding of a cancelled thread must pass.
template <typename Body>
zcb_status Call(zcb_allocator* allocator, Body&& body) {
  const ErrnoSaver saver;
  if (allocator == nullptr) return FailNull();
  if (!Unwrap(allocator).region().IsOurs()) {
    return Fail({Status::kBadHandle, "inherited over fork: open it anew"});
  }
  try {
    const zcb_status status = body(Unwrap(allocator));
    if (!Unwrap(allocator).region().IsDamaged()) [[likely]] {
      return status;
    }
    return Fail(Region::kTruncated);
  } catch (const std::bad_alloc&) {
    return Fail({Status::kNoMemory, "no private memory"});
  }
}

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_ZCB_CALL_H_
