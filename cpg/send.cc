// From a pin and bytes to a place in the order. No lock, no heap, and (ring and
// memory permitting) no system call.
#include "cpg/send.h"

#include <algorithm>
#include <cstring>

#include "cpg/cs_error.h"
#include "cpg/process_state.h"

namespace zcb::cpg {
namespace {

using RoomKind = ipc::Member::RoomKind;

// What is longer is not copied before there is a place for it in the ring.
constexpr std::uint64_t kLookFirstBytes = 4096;

// An allocation of that many bytes failed for want of memory. True: it may be
// worth another try at once. False: the handle knows of it.
[[gnu::noinline]] bool TryAgainForMemory(const Sender& sender,
                                         ipc::Member* member,
                                         std::uint64_t length_bytes) {
  // Somebody who does not read may be the one who holds it.
  if (sender->EvictWhoeverIsDue(member, RoomKind::kMemory).evicted != 0) {
    return true;
  }
  member->counters().refused_sends.Add(1);
  sender->memory_wanted().Refused(length_bytes);
  sender->OnRefused(member, RoomKind::kMemory);
  return false;
}

// Calls `alloc()` for a sender, which waits for that much if it is refused.
template <typename Alloc>
Result<std::byte*> AllocOrWant(const Sender& sender, ipc::Member* member,
                               std::uint64_t length_bytes, Alloc&& alloc) {
  for (;;) {
    const Result<std::byte*> payload = alloc();
    if (payload) sender->memory_wanted().Had(length_bytes);
    if (payload.status() != Status::kNoMemory ||
        !TryAgainForMemory(sender, member, length_bytes)) {
      return payload;
    }
  }
}

}  // namespace

cs_error_t AllocAsSender(cpg_handle_t handle, std::size_t size,
                         std::size_t alignment, void** buffer) {
  return GuardedIn(handle, [&] {
    const Sender sender = FindHandle(handle, PinWord::Kind::kSender);
    ipc::Member* const member = sender ? sender->SendingMember() : nullptr;
    if (member == nullptr) return CS_ERR_NO_MEMORY;
    // What would hold it, however it were aligned.
    const auto payload =
        AllocOrWant(sender, member, std::max(size, alignment), [&] {
          return sender->attachment().AllocAlignedPayload(size, alignment);
        });
    if (payload) *buffer = *payload;
    return ToCsError(payload.status());
  });
}

cs_error_t AnswerOf(const Sender& sender, ipc::Member* member,
                    const Outcome& sent) {
  if (sent.status() == Status::kTryAgain) {
    sender->OnRefused(member, RoomKind::kRing);
  }
  return ToCsError(sent);
}

bool TotalBytes(const iovec* pieces, std::size_t piece_count,
                std::uint64_t* total_bytes) {
  *total_bytes = 0;
  for (std::size_t i = 0; i < piece_count; ++i) {
    if (pieces[i].iov_base == nullptr && pieces[i].iov_len != 0) return false;
    if (__builtin_add_overflow(*total_bytes, pieces[i].iov_len, total_bytes)) {
      return false;
    }
  }
  return true;
}

cs_error_t SendCopy(const Sender& sender, const iovec* pieces,
                    std::size_t piece_count) {
  std::uint64_t length_bytes = 0;
  if (!TotalBytes(pieces, piece_count, &length_bytes)) {
    return CS_ERR_INVALID_PARAM;
  }
  ipc::Member* member = sender->SendingMember();
  if (member == nullptr || member->leaving()) return CS_ERR_NOT_EXIST;
  ipc::Attachment& attachment = sender->attachment();
  if (length_bytes > kLookFirstBytes &&
      length_bytes <= attachment.LargestPayloadBytes()) {
    const Outcome room = member->AskForRoom(sender->options().send());
    if (!room) return AnswerOf(sender, member, room);
  }
  const auto payload = AllocOrWant(sender, member, length_bytes, [&] {
    return attachment.AllocPayload(length_bytes);
  });
  // Memory that is full now may be had later, as may room in the ring: a send
  // says "try again" for both.
  if (payload.status() == Status::kNoMemory) return CS_ERR_TRY_AGAIN;
  if (!payload) return ToCsError(payload.status());
  std::byte* to = *payload;
  for (std::size_t i = 0; i < piece_count; ++i) {
    if (pieces[i].iov_len == 0) continue;
    std::memcpy(to, pieces[i].iov_base, pieces[i].iov_len);
    to += pieces[i].iov_len;
  }
  const Outcome sent =
      member->Send(*payload, length_bytes, sender->options().send());
  if (sent) return CS_OK;
  (void)attachment.FreePayload(*payload);  // ours: cannot fail
  return AnswerOf(sender, member, sent);
}

cs_error_t SendBuffer(const Sender& sender, void* msg, std::size_t msg_len) {
  if (sender->model() == Model::kV1) {
    if (msg == nullptr && msg_len != 0) return CS_ERR_INVALID_PARAM;
    // Any memory will do, but what lies behind a buffer of ours is not the
    // caller's to send.
    const std::uint64_t usable_bytes =
        sender->attachment().UsablePayloadBytes(msg);
    if (usable_bytes != 0 && msg_len > usable_bytes) return CS_ERR_TOO_BIG;
    const iovec piece{msg, msg_len};
    return SendCopy(sender, &piece, 1);
  }
  ipc::Member* member = sender->SendingMember();
  if (member == nullptr) return CS_ERR_NOT_EXIST;
  return AnswerOf(sender, member,
                  member->Send(static_cast<std::byte*>(msg), msg_len,
                               sender->options().send()));
}

}  // namespace zcb::cpg
