// What it takes to keep a message that a member is reading.
#ifndef ZCB_IPC_BEGUN_MESSAGE_H_
#define ZCB_IPC_BEGUN_MESSAGE_H_

#include <cstddef>
#include <cstdint>

#include "allocator/buffer_ref.h"

namespace zcb::ipc {

// A copy that may be stale: whoever acts on it compares group and position
// with the buffer's own word.
struct BegunMessage {
  const std::byte* payload = nullptr;
  alloc::BufferRef buffer;
  std::uint32_t group_slot = 0;
  std::uint64_t position = 0;
  std::uint64_t length_bytes = 0;
  std::uint16_t entry = 0;  // the reader's, which gates the message
};

}  // namespace zcb::ipc

#endif  // ZCB_IPC_BEGUN_MESSAGE_H_
