#include "bench/profile/exchange_paths.h"

#include <corosync/cpg_zcb.h>

#include <cstring>

namespace {

using zcb::ipc::Event;

// Read, whatever the compiler thinks of it.
void Touch(const std::byte* payload, std::size_t length_bytes) {
  constexpr std::size_t kWordBytes = sizeof(std::uint64_t);
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  std::memcpy(&first, payload, kWordBytes);
  std::memcpy(&last, payload + length_bytes - kWordBytes, kWordBytes);
  asm volatile("" : : "r"(first), "r"(last));
}

[[gnu::always_inline]] inline bool Receive(zcb::ipc::Member* member) {
  const auto event = member->Next();
  if (!event || event->kind != Event::Kind::kMessage) return false;
  Touch(event->payload, event->length_bytes);
  member->Done();
  return true;
}

// The message before ends with it.
[[gnu::always_inline]] inline bool Pull(cpg_handle_t handle) {
  cpg_zcb_message message;
  if (cpg_zcb_next(handle, &message) != CS_OK ||
      message.kind != CPG_ZCB_MESSAGE) {
    return false;
  }
  Touch(static_cast<const std::byte*>(message.data), message.length);
  return true;
}

}  // namespace

bool counted_native_send(zcb::ipc::Attachment* attachment,
                         zcb::ipc::Member* member, std::size_t length_bytes) {
  const auto payload = attachment->AllocPayload(length_bytes);
  if (!payload) return false;
  std::memset(*payload, 1, length_bytes);
  return member->Send(*payload, length_bytes).ok();
}

bool counted_cpg_send(cpg_handle_t handle, std::size_t length_bytes) {
  void* payload = nullptr;
  if (cpg_zcb_alloc(handle, length_bytes, &payload) != CS_OK) return false;
  std::memset(payload, 1, length_bytes);
  return cpg_zcb_mcast_joined(handle, CPG_TYPE_AGREED, payload, length_bytes) ==
         CS_OK;
}

bool counted_native_receive(zcb::ipc::Member* member) {
  return Receive(member);
}
bool counted_native_receive_own(zcb::ipc::Member* member) {
  return Receive(member);
}
bool counted_cpg_receive(cpg_handle_t handle) { return Pull(handle); }
bool counted_cpg_receive_own(cpg_handle_t handle) { return Pull(handle); }
