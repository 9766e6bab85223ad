// Buffers, kept messages, and the state of the region.
#include <corosync/cpg.h>
#include <corosync/cpg_zcb.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "allocator/cancel_shield.h"
#include "cpg/cs_error.h"
#include "cpg/process_state.h"
#include "cpg/send.h"

namespace zcb::cpg {
namespace {

// Asks one attachment after the other, until one answers something else than
// kInvalidParam: a pointer belongs to one region at most.
template <typename Ask>
Outcome InItsRegion(Ask&& ask) {
  const ProcessState* state = ProcessState::Find();
  for (std::size_t i = 0; state != nullptr; ++i) {
    ipc::Attachment* attachment = state->AttachmentAt(i);
    if (attachment == nullptr) break;
    const Outcome answer = ask(*attachment);
    if (answer && attachment->region().IsDamaged()) {
      return alloc::Region::kTruncated;
    }
    if (answer.status() != Status::kInvalidParam) return answer;
  }
  return {Status::kInvalidParam, "this process keeps no such message"};
}

}  // namespace
}  // namespace zcb::cpg

using zcb::cpg::AllocAsSender;
using zcb::cpg::FindHandle;
using zcb::cpg::Guarded;
using zcb::cpg::GuardedIn;
using zcb::cpg::Handle;
using zcb::cpg::InItsRegion;
using zcb::cpg::Model;
using zcb::cpg::PinWord;
using zcb::cpg::ProcessState;
using zcb::cpg::SendCopy;
using zcb::cpg::Sender;
using zcb::cpg::ToCsError;

// The function of that name hides it.
using RegionInfo = struct cpg_zcb_region_info;

extern "C" {

cs_error_t cpg_zcb_alloc(cpg_handle_t handle, size_t size, void** buffer) {
  const cs_error_t error = GuardedIn(handle, [&] {
    const auto pin = FindHandle(handle);
    if (!pin) return CS_ERR_BAD_HANDLE;
    if (buffer == nullptr) return CS_ERR_INVALID_PARAM;
    const auto payload = pin->attachment().AllocPayload(size);
    if (!payload) return ToCsError(payload.status());
    *buffer = *payload;
    return CS_OK;
  });
  return error == CS_ERR_NO_MEMORY ? AllocAsSender(handle, size, 1, buffer)
                                   : error;
}

cs_error_t cpg_zcb_alloc_aligned(cpg_handle_t handle, size_t size,
                                 size_t alignment, void** buffer) {
  const cs_error_t error = GuardedIn(handle, [&] {
    const auto pin = FindHandle(handle);
    if (!pin) return CS_ERR_BAD_HANDLE;
    if (buffer == nullptr) return CS_ERR_INVALID_PARAM;
    const auto payload = pin->attachment().AllocAlignedPayload(size, alignment);
    if (!payload) return ToCsError(payload.status());
    *buffer = *payload;
    return CS_OK;
  });
  return error == CS_ERR_NO_MEMORY
             ? AllocAsSender(handle, size, alignment, buffer)
             : error;
}

cs_error_t cpg_zcb_free(cpg_handle_t handle, void* buffer) {
  return GuardedIn(handle, [&] {
    const auto pin = FindHandle(handle);
    if (!pin) return CS_ERR_BAD_HANDLE;
    return ToCsError(pin->attachment().FreePayload(buffer));
  });
}

cs_error_t cpg_zcb_retain(cpg_handle_t handle, const void* msg) {
  return GuardedIn(handle, [&] {
    const auto pin = FindHandle(handle);
    if (!pin) return CS_ERR_BAD_HANDLE;
    if (pin->model() != Model::kZcb) return CS_ERR_NOT_SUPPORTED;
    const zcb::Outcome kept = pin->Retain(msg);
    if (kept.status() != zcb::Status::kInvalidParam) return ToCsError(kept);
    return ToCsError(InItsRegion([msg](zcb::ipc::Attachment& attachment) {
      return attachment.KeepAgain(msg);
    }));
  });
}

cs_error_t cpg_zcb_release(const void* msg) {
  return Guarded([&] {
    if (ProcessState::Find() == nullptr) return CS_ERR_BAD_HANDLE;
    return ToCsError(InItsRegion([msg](zcb::ipc::Attachment& attachment) {
      return attachment.Release(msg);
    }));
  });
}

cs_error_t cpg_zcb_describe(cpg_handle_t handle, const void* msg,
                            struct cpg_zcb_message* message) {
  return GuardedIn(handle, [&] {
    const auto pin = FindHandle(handle);
    if (!pin) return CS_ERR_BAD_HANDLE;
    if (message == nullptr) return CS_ERR_INVALID_PARAM;
    const Handle::Lock lock(&*pin);
    const auto found = pin->DescribeOpen(msg);
    if (!found) return CS_ERR_INVALID_PARAM;
    *message = *found;
    return CS_OK;
  });
}

cs_error_t cpg_zcb_forward(cpg_handle_t handle, cpg_guarantee_t,
                           const void* msg, size_t msg_len) {
  return GuardedIn(handle, [&] {
    const Sender sender = FindHandle(handle, PinWord::Kind::kSender);
    if (!sender) return CS_ERR_BAD_HANDLE;
    const iovec piece{const_cast<void*>(msg), msg_len};
    if (const auto length_bytes = sender->OpenLength(msg)) {
      if (msg_len > *length_bytes) return CS_ERR_TOO_BIG;
      return SendCopy(sender, &piece, 1);
    }
    cs_error_t sent = CS_ERR_INVALID_PARAM;
    (void)InItsRegion([&](zcb::ipc::Attachment& attachment) -> zcb::Outcome {
      // Borrowed, so that it stays even if another thread lets go of it now.
      const auto length_bytes = attachment.Borrow(msg);
      if (!length_bytes) return length_bytes.failure();
      sent = msg_len > *length_bytes ? CS_ERR_TOO_BIG
                                     : SendCopy(sender, &piece, 1);
      return attachment.Release(msg);
    });
    return sent;
  });
}

cs_error_t cpg_zcb_region_info(cpg_handle_t handle, RegionInfo* info) {
  return GuardedIn(handle, [&] {
    const auto pin = FindHandle(handle);
    if (!pin) return CS_ERR_BAD_HANDLE;
    if (info == nullptr || info->size < offsetof(RegionInfo, committed_bytes)) {
      return CS_ERR_INVALID_PARAM;
    }
    const zcb::alloc::CancelShield shield;  // it reads a file
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
  return GuardedIn(handle, [&] {
    const auto pin = FindHandle(handle);
    if (!pin) return CS_ERR_BAD_HANDLE;
    pin->attachment().RelievePressure();
    pin->attachment().allocator().Collect();
    return CS_OK;
  });
}

const char* cpg_zcb_version(void) { return "0.1.0"; }

}  // extern "C"
