// START READING HERE. What one event does is in delivery.cc, how a handle
// sleeps and wakes in handle.cc.
#include <corosync/cpg.h>
#include <corosync/cpg_zcb.h>

#include <utility>

#include "allocator/errno_saver.h"
#include "cpg/cs_error.h"
#include "cpg/dispatch_call.h"
#include "cpg/process_state.h"

namespace zcb::cpg {
namespace {

// The call may be one inside a callback of another one.
cs_error_t Dispatch(DispatchCall* call, cs_dispatch_flags_t how) {
  Handle* const handle = &call->handle();
  bool waited = false;
  for (;;) {
    if (handle->closing()) return CS_ERR_BAD_HANDLE;
    cs_error_t error = CS_OK;
    const Handle::Step step = handle->DispatchNext(call, &error);
    if (call->abandoned()) return CS_ERR_LIBRARY;
    switch (step) {
      case Handle::Step::kFailed:
        return handle->closing() ? CS_ERR_BAD_HANDLE : error;
      case Handle::Step::kDone:
        if (how != CS_DISPATCH_ONE && how != CS_DISPATCH_ONE_NONBLOCKING) {
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
    if (how == CS_DISPATCH_ONE && !waited && handle->TakeSpuriousRing()) {
      return handle->closing() ? CS_ERR_BAD_HANDLE : CS_OK;
    }
    waited = true;
    if (!handle->WaitForEvent()) return CS_ERR_BAD_HANDLE;
  }
}

}  // namespace
}  // namespace zcb::cpg

using zcb::cpg::Dispatch;
using zcb::cpg::DispatchCall;
using zcb::cpg::FindHandle;
using zcb::cpg::Guarded;
using zcb::cpg::Handle;
using zcb::cpg::Model;

extern "C" {

// Not Guarded(): an exception of the program's callback is none of ours. Not
// instrumented: the call has to lie on the stack itself, see JumpGuard.
__attribute__((noinline, no_sanitize_address)) cs_error_t
cpg_dispatch(cpg_handle_t handle, cs_dispatch_flags_t dispatch_types) {
  auto pin = FindHandle(handle);
  if (!pin) return CS_ERR_BAD_HANDLE;
  if (pin->IsQuiet()) {
    if (dispatch_types == CS_DISPATCH_ALL) return CS_OK;
    if (dispatch_types == CS_DISPATCH_ONE_NONBLOCKING) return CS_ERR_TRY_AGAIN;
  }
  const zcb::alloc::ErrnoSaver saver;
  DispatchCall call(std::move(pin));
  return Dispatch(&call, dispatch_types);
}

cs_error_t cpg_zcb_next(cpg_handle_t handle, struct cpg_zcb_message* message) {
  return Guarded([&] {
    const auto pin = FindHandle(handle);
    if (!pin) return CS_ERR_BAD_HANDLE;
    if (message == nullptr) return CS_ERR_INVALID_PARAM;
    if (pin->model() != Model::kZcb) return CS_ERR_NOT_SUPPORTED;
    if (pin->IsQuiet()) return CS_ERR_TRY_AGAIN;
    const Handle::Lock lock(&*pin);
    if (pin->closing()) return CS_ERR_BAD_HANDLE;
    return pin->PullNext(message);
  });
}

}  // extern "C"
