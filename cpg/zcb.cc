// Buffers, kept messages, and the state of the region.
#include <corosync/cpg.h>
#include <corosync/cpg_zcb.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "cpg/cs_error.h"
#include "cpg/process_state.h"

using zcb::cpg::FindHandle;
using zcb::cpg::Guarded;
using zcb::cpg::Handle;
using zcb::cpg::Model;
using zcb::cpg::ProcessState;
using zcb::cpg::ToCsError;

// The function of that name hides it.
using RegionInfo = struct cpg_zcb_region_info;

extern "C" {

cs_error_t cpg_zcb_alloc(cpg_handle_t handle, size_t size, void** buffer) {
  return Guarded([&] {
    const auto pin = FindHandle(handle);
    if (!pin) return CS_ERR_BAD_HANDLE;
    if (buffer == nullptr) return CS_ERR_INVALID_PARAM;
    const auto payload = pin->attachment().AllocPayload(size);
    if (!payload) return ToCsError(payload.status());
    *buffer = *payload;
    return CS_OK;
  });
}

cs_error_t cpg_zcb_alloc_aligned(cpg_handle_t handle, size_t size,
                                 size_t alignment, void** buffer) {
  return Guarded([&] {
    const auto pin = FindHandle(handle);
    if (!pin) return CS_ERR_BAD_HANDLE;
    if (buffer == nullptr) return CS_ERR_INVALID_PARAM;
    const auto payload = pin->attachment().AllocAlignedPayload(size, alignment);
    if (!payload) return ToCsError(payload.status());
    *buffer = *payload;
    return CS_OK;
  });
}

cs_error_t cpg_zcb_free(cpg_handle_t handle, void* buffer) {
  return Guarded([&] {
    const auto pin = FindHandle(handle);
    if (!pin) return CS_ERR_BAD_HANDLE;
    return ToCsError(pin->attachment().FreePayload(buffer));
  });
}

cs_error_t cpg_zcb_retain(cpg_handle_t handle, const void* msg) {
  return Guarded([&] {
    const auto pin = FindHandle(handle);
    if (!pin) return CS_ERR_BAD_HANDLE;
    if (pin->model() != Model::kZcb) return CS_ERR_NOT_SUPPORTED;
    const Handle::Lock lock(&*pin);
    return ToCsError(pin->Retain(msg));
  });
}

cs_error_t cpg_zcb_release(const void* msg) {
  return Guarded([&] {
    const ProcessState* state = ProcessState::Find();
    if (state == nullptr) return CS_ERR_BAD_HANDLE;
    for (std::size_t i = 0;; ++i) {
      zcb::ipc::Attachment* attachment = state->AttachmentAt(i);
      if (attachment == nullptr) return CS_ERR_INVALID_PARAM;
      const zcb::Outcome released = attachment->Release(msg);
      // A pointer belongs to one region at most.
      if (released.status() != zcb::Status::kInvalidParam) {
        return ToCsError(released);
      }
    }
  });
}

cs_error_t cpg_zcb_region_info(cpg_handle_t handle, RegionInfo* info) {
  return Guarded([&] {
    const auto pin = FindHandle(handle);
    if (!pin) return CS_ERR_BAD_HANDLE;
    if (info == nullptr || info->size < offsetof(RegionInfo, committed_bytes)) {
      return CS_ERR_INVALID_PARAM;
    }
    zcb::ipc::Attachment& attachment = pin->attachment();
    const auto stats = attachment.ReadStats();
    const auto pages = attachment.region().ReportPages();
    const RegionInfo filled{
        .size = std::min(info->size, sizeof(RegionInfo)),
        .page_kind = pages.how,
        .page_bytes = pages.page_bytes,
        .committed_bytes = pages.committed_bytes,
        .huge_bytes = pages.huge_bytes,
        .live_buffers = stats.allocator.live_buffers,
        .out_buffers = stats.region_out_buffers,
        .kept_messages = stats.kept_messages,
        .processes = stats.live_leases,
        .kept_bytes = stats.kept_bytes,
    };
    std::memcpy(info, &filled, filled.size);
    return CS_OK;
  });
}

cs_error_t cpg_zcb_collect(cpg_handle_t handle) {
  return Guarded([&] {
    const auto pin = FindHandle(handle);
    if (!pin) return CS_ERR_BAD_HANDLE;
    pin->attachment().RelievePressure();
    pin->attachment().allocator().Collect();
    return CS_OK;
  });
}

const char* cpg_zcb_version(void) { return "0.1.0"; }

}  // extern "C"
