// Peer: a ring and buffers in shared memory, and nothing else. The yardstick of
// what zcb's promises cost: no allocator, no checks, no members that come, go
// or die, nothing that survives a crash.
#ifndef ZCB_BENCH_PEERS_BARE_RING_H_
#define ZCB_BENCH_PEERS_BARE_RING_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "bench/peers/peer.h"
#include "bench/process_pair.h"

namespace zcb::bench {

// The same steps as zcb takes: a message is a buffer with a header line, it is
// published by one compare-and-swap into the tail's slot, both sides read all
// slots in one order, and each keeps a cursor.
class BareRingPeer {
 public:
  explicit BareRingPeer(std::size_t largest_bytes);
  ~BareRingPeer();
  BareRingPeer(const BareRingPeer&) = delete;
  BareRingPeer& operator=(const BareRingPeer&) = delete;

  void Connect(Side side) { side_ = side == Side::kFirst ? 0 : 1; }
  std::span<std::byte> Prepare(std::size_t length_bytes);
  bool Send();
  bool Receive(const Reader& reader);
  void Service();
  std::string Pages() const { return ""; }

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
                              std::uint32_t buffer);
  // The slot's content if it is filled in this position's lap; 0: not yet.
  std::uint64_t Look(std::uint64_t position) const;
  std::byte* BufferAt(std::uint32_t side, std::uint32_t buffer) const;
  std::uint64_t OtherCursor() const;
  void Advance();

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

}  // namespace zcb::bench

#endif  // ZCB_BENCH_PEERS_BARE_RING_H_
