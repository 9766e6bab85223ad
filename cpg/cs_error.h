// From the library's words to the C API's.
#ifndef ZCB_CPG_CS_ERROR_H_
#define ZCB_CPG_CS_ERROR_H_

#include <corosync/cpg.h>

#include <new>

#include "allocator/damage_mark.h"
#include "allocator/errno_saver.h"
#include "allocator/status.h"
#include "ipc/group_name.h"

namespace zcb::cpg {

// Status has cs_error_t's numbers on purpose.
constexpr cs_error_t ToCsError(Status status) {
  return static_cast<cs_error_t>(status);
}
inline cs_error_t ToCsError(const Outcome& outcome) {
  return ToCsError(outcome.status());
}

// Precondition: length <= CPG_MAX_NAME_LENGTH.
inline ipc::GroupName ToGroupName(const cpg_name& name) {
  return ipc::GroupName({name.value, name.length});
}

inline void FillName(const ipc::GroupName& from, cpg_name* to) {
  *to = cpg_name{};
  to->length = static_cast<std::uint32_t>(from.bytes().size());
  std::copy(from.bytes().begin(), from.bytes().end(), to->value);
}

// Runs the body of a C function that calls nobody back: errno stays, and a
// failed allocation is an error code. Only bad_alloc is caught: that is all
// our own code throws, and the unwinding of a cancelled thread must pass.
template <typename Body>
cs_error_t Guarded(Body&& body) {
  const alloc::ErrnoSaver saver;
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return CS_ERR_NO_MEMORY;
  }
}

// What a call on a handle answers when some region of the process has lost
// memory: CS_ERR_LIBRARY if it is the handle's.
cs_error_t AnswerAfterDamage(cpg_handle_t handle, cs_error_t answer);

// The same for a function that looks at the region of a handle. Asked at the
// end, since the call itself may be the one that meets the damage. One load.
template <typename Body>
cs_error_t GuardedIn(cpg_handle_t handle, Body&& body) {
  const cs_error_t answer = Guarded(body);
  // relaxed: nothing comes with it
  if (alloc::damaged_regions.load(std::memory_order_relaxed) == 0) [[likely]] {
    return answer;
  }
  return AnswerAfterDamage(handle, answer);
}

}  // namespace zcb::cpg

#endif  // ZCB_CPG_CS_ERROR_H_
