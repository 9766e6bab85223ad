// Several messages by one call: the C functions.
#include <corosync/cpg.h>
#include <corosync/cpg_zcb.h>

#include <cstddef>
#include <span>

#include "cpg/cs_error.h"
#include "cpg/process_state.h"
#include "cpg/send.h"

namespace zcb::cpg {
namespace {

cs_error_t SendBuffers(const Sender& sender, std::span<const iovec> messages,
                       std::size_t* sent) {
  ipc::Member* const member = sender->SendingMember();
  if (member == nullptr) return CS_ERR_NOT_EXIST;
  if (sender->model() == Model::kZcb) {
    return AnswerOf(
        sender, member,
        member->SendBatch(messages, sent, sender->options().send()));
  }
  for (const iovec& message : messages) {
    const cs_error_t error =
        SendBuffer(sender, message.iov_base, message.iov_len);
    if (error != CS_OK) return error;
    ++*sent;
  }
  return CS_OK;
}

}  // namespace
}  // namespace zcb::cpg

using zcb::cpg::FindHandle;
using zcb::cpg::GuardedIn;
using zcb::cpg::Handle;
using zcb::cpg::Model;
using zcb::cpg::PinWord;
using zcb::cpg::SendBuffers;
using zcb::cpg::Sender;

extern "C" {

cs_error_t cpg_zcb_mcast_batch(cpg_handle_t handle, cpg_guarantee_t,
                               const struct iovec* messages, unsigned int count,
                               unsigned int* sent) {
  return GuardedIn(handle, [&] {
    const Sender sender = FindHandle(handle, PinWord::Kind::kSender);
    if (!sender) return CS_ERR_BAD_HANDLE;
    if (sent == nullptr) return CS_ERR_INVALID_PARAM;
    *sent = 0;
    if (messages == nullptr && count != 0) return CS_ERR_INVALID_PARAM;
    std::size_t done = 0;
    const cs_error_t error = SendBuffers(sender, {messages, count}, &done);
    *sent = static_cast<unsigned int>(done);
    return error;
  });
}

cs_error_t cpg_zcb_next_batch(cpg_handle_t handle,
                              struct cpg_zcb_message* messages,
                              unsigned int capacity, unsigned int* count) {
  return GuardedIn(handle, [&] {
    const auto pin = FindHandle(handle);
    if (!pin) return CS_ERR_BAD_HANDLE;
    if (messages == nullptr || capacity == 0 || count == nullptr) {
      return CS_ERR_INVALID_PARAM;
    }
    if (pin->model() != Model::kZcb) return CS_ERR_NOT_SUPPORTED;
    if (pin->IsQuiet()) return CS_ERR_TRY_AGAIN;
    const Handle::Lock lock(&*pin);
    if (pin->closing()) return CS_ERR_BAD_HANDLE;
    pin->NoteReader();
    std::size_t pulled = 0;
    const cs_error_t error = pin->PullBatch(messages, capacity, &pulled);
    if (error == CS_OK) *count = static_cast<unsigned int>(pulled);
    return error;
  });
}

}  // extern "C"
