// Where a message's buffer, header and payload are, for both ways of laying
// them out, and how a slot says which it is.
#ifndef ZCB_IPC_MESSAGE_PLACE_H_
#define ZCB_IPC_MESSAGE_PLACE_H_

#include <cstddef>
#include <cstdint>
#include <optional>

#include "allocator/allocator.h"
#include "allocator/buffer_place.h"
#include "allocator/buffer_ref.h"
#include "ipc/ipc_layout.h"
#include "ipc/message_header.h"

namespace zcb::ipc {

//   in line       | header, 64 B | payload ...            |   one buffer
//
//   page-aligned  | payload ...                           |   one buffer
//                 | header, 64 B |                            in the meta file
//
// A page-aligned payload begins where its buffer begins, so its header must be
// elsewhere: the client area has one line for each 4 KiB page of the region.
// It is backed by memory when the payload is allocated (CommitHeader).
//
// A slot names the buffer of an in-line message by its first line. That of a
// page-aligned one is named by its *second* line, where no other buffer can
// begin: it is inside this one. So the bit travels in the slot's own
// compare-and-swap, and costs none of the 31.
class MessagePlace {
 public:
  static constexpr std::uint64_t kPageBytes = 4096;
  static constexpr std::uint32_t kLinesPerPage = kPageBytes / alloc::kLineBytes;

  // What an untrusted reference from a slot names; nullopt: no message.
  static std::optional<MessagePlace> Of(const alloc::Allocator& allocator,
                                        alloc::BufferRef named) {
    if (const auto in_line = allocator.Locate(named)) {
      return MessagePlace(*in_line, false);
    }
    if (named.line() % kLinesPerPage != 1) return std::nullopt;
    const auto aligned = allocator.Locate(alloc::BufferRef(named.line() - 1));
    if (!aligned || !CanAlign(*aligned)) return std::nullopt;
    return MessagePlace(*aligned, true);
  }
  // A buffer of ours, laid out as `is_aligned` says.
  MessagePlace(const alloc::BufferPlace& buffer, bool is_aligned)
      : buffer_(buffer), is_aligned_(is_aligned) {}

  // Whether slots can name the buffer as one with a page-aligned payload.
  static bool CanAlign(const alloc::BufferPlace& buffer) {
    return buffer.ref.line() % kLinesPerPage == 0 &&
           buffer.usable_bytes % kPageBytes == 0;
  }

  const alloc::BufferPlace& buffer() const { return buffer_; }
  bool is_aligned() const { return is_aligned_; }
  // How the slot names it.
  alloc::BufferRef named() const {
    return alloc::BufferRef(buffer_.ref.line() + (is_aligned_ ? 1 : 0));
  }
  std::uint64_t payload_bytes() const {
    return buffer_.usable_bytes - (is_aligned_ ? 0 : kHeaderBytes);
  }
  std::byte* Payload(const alloc::Allocator& allocator) const {
    return allocator.Pointer(buffer_.ref) + (is_aligned_ ? 0 : kHeaderBytes);
  }
  [[gnu::always_inline]] std::byte* Header(const alloc::Allocator& allocator,
                                           const IpcGeometry& geometry) const {
    // Both ways, and a choice, would be more instructions than a branch.
    if (is_aligned_) [[unlikely]] {
      return allocator.region().meta<std::byte>(
          HeaderOffset(geometry, buffer_.ref));
    }
    return allocator.Pointer(buffer_.ref);
  }
  // Backs the header of a page-aligned payload with memory. kNoMemory: there
  // is none. A system call the first time per 256 KiB of the region.
  static Outcome CommitHeader(const alloc::Allocator& allocator,
                              const IpcGeometry& geometry,
                              alloc::BufferRef buffer) {
    return allocator.region().CommitMeta(HeaderOffset(geometry, buffer),
                                         kHeaderBytes);
  }

 private:
  static std::uint64_t HeaderOffset(const IpcGeometry& geometry,
                                    alloc::BufferRef buffer) {
    return geometry.aligned_headers_offset +
           buffer.offset_bytes() / kPageBytes * kHeaderBytes;
  }
  alloc::BufferPlace buffer_;
  bool is_aligned_;
};

}  // namespace zcb::ipc

#endif  // ZCB_IPC_MESSAGE_PLACE_H_
