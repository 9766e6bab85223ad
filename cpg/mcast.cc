// Sending: the C functions.
#include <corosync/cpg.h>
#include <corosync/cpg_zcb.h>

#include <algorithm>
#include <cstdint>

#include "allocator/cancel_shield.h"
#include "cpg/cs_error.h"
#include "cpg/process_state.h"
#include "cpg/send.h"
#include "ipc/deadline.h"

namespace zcb::cpg {
namespace {

// Sends, and while there is no room waits and sends again, one time at least.
// `count_bytes()`, for a send that was refused, is what it allocates: at least
// a byte if anything (Attachment::AllocPayload).
template <typename CountBytes, typename Send>
cs_error_t SendTimed(const Sender& sender, CountBytes&& count_bytes,
                     int timeout_ms, Send&& send) {
  cs_error_t error = send();
  if (error != CS_ERR_TRY_AGAIN) return error;
  const std::uint64_t alloc_bytes = count_bytes();
  const ipc::Deadline deadline = ipc::Deadline::InMs(timeout_ms);
  do {
    error = sender->WaitForRoom(alloc_bytes, deadline);
    if (error != CS_OK) return error;
    error = send();
    // There was room, and others took it.
    if (error == CS_ERR_TRY_AGAIN && deadline.passed()) return CS_ERR_TIMEOUT;
  } while (error == CS_ERR_TRY_AGAIN);
  return error;
}

}  // namespace
}  // namespace zcb::cpg

using zcb::cpg::FindHandle;
using zcb::cpg::GuardedIn;
using zcb::cpg::Model;
using zcb::cpg::PinWord;
using zcb::cpg::SendBuffer;
using zcb::cpg::SendCopy;
using zcb::cpg::Sender;
using zcb::cpg::SendTimed;
using zcb::cpg::TotalBytes;
using zcb::ipc::Deadline;

extern "C" {

cs_error_t cpg_mcast_joined(cpg_handle_t handle, cpg_guarantee_t,
                            const struct iovec* iovec, unsigned int iov_len) {
  return GuardedIn(handle, [&] {
    const Sender sender = FindHandle(handle, PinWord::Kind::kSender);
    if (!sender) return CS_ERR_BAD_HANDLE;
    if (iovec == nullptr && iov_len != 0) return CS_ERR_INVALID_PARAM;
    return SendCopy(sender, iovec, iov_len);
  });
}

cs_error_t cpg_zcb_mcast_joined(cpg_handle_t handle, cpg_guarantee_t, void* msg,
                                size_t msg_len) {
  return GuardedIn(handle, [&] {
    const Sender sender = FindHandle(handle, PinWord::Kind::kSender);
    if (!sender) return CS_ERR_BAD_HANDLE;
    return SendBuffer(sender, msg, msg_len);
  });
}

cs_error_t cpg_zcb_mcastv_timed(cpg_handle_t handle, cpg_guarantee_t,
                                const struct iovec* iovec, unsigned int iov_len,
                                int timeout_ms) {
  return GuardedIn(handle, [&] {
    const Sender sender = FindHandle(handle, PinWord::Kind::kSender);
    if (!sender) return CS_ERR_BAD_HANDLE;
    if (iovec == nullptr && iov_len != 0) return CS_ERR_INVALID_PARAM;
    return SendTimed(
        sender,
        [&] {
          std::uint64_t length_bytes = 0;  // did not overflow in the send
          (void)TotalBytes(iovec, iov_len, &length_bytes);
          return std::max<std::uint64_t>(length_bytes, 1);
        },
        timeout_ms, [&] { return SendCopy(sender, iovec, iov_len); });
  });
}

cs_error_t cpg_zcb_mcast_timed(cpg_handle_t handle, cpg_guarantee_t, void* msg,
                               size_t msg_len, int timeout_ms) {
  return GuardedIn(handle, [&] {
    const Sender sender = FindHandle(handle, PinWord::Kind::kSender);
    if (!sender) return CS_ERR_BAD_HANDLE;
    return SendTimed(
        sender,
        [&] {
          return sender->model() == Model::kV1
                     ? std::max<std::uint64_t>(msg_len, 1)
                     : 0;
        },
        timeout_ms, [&] { return SendBuffer(sender, msg, msg_len); });
  });
}

cs_error_t cpg_zcb_wait(cpg_handle_t handle, size_t length, int timeout_ms) {
  return GuardedIn(handle, [&] {
    const Sender sender = FindHandle(handle, PinWord::Kind::kSender);
    if (!sender) return CS_ERR_BAD_HANDLE;
    return sender->WaitForRoom(length, Deadline::InMs(timeout_ms));
  });
}

cs_error_t cpg_zcb_send_fd_get(cpg_handle_t handle, int* fd) {
  return GuardedIn(handle, [&] {
    const auto pin = FindHandle(handle);
    if (!pin) return CS_ERR_BAD_HANDLE;
    if (fd == nullptr) return CS_ERR_INVALID_PARAM;
    const zcb::alloc::CancelShield shield;
    const zcb::cpg::Handle::Lock lock(&*pin);
    const auto shared = pin->ShareSendDescriptor();
    if (shared) *fd = *shared;
    return zcb::cpg::ToCsError(shared.status());
  });
}

cs_error_t cpg_flow_control_state_get(
    cpg_handle_t handle, cpg_flow_control_state_t* flow_control_enabled) {
  return GuardedIn(handle, [&] {
    const Sender sender = FindHandle(handle, PinWord::Kind::kSender);
    if (!sender) return CS_ERR_BAD_HANDLE;
    if (flow_control_enabled == nullptr) return CS_ERR_INVALID_PARAM;
    zcb::ipc::Member* member = sender->SendingMember();
    const bool enabled =
        member != nullptr &&
        (sender->UpdateFlowControl(member->RingFillPercent()) ||
         sender->memory_wanted().LacksMost(sender->attachment()));
    *flow_control_enabled =
        enabled ? CPG_FLOW_CONTROL_ENABLED : CPG_FLOW_CONTROL_DISABLED;
    return CS_OK;
  });
}

}  // extern "C"
