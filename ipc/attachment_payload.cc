// Buffers with room for the message header, in both layouts of a message.
#include <algorithm>
#include <bit>

#include "ipc/asymmetric_barrier.h"
#include "ipc/attachment.h"
#include "ipc/message_header.h"
#include "ipc/message_place.h"

namespace zcb::ipc {
namespace {

constexpr Failure kTooBig{
    Status::kTooBig, "more than the region, or this process's quota, can hold"};

}  // namespace

Result<std::byte*> Attachment::AllocPayload(std::uint64_t payload_bytes) {
  if (payload_bytes > most_payload_bytes_) [[unlikely]]
    return kTooBig;
  // At least a byte of payload: the address of an empty one would be that of
  // the next buffer, which may have a page-aligned payload.
  const auto ref = allocator_->Alloc(std::max<std::uint64_t>(payload_bytes, 1) +
                                     kHeaderBytes);
  if (!ref) return ref.failure();
  aligned_pages_->Clear(*ref);
  return allocator_->Pointer(*ref) + kHeaderBytes;
}

Result<std::byte*> Attachment::AllocAlignedPayload(
    std::uint64_t payload_bytes, std::uint64_t alignment_bytes) {
  if (!std::has_single_bit(alignment_bytes)) {
    return {Status::kInvalidParam, "the alignment is no power of two"};
  }
  if (alignment_bytes <= alloc::kLineBytes) return AllocPayload(payload_bytes);
  if (payload_bytes > most_payload_bytes_ &&
      payload_bytes - most_payload_bytes_ > kHeaderBytes) {
    return kTooBig;
  }
  const auto ref = allocator_->AllocAligned(
      payload_bytes, std::max(alignment_bytes, MessagePlace::kPageBytes));
  if (!ref) return ref.failure();
  if (const Outcome backed =
          MessagePlace::CommitHeader(*allocator_, geometry_, *ref);
      !backed) {
    // It was just allocated: this cannot fail.
    static_cast<void>(allocator_->Free(*ref));
    return backed.failure();
  }
  aligned_pages_->Set(*ref);
  return allocator_->Pointer(*ref);
}

// The two ways exclude each other: a header lies in front of the one, and is
// inside its buffer; the other is where a buffer begins. (In front of a
// page-aligned payload's second line lies its first, which is no header.)
Result<LivePayload> Attachment::FindAnyPayload(const void* payload) const {
  constexpr Failure kNone{Status::kInvalidParam,
                          "no live buffer of this process"};
  if (payload == nullptr) {
    return {Status::kInvalidParam, "not a payload of this region"};
  }
  const auto in_line = allocator_->RefOf(reinterpret_cast<const void*>(
      reinterpret_cast<std::uintptr_t>(payload) - kHeaderBytes));
  if (in_line && allocator_->IsLive(*in_line) &&
      !aligned_pages_->Has(*in_line)) {
    return LivePayload{*in_line};
  }
  const auto aligned = allocator_->RefOf(payload);
  if (!in_line && !aligned) {
    return {Status::kInvalidParam, "not a payload of this region"};
  }
  // Not any buffer that begins at a page: the payload of others begins behind
  // their header.
  if (!aligned || !allocator_->IsLive(*aligned) ||
      !aligned_pages_->Has(*aligned)) {
    return kNone;
  }
  return LivePayload{*aligned, true};
}

Outcome Attachment::TryPayload(std::uint64_t payload_bytes) {
  const auto payload = AllocPayload(payload_bytes);
  if (!payload) return payload.failure();
  return FreePayload(*payload);
}

Outcome Attachment::FreePayload(const void* payload) {
  const auto live = FindLivePayload(payload);
  if (!live) return live.failure();
  const Outcome freed = allocator_->Free(live->buffer);
  // The free first, for the waiter's heavy barrier.
  LightBarrier();
  // relaxed: ordered by the barrier, room.wait
  if (freed && memory_waited_for_.load(std::memory_order_relaxed)) {
    RingForMemory();
  }
  return freed;
}

std::uint64_t Attachment::LargestPayloadBytes() const {
  return region_->geometry().region_bytes - kHeaderBytes;
}

std::uint64_t Attachment::UsablePayloadBytes(const void* payload) const {
  const auto live = FindLivePayload(payload);
  if (!live) return 0;
  return allocator_->UsableBytes(live->buffer) -
         (live->is_aligned ? 0 : kHeaderBytes);
}

Outcome Attachment::Release(const void* payload) {
  const Outcome released = keeps_->LetGo(allocator_.get(), payload);
  if (released) RingForMemory();
  return released;
}

}  // namespace zcb::ipc
