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
  return Guarded([&] {
    const auto pin = FindHandle(handle);
    if (!pin) return CS_ERR_BAD_HANDLE;
    if (option == CPG_ZCB_OPTION_RETAIN_BYTES) {  // the process's
      pin->attachment().SetRetainBytes(value);
      return CS_OK;
    }
    return ToCsError(pin->options().Set(option, value));
  });
}

cs_error_t cpg_zcb_option_get(cpg_handle_t handle, cpg_zcb_option_t option,
                              uint64_t* value) {
  return Guarded([&] {
    const auto pin = FindHandle(handle);
    if (!pin) return CS_ERR_BAD_HANDLE;
    if (value == nullptr) return CS_ERR_INVALID_PARAM;
    if (option == CPG_ZCB_OPTION_RETAIN_BYTES) {
      *value = pin->attachment().RetainBytes();
      return CS_OK;
    }
    const auto found = pin->options().Get(option);
    if (found) *value = *found;
    return ToCsError(found.status());
  });
}

}  // extern "C"
