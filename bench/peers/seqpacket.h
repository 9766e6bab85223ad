// Peer: an AF_UNIX SOCK_SEQPACKET pair, the usual way without shared memory.
#ifndef ZCB_BENCH_PEERS_SEQPACKET_H_
#define ZCB_BENCH_PEERS_SEQPACKET_H_

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "bench/peers/peer.h"
#include "bench/process_pair.h"

namespace zcb::bench {

enum class Wait : bool {
  kSpin,   // ask again at once
  kSleep,  // in the kernel, until there is something
};

class SeqpacketPeer {
 public:
  // Room for messages of up to `largest_bytes`.
  SeqpacketPeer(Wait wait, std::size_t largest_bytes);
  ~SeqpacketPeer();
  SeqpacketPeer(const SeqpacketPeer&) = delete;
  SeqpacketPeer& operator=(const SeqpacketPeer&) = delete;

  void Connect(Side side);
  std::span<std::byte> Prepare(std::size_t length_bytes) {
    prepared_bytes_ = length_bytes;
    return {out_.get(), length_bytes};
  }
  bool Send();
  bool Receive(const Reader& reader);
  void Service() {}
  std::string Pages() const { return ""; }

 private:
  struct AlignedFree {
    void operator()(std::byte* memory) const;
  };
  using Buffer = std::unique_ptr<std::byte[], AlignedFree>;
  static Buffer MakeBuffer(std::size_t bytes);

  std::size_t largest_bytes_;
  std::size_t prepared_bytes_ = 0;
  std::array<int, 2> ends_{-1, -1};
  int mine_ = -1;
  Buffer out_;
  Buffer in_;
};

}  // namespace zcb::bench

#endif  // ZCB_BENCH_PEERS_SEQPACKET_H_
