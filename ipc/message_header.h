// The line in front of every payload.
#ifndef ZCB_IPC_MESSAGE_HEADER_H_
#define ZCB_IPC_MESSAGE_HEADER_H_

#include <cstddef>
#include <cstdint>

#include "allocator/abi.h"

namespace zcb::ipc {

// Written by the sender before it publishes, read by receivers after they read
// the slot (edge ring.publish), never changed in between. Plain fields: a
// receiver copies the line once and checks the copy. Untrusted: no decision of
// the allocator or of reclaiming rests on it.
struct MessageHeader {
  std::uint64_t position;      // == the slot's place in the order
  std::uint64_t length_bytes;  // of the payload
  std::uint32_t group_slot;
  std::uint32_t node_id;
  std::uint32_t pid;
  std::uint16_t entry;
  std::uint16_t entry_generation;
  std::uint32_t magic;
  std::uint32_t reserved;
  std::uint64_t send_time_ns;  // CLOCK_MONOTONIC; 0: the sender does not say
  std::uint64_t reserved_lines[2];

  static constexpr std::uint32_t kMagic = 0x7a63'626d;
};
static_assert(sizeof(MessageHeader) == alloc::kLineBytes);
static_assert(offsetof(MessageHeader, magic) == 32);
static_assert(offsetof(MessageHeader, send_time_ns) == 40);

inline constexpr std::uint64_t kHeaderBytes = sizeof(MessageHeader);

}  // namespace zcb::ipc

#endif  // ZCB_IPC_MESSAGE_HEADER_H_
