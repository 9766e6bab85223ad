// Sending. No lock, no heap, and (ring and memory permitting) no system call.
#include <corosync/cpg.h>

#include <algorithm>
#include <cstring>

#include "cpg/cs_error.h"
#include "cpg/process_state.h"

namespace zcb::cpg {
namespace {

using Sender = HandleTable<Handle>::Pin;

// A send that finds no memory is refused like one that finds no room in the
// ring: others have to read, or to free.
cs_error_t RefuseForMemory(const Sender& sender, ipc::Member* member,
                           std::uint64_t length_bytes) {
  member->counters().refused_sends.LossyAdd(1);
  sender->set_memory_wanted(std::max<std::uint64_t>(length_bytes, 1));
  return CS_ERR_TRY_AGAIN;
}

// Whether what the last refused send could not have can be had now.
bool LacksMemory(const Sender& sender) {
  const std::uint64_t wanted_bytes = sender->memory_wanted();
  if (wanted_bytes == 0) return false;
  ipc::Attachment& attachment = sender->attachment();
  const auto payload = attachment.AllocPayload(wanted_bytes);
  if (!payload) return payload.status() == Status::kNoMemory;
  (void)attachment.FreePayload(*payload);  // ours: cannot fail
  sender->set_memory_wanted(0);
  return false;
}

// Copies pieces into a fresh buffer and sends it.
cs_error_t SendCopy(const Sender& sender, const iovec* pieces,
                    std::size_t piece_count) {
  std::uint64_t length_bytes = 0;
  for (std::size_t i = 0; i < piece_count; ++i) {
    if (__builtin_add_overflow(length_bytes, pieces[i].iov_len,
                               &length_bytes)) {
      return CS_ERR_INVALID_PARAM;
    }
  }
  ipc::Member* member = sender->SendingMember();
  if (member == nullptr || member->leaving()) return CS_ERR_NOT_EXIST;
  ipc::Attachment& attachment = sender->attachment();
  const auto payload = attachment.AllocPayload(length_bytes);
  if (!payload) {
    return payload.status() == Status::kNoMemory
               ? RefuseForMemory(sender, member, length_bytes)
               : ToCsError(payload.status());
  }
  std::byte* to = *payload;
  for (std::size_t i = 0; i < piece_count; ++i) {
    if (pieces[i].iov_len == 0) continue;
    std::memcpy(to, pieces[i].iov_base, pieces[i].iov_len);
    to += pieces[i].iov_len;
  }
  const Outcome sent =
      member->Send(*payload, length_bytes, sender->options().send());
  if (!sent) (void)attachment.FreePayload(*payload);  // ours: cannot fail
  return ToCsError(sent);
}

}  // namespace
}  // namespace zcb::cpg

using zcb::cpg::FindHandle;
using zcb::cpg::Guarded;
using zcb::cpg::LacksMemory;
using zcb::cpg::Model;
using zcb::cpg::PinWord;
using zcb::cpg::RefuseForMemory;
using zcb::cpg::SendCopy;
using zcb::cpg::Sender;
using zcb::cpg::ToCsError;

extern "C" {

cs_error_t cpg_mcast_joined(cpg_handle_t handle, cpg_guarantee_t,
                            const struct iovec* iovec, unsigned int iov_len) {
  return Guarded([&] {
    const Sender sender = FindHandle(handle, PinWord::Kind::kSender);
    if (!sender) return CS_ERR_BAD_HANDLE;
    if (iovec == nullptr && iov_len != 0) return CS_ERR_INVALID_PARAM;
    return SendCopy(sender, iovec, iov_len);
  });
}

cs_error_t cpg_zcb_mcast_joined(cpg_handle_t handle, cpg_guarantee_t, void* msg,
                                size_t msg_len) {
  return Guarded([&] {
    const Sender sender = FindHandle(handle, PinWord::Kind::kSender);
    if (!sender) return CS_ERR_BAD_HANDLE;
    if (sender->model() == Model::kV1) {
      if (msg == nullptr && msg_len != 0) return CS_ERR_INVALID_PARAM;
      const iovec piece{msg, msg_len};
      return SendCopy(sender, &piece, 1);
    }
    zcb::ipc::Member* member = sender->SendingMember();
    if (member == nullptr) return CS_ERR_NOT_EXIST;
    const zcb::Outcome sent = member->Send(static_cast<std::byte*>(msg),
                                           msg_len, sender->options().send());
    // A page-aligned payload in a buffer that was not allocated as one: its
    // header wants memory of its own.
    return sent.status() == zcb::Status::kNoMemory
               ? RefuseForMemory(sender, member, 0)
               : ToCsError(sent);
  });
}

cs_error_t cpg_flow_control_state_get(
    cpg_handle_t handle, cpg_flow_control_state_t* flow_control_enabled) {
  return Guarded([&] {
    const Sender sender = FindHandle(handle, PinWord::Kind::kSender);
    if (!sender) return CS_ERR_BAD_HANDLE;
    if (flow_control_enabled == nullptr) return CS_ERR_INVALID_PARAM;
    zcb::ipc::Member* member = sender->SendingMember();
    const bool enabled =
        member != nullptr &&
        (sender->UpdateFlowControl(member->RingFillPercent()) ||
         LacksMemory(sender));
    *flow_control_enabled =
        enabled ? CPG_FLOW_CONTROL_ENABLED : CPG_FLOW_CONTROL_DISABLED;
    return CS_OK;
  });
}

}  // extern "C"
