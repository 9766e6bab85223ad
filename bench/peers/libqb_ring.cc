// Peer: libqb's ring buffer, one for each direction, shared by two processes,
// with its semaphore. Written and read in place.
#include <fmt/format.h>
#include <qb/qbrb.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "bench/failure.h"
#include "bench/pair_questions.h"
#include "bench/peers/peer.h"

namespace zcb::bench {
namespace {

constexpr std::size_t kLeastRingBytes = 1 << 20;
constexpr std::size_t kMessagesInRing = 4;  // at least

class LibqbRingPeer {
 public:
  static constexpr std::array kVariants = {
      Variant{"libqb_ring", Wait::kBusy, "qb_rb_chunk_peek(), no waiting"},
      Variant{"libqb_ring", Wait::kSleep, "qb_rb_chunk_peek(), waiting"},
  };

  explicit LibqbRingPeer(const PeerSetup& setup)
      : timeout_ms_(setup.variant.wait == Wait::kBusy ? 0 : -1) {
    const std::size_t ring_bytes =
        std::max(kLeastRingBytes, kMessagesInRing * setup.largest_bytes);
    for (std::size_t i = 0; i < rings_.size(); ++i) {
      const auto name = fmt::format("zcb-bench-{}-{}", ::getpid(), i);
      rings_[i] = qb_rb_open(name.c_str(), ring_bytes,
                             QB_RB_FLAG_CREATE | QB_RB_FLAG_SHARED_PROCESS, 0);
      if (rings_[i] == nullptr) Fail("qb_rb_open: {}", std::strerror(errno));
    }
  }
  ~LibqbRingPeer() {
    for (qb_ringbuffer_t* ring : rings_) qb_rb_close(ring);  // its files, too
  }
  LibqbRingPeer(const LibqbRingPeer&) = delete;
  LibqbRingPeer& operator=(const LibqbRingPeer&) = delete;

  void Connect(Side side) {
    const std::size_t index = side == Side::kFirst ? 0 : 1;
    out_ = rings_[index];
    in_ = rings_[1 - index];
  }

  std::span<std::byte> Prepare(std::size_t length_bytes) {
    void* chunk = qb_rb_chunk_alloc(out_, length_bytes);
    if (chunk == nullptr) return {};
    prepared_bytes_ = length_bytes;
    return {static_cast<std::byte*>(chunk), length_bytes};
  }

  bool Send() {
    const std::int32_t error = qb_rb_chunk_commit(out_, prepared_bytes_);
    if (error < 0) Fail("qb_rb_chunk_commit: {}", std::strerror(-error));
    return true;
  }

  bool Receive(const auto& reader) {
    void* chunk = nullptr;
    const ssize_t got = qb_rb_chunk_peek(in_, &chunk, timeout_ms_);
    if (got == -ETIMEDOUT || got == -EAGAIN || got == -EINTR || got == 0) {
      return false;
    }
    if (got < 0) {
      Fail("qb_rb_chunk_peek: {}", std::strerror(static_cast<int>(-got)));
    }
    reader(std::span(static_cast<const std::byte*>(chunk),
                     static_cast<std::size_t>(got)));
    qb_rb_chunk_reclaim(in_);
    return true;
  }

  void Service() {}

 private:
  std::int32_t timeout_ms_;
  std::array<qb_ringbuffer_t*, 2> rings_{};
  qb_ringbuffer_t* out_ = nullptr;
  qb_ringbuffer_t* in_ = nullptr;
  std::size_t prepared_bytes_ = 0;
};

}  // namespace
}  // namespace zcb::bench

int main(int argc, char** argv) {
  return zcb::bench::RunPeerProgram<zcb::bench::LibqbRingPeer>(argc, argv,
                                                               "libqb_ring");
}
