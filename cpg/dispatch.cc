// START READING HERE. What one event does is in delivery.cc, how a handle
// sleeps and wakes in handle.cc.
#include <corosync/cpg.h>
#include <corosync/cpg_zcb.h>

#include <utility>

#include "allocator/damage_mark.h"
#include "allocator/errno_saver.h"
#include "cpg/cs_error.h"
#include "cpg/dispatch_call.h"
#include "cpg/process_state.h"
#include "ipc/deadline.h"

namespace zcb::cpg {
namespace {

// CS_OK: look again; else what the call that waits returns.
cs_error_t WaitForEvent(Handle* handle, ipc::Deadline deadline) {
  switch (handle->WaitForEvent(deadline)) {
    case Handle::Waited::kLookAgain:
      return CS_OK;
    case Handle::Waited::kTimeout:
      return CS_ERR_TIMEOUT;
    case Handle::Waited::kClosing:
    case Handle::Waited::kInherited:
      break;
  }
  return CS_ERR_BAD_HANDLE;
}

// The call may be one inside a callback of another one.
// `may_wait_less`: see below.
cs_error_t Dispatch(DispatchCall* call, cs_dispatch_flags_t how,
                    ipc::Deadline deadline, bool may_wait_less) {
  Handle* const handle = &call->handle();
  handle->NoteReader();
  bool waited = false;
  for (;;) {
    if (handle->closing()) return CS_ERR_BAD_HANDLE;
    cs_error_t error = CS_OK;
    const Handle::Step step = handle->DispatchNext(call, &error);
    if (call->abandoned()) [[unlikely]] {
      return call->inherited() ? CS_ERR_BAD_HANDLE : CS_ERR_LIBRARY;
    }
    switch (step) {
      case Handle::Step::kFailed:
        return handle->closing() ? CS_ERR_BAD_HANDLE : error;
      case Handle::Step::kDone:
        if (how != CS_DISPATCH_ONE && how != CS_DISPATCH_ONE_NONBLOCKING) {
          if (how != CS_DISPATCH_ALL && deadline.passed()) {
            return handle->closing() ? CS_ERR_BAD_HANDLE : CS_ERR_TIMEOUT;
          }
          handle->GiveWay();
          continue;
        }
        return handle->closing() ? CS_ERR_BAD_HANDLE : CS_OK;
      case Handle::Step::kNothing:
        break;
    }
    if (how == CS_DISPATCH_ALL) return CS_OK;
    if (how == CS_DISPATCH_ONE_NONBLOCKING) return CS_ERR_TRY_AGAIN;
    // The program came because its descriptor was readable, for an event that
    // is gone: it does not mean to wait here.
    if (how == CS_DISPATCH_ONE && may_wait_less && !waited &&
        handle->TakeSpuriousRing()) {
      return handle->closing() ? CS_ERR_BAD_HANDLE : CS_OK;
    }
    waited = true;
    if (const cs_error_t end = WaitForEvent(handle, deadline); end != CS_OK) {
      return end;
    }
  }
}

// Apart from cpg_dispatch(), which is short when there is nothing to do. Not
// instrumented: the call has to lie on the stack itself, see JumpGuard.
__attribute__((noinline, no_sanitize_address)) cs_error_t DispatchUnderLock(
    HandleTable<Handle>::Pin::Loose pinned, cs_dispatch_flags_t how,
    ipc::Deadline deadline, bool may_wait_less) {
  const alloc::ErrnoSaver saver;
  DispatchCall call(HandleTable<Handle>::Pin(pinned, PinWord::Kind::kCall));
  return Dispatch(&call, how, deadline, may_wait_less);
}

}  // namespace
}  // namespace zcb::cpg

using zcb::cpg::DispatchUnderLock;
using zcb::cpg::FindHandle;
using zcb::cpg::GuardedIn;
using zcb::cpg::Handle;
using zcb::cpg::Model;
using zcb::cpg::Stay;
using zcb::cpg::WaitForEvent;
using zcb::ipc::Deadline;

extern "C" {

// Not Guarded(): an exception of the program's callback is none of ours.
cs_error_t cpg_dispatch(cpg_handle_t handle,
                        cs_dispatch_flags_t dispatch_types) {
  auto pin = FindHandle(handle);
  if (!pin) return CS_ERR_BAD_HANDLE;
  // relaxed: as GuardedIn(). A slot that was cut away reads as an empty one.
  if (pin->IsQuiet() &&
      zcb::alloc::damaged_regions.load(std::memory_order_relaxed) == 0) {
    if (dispatch_types == CS_DISPATCH_ALL) return CS_OK;
    if (dispatch_types == CS_DISPATCH_ONE_NONBLOCKING) return CS_ERR_TRY_AGAIN;
  }
  return DispatchUnderLock(pin.Loosen(), dispatch_types, Deadline::Never(),
                           true);
}

// As cpg_dispatch().
cs_error_t cpg_zcb_dispatch_timed(cpg_handle_t handle,
                                  cs_dispatch_flags_t dispatch_types,
                                  int timeout_ms) {
  auto pin = FindHandle(handle);
  if (!pin) return CS_ERR_BAD_HANDLE;
  return DispatchUnderLock(pin.Loosen(), dispatch_types,
                           Deadline::InMs(timeout_ms), false);
}

cs_error_t cpg_zcb_next(cpg_handle_t handle, struct cpg_zcb_message* message) {
  return GuardedIn(handle, [&] {
    const auto pin = FindHandle(handle);
    if (!pin) [[unlikely]]
      return CS_ERR_BAD_HANDLE;
    if (message == nullptr) [[unlikely]]
      return CS_ERR_INVALID_PARAM;
    if (pin->model() != Model::kZcb) [[unlikely]]
      return CS_ERR_NOT_SUPPORTED;
    if (pin->IsQuiet()) return CS_ERR_TRY_AGAIN;
    const Handle::Lock lock(&*pin);
    if (pin->closing()) [[unlikely]]
      return CS_ERR_BAD_HANDLE;
    pin->NoteReader();
    return pin->PullNext(message);
  });
}

cs_error_t cpg_zcb_next_timed(cpg_handle_t handle,
                              struct cpg_zcb_message* message, int timeout_ms) {
  return GuardedIn(handle, [&] {
    auto pin = FindHandle(handle);
    if (!pin) return CS_ERR_BAD_HANDLE;
    if (message == nullptr) return CS_ERR_INVALID_PARAM;
    if (pin->model() != Model::kZcb) return CS_ERR_NOT_SUPPORTED;
    const Deadline deadline = Deadline::InMs(timeout_ms);
    Stay stay(std::move(pin));
    Handle& found = stay.handle();
    found.NoteReader();
    for (;;) {
      if (found.closing()) return CS_ERR_BAD_HANDLE;
      const cs_error_t error = found.PullNext(message);
      if (error != CS_ERR_TRY_AGAIN) return error;
      const cs_error_t end = WaitForEvent(&found, deadline);
      if (end != CS_OK) return end;
    }
  });
}

}  // extern "C"
