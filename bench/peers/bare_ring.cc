#include "bench/peers/bare_ring.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>

#include "bench/failure.h"

namespace zcb::bench {
namespace {

// Buffers go round over a few MiB, as zcb's do.
constexpr std::size_t kRotationBytes = 4 << 20;
constexpr std::size_t kMostBuffers = 256;
constexpr std::size_t kLeastBuffers = 4;

}  // namespace

static_assert(Peer<BareRingPeer>);

BareRingPeer::BareRingPeer(std::size_t largest_bytes)
    : buffer_bytes_(kLineBytes + largest_bytes),
      buffer_count_(static_cast<std::uint32_t>(std::clamp(
          kRotationBytes / buffer_bytes_, kLeastBuffers, kMostBuffers))),
      free_at_(buffer_count_, 0) {
  mapped_bytes_ = sizeof(Shared) + 2 * buffer_count_ * buffer_bytes_;
  void* memory = mmap(nullptr, mapped_bytes_, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (memory == MAP_FAILED) Fail("mmap: {}", std::strerror(errno));
  shared_ = new (memory) Shared{};
  buffers_ = static_cast<std::byte*>(memory) + sizeof(Shared);
}

BareRingPeer::~BareRingPeer() { munmap(shared_, mapped_bytes_); }

std::uint64_t BareRingPeer::SlotOf(std::uint64_t position, std::uint32_t side,
                                   std::uint32_t buffer) {
  return (position / kSlots + 1) << 32 | std::uint64_t{side} << 31 | buffer;
}

std::uint64_t BareRingPeer::Look(std::uint64_t position) const {
  // acquire: pairs with the publishing compare-and-swap
  const std::uint64_t slot =
      shared_->slots[position % kSlots].load(std::memory_order_acquire);
  return slot >> 32 == position / kSlots + 1 ? slot : 0;
}

std::byte* BareRingPeer::BufferAt(std::uint32_t side,
                                  std::uint32_t buffer) const {
  return buffers_ + (side * buffer_count_ + buffer) * buffer_bytes_;
}

std::uint64_t BareRingPeer::OtherCursor() const {
  // acquire: the other side's reads below its cursor are over
  return shared_->cursors[1 - side_].position.load(std::memory_order_acquire);
}

void BareRingPeer::Advance() {
  ++position_;
  filled_below_ = std::max(filled_below_, position_);
  // release: our reads below are over
  shared_->cursors[side_].position.store(position_, std::memory_order_release);
}

std::span<std::byte> BareRingPeer::Prepare(std::size_t length_bytes) {
  const std::uint64_t free_at = free_at_[next_buffer_];
  if (free_at > 0 && OtherCursor() < free_at) return {};
  prepared_bytes_ = length_bytes;
  return {BufferAt(side_, next_buffer_) + kLineBytes, length_bytes};
}

bool BareRingPeer::Send() {
  for (;;) {
    while (Look(filled_below_) != 0) ++filled_below_;
    const std::uint64_t position = filled_below_;
    const std::uint64_t read_to = std::min(position_, OtherCursor());
    if (position - read_to >= kSlots) return false;
    new (BufferAt(side_, next_buffer_)) Header{position, prepared_bytes_};
    std::uint64_t expected =
        position < kSlots ? 0
                          : shared_->slots[position % kSlots].load(
                                std::memory_order_relaxed);  // checked below
    if (expected != 0 && expected >> 32 != position / kSlots) continue;
    if (shared_->slots[position % kSlots].compare_exchange_strong(
            expected, SlotOf(position, side_, next_buffer_),
            std::memory_order_seq_cst, std::memory_order_relaxed)) {
      free_at_[next_buffer_] = position + 1;
      next_buffer_ = (next_buffer_ + 1) % buffer_count_;
      ++filled_below_;
      return true;
    }
  }
}

bool BareRingPeer::Receive(const Reader& reader) {
  for (;;) {
    const std::uint64_t slot = Look(position_);
    if (slot == 0) return false;
    const auto side = static_cast<std::uint32_t>(slot >> 31 & 1);
    if (side != side_) {
      const auto buffer = static_cast<std::uint32_t>(slot & 0x7fff'ffff);
      const std::byte* base = BufferAt(side, buffer);
      const auto& header = *reinterpret_cast<const Header*>(base);
      if (header.position != position_) Fail("a wrong header");
      reader({base + kLineBytes, header.length_bytes});
    }
    Advance();
    if (side != side_) return true;
  }
}

void BareRingPeer::Service() {
  const Reader unexpected = [](auto) { Fail("a message while servicing"); };
  Receive(unexpected);
}

}  // namespace zcb::bench
