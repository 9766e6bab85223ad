// A buffer that frees itself.
#ifndef ZCB_ALLOCATOR_BUFFER_H_
#define ZCB_ALLOCATOR_BUFFER_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "allocator/allocator.h"
#include "allocator/buffer_ref.h"
#include "allocator/buffer_ticket.h"
#include "allocator/status.h"

namespace zcb::alloc {

// Owns one live buffer, or none. Never throws. As thread-safe as a unique_ptr:
// one thread at a time, which need not be the one that made it. The allocator
// must outlive it.
class [[nodiscard]] Buffer {
 public:
  Buffer() = default;
  // `bytes` as Allocator::Alloc(), with its errors.
  static Result<Buffer> Alloc(Allocator& allocator, std::uint64_t bytes) {
    const Result<BufferRef> ref = allocator.Alloc(bytes);
    if (!ref) return ref.failure();
    return Buffer(allocator, *ref, bytes);
  }
  // The same, beginning at a multiple of `alignment_bytes`.
  static Result<Buffer> AllocAligned(Allocator& allocator, std::uint64_t bytes,
                                     std::uint64_t alignment_bytes) {
    const Result<BufferRef> ref =
        allocator.AllocAligned(bytes, alignment_bytes);
    if (!ref) return ref.failure();
    return Buffer(allocator, *ref, bytes);
  }
  // What another process gave away, with all of its bytes; Allocator::Take().
  static Result<Buffer> Take(Allocator& allocator, BufferTicket ticket) {
    const Result<BufferRef> ref = allocator.Take(ticket);
    if (!ref) return ref.failure();
    return Buffer(allocator, *ref, allocator.UsableBytes(*ref));
  }
  // Takes over a live buffer, of which `bytes` are of interest.
  Buffer(Allocator& allocator, BufferRef ref, std::uint64_t bytes)
      : allocator_(&allocator), ref_(ref), size_bytes_(bytes) {}

  Buffer(Buffer&& other) noexcept
      : allocator_(std::exchange(other.allocator_, nullptr)),
        ref_(other.ref_),
        size_bytes_(std::exchange(other.size_bytes_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(allocator_, other.allocator_);
    std::swap(ref_, other.ref_);
    std::swap(size_bytes_, other.size_bytes_);
    return *this;
  }
  ~Buffer() { Reset(); }

  explicit operator bool() const { return allocator_ != nullptr; }
  // nullptr and 0 when it owns none.
  std::byte* data() const {
    return allocator_ == nullptr ? nullptr : allocator_->Pointer(ref_);
  }
  std::uint64_t size_bytes() const { return size_bytes_; }
  std::span<std::byte> bytes() const { return {data(), size_bytes_}; }
  // Only if it owns one.
  BufferRef ref() const { return ref_; }

  void Reset() {
    if (allocator_ == nullptr) return;
    // Refused only if somebody else has freed or sent it: nothing to do then.
    static_cast<void>(std::exchange(allocator_, nullptr)->Free(ref_).ok());
    size_bytes_ = 0;
  }
  // Gives the buffer away, as Allocator::Give(): on success this owns none, on
  // failure it still owns the buffer. Only if it owns one.
  Result<BufferTicket> Give() && {
    const Result<BufferTicket> ticket = allocator_->Give(ref_);
    if (ticket) static_cast<void>(Release());
    return ticket;
  }
  // The buffer is the caller's from now on: to free, or to send. Only if it
  // owns one.
  [[nodiscard]] BufferRef Release() {
    allocator_ = nullptr;
    size_bytes_ = 0;
    return ref_;
  }

 private:
  Allocator* allocator_ = nullptr;
  BufferRef ref_;
  std::uint64_t size_bytes_ = 0;
};

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_BUFFER_H_
