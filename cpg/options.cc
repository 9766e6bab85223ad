// Options of a handle.
#include <corosync/cpg_zcb.h>

#include "cpg/cs_error.h"
#include "cpg/process_state.h"

using zcb::cpg::FindHandle;
using zcb::cpg::Guarded;
using zcb::cpg::ToCsError;

extern "C" {

cs_error_t cpg_zcb_option_set(cpg_handle_t handle, cpg_zcb_option_t option,
                              uint64_t value) {
  const int which = option;  // a C program may pass any number
  return Guarded([&] {
    const auto pin = FindHandle(handle);
    if (!pin) return CS_ERR_BAD_HANDLE;
    if (which == CPG_ZCB_OPTION_RETAIN_BYTES) {  // the process's
      pin->attachment().SetRetainBytes(value);
      return CS_OK;
    }
    return ToCsError(pin->options().Set(which, value));
  });
}

cs_error_t cpg_zcb_option_get(cpg_handle_t handle, cpg_zcb_option_t option,
                              uint64_t* value) {
  const int which = option;  // as above
  return Guarded([&] {
    const auto pin = FindHandle(handle);
    if (!pin) return CS_ERR_BAD_HANDLE;
    if (value == nullptr) return CS_ERR_INVALID_PARAM;
    if (which == CPG_ZCB_OPTION_RETAIN_BYTES) {
      *value = pin->attachment().RetainBytes();
      return CS_OK;
    }
    const auto found = pin->options().Get(which);
    if (found) *value = *found;
    return ToCsError(found.status());
  });
}

}  // extern "C"
