// Peer: a ring and buffers in shared memory, and nothing else. The yardstick of
// what zcb's promises cost: no allocator, no checks, no members that come, go
// or die, nothing that survives a crash.
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <span>
#include <vector>

#include "bench/failure.h"
#include "bench/pair_questions.h"
#include "bench/peers/peer.h"

namespace zcb::bench {
namespace {

// Buffers go round over a few MiB, as zcb's do.
constexpr std::size_t kRotationBytes = 4 << 20;
constexpr std::size_t kMostBuffers = 256;
constexpr std::size_t kLeastBuffers = 4;

// The same steps as zcb takes: a message is a buffer with a header line, it is
// published by one compare-and-swap into the tail's slot, both sides read all
// slots in one order, and each keeps a cursor.
class BareRingPeer {
 public:
  static constexpr std::array kVariants = {
      Variant{"bare_ring", Wait::kBusy,
              "a ring in shared memory without any promise"},
  };

  explicit BareRingPeer(const PeerSetup& setup)
      : buffer_bytes_(kLineBytes + setup.largest_bytes),
        buffer_count_(static_cast<std::uint32_t>(std::clamp(
            kRotationBytes / buffer_bytes_, kLeastBuffers, kMostBuffers))),
        free_at_(buffer_count_, 0) {
    mapped_bytes_ = sizeof(Shared) + 2 * buffer_count_ * buffer_bytes_;
    void* memory = ::mmap(nullptr, mapped_bytes_, PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED) Fail("mmap: {}", std::strerror(errno));
    shared_ = new (memory) Shared{};
    buffers_ = static_cast<std::byte*>(memory) + sizeof(Shared);
  }
  ~BareRingPeer() { ::munmap(shared_, mapped_bytes_); }
  BareRingPeer(const BareRingPeer&) = delete;
  BareRingPeer& operator=(const BareRingPeer&) = delete;

  void Connect(Side side) { side_ = side == Side::kFirst ? 0 : 1; }

  std::span<std::byte> Prepare(std::size_t length_bytes) {
    const std::uint64_t free_at = free_at_[next_buffer_];
    if (free_at > 0 && OtherCursor() < free_at) return {};
    prepared_bytes_ = length_bytes;
    return {BufferAt(side_, next_buffer_) + kLineBytes, length_bytes};
  }

  bool Send() {
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

  bool Receive(const auto& reader) {
    for (;;) {
      const std::uint64_t slot = Look(position_);
      if (slot == 0) return false;
      const auto side = static_cast<std::uint32_t>(slot >> 31 & 1);
      if (side != side_) {
        const auto buffer = static_cast<std::uint32_t>(slot & 0x7fff'ffff);
        const std::byte* base = BufferAt(side, buffer);
        const auto& header = *reinterpret_cast<const Header*>(base);
        if (header.position != position_) Fail("a wrong header");
        reader(std::span(base + kLineBytes, header.length_bytes));
      }
      Advance();
      if (side != side_) return true;
    }
  }

  void Service() {
    Receive([](auto) { Fail("a message while servicing"); });
  }

 private:
  static constexpr std::size_t kLineBytes = 64;
  static constexpr std::uint64_t kSlots = 4096;
  struct Header {
    std::uint64_t position;
    std::uint64_t length_bytes;
  };
  struct Cursor {
    alignas(kLineBytes) std::atomic<std::uint64_t> position;
  };
  struct Shared {
    alignas(kLineBytes) std::array<std::atomic<std::uint64_t>, kSlots> slots;
    std::array<Cursor, 2> cursors;
  };

  // {lap:32, side:1, buffer:31}
  static std::uint64_t SlotOf(std::uint64_t position, std::uint32_t side,
                              std::uint32_t buffer) {
    return (position / kSlots + 1) << 32 | std::uint64_t{side} << 31 | buffer;
  }
  // The slot's content if it is filled in this position's lap; 0: not yet.
  std::uint64_t Look(std::uint64_t position) const {
    // acquire: pairs with the publishing compare-and-swap
    const std::uint64_t slot =
        shared_->slots[position % kSlots].load(std::memory_order_acquire);
    return slot >> 32 == position / kSlots + 1 ? slot : 0;
  }
  std::byte* BufferAt(std::uint32_t side, std::uint32_t buffer) const {
    return buffers_ + (side * buffer_count_ + buffer) * buffer_bytes_;
  }
  std::uint64_t OtherCursor() const {
    // acquire: the other side's reads below its cursor are over
    return shared_->cursors[1 - side_].position.load(std::memory_order_acquire);
  }
  void Advance() {
    ++position_;
    filled_below_ = std::max(filled_below_, position_);
    // release: our reads below are over
    shared_->cursors[side_].position.store(position_,
                                           std::memory_order_release);
  }

  std::size_t mapped_bytes_ = 0;
  Shared* shared_ = nullptr;
  std::byte* buffers_ = nullptr;
  std::size_t buffer_bytes_;
  std::uint32_t buffer_count_;  // of each side

  std::uint32_t side_ = 0;
  std::uint64_t position_ = 0;      // next to read
  std::uint64_t filled_below_ = 0;  // all positions below are filled
  std::uint32_t next_buffer_ = 0;
  std::size_t prepared_bytes_ = 0;
  std::vector<std::uint64_t> free_at_;  // by buffer: the reader is past this
};

}  // namespace
}  // namespace zcb::bench

int main(int argc, char** argv) {
  return zcb::bench::RunPeerProgram<zcb::bench::BareRingPeer>(argc, argv,
                                                              "bare_ring");
}
