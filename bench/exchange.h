// One message through a peer, whatever it is: the loops that are timed.
#ifndef ZCB_BENCH_EXCHANGE_H_
#define ZCB_BENCH_EXCHANGE_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "bench/failure.h"
#include "bench/payload.h"
#include "bench/peers/peer.h"
#include "bench/process_pair.h"

namespace zcb::bench {

template <Peer P>
void SendOne(P& peer, Touch touch, std::uint64_t number,
             std::size_t length_bytes) {
  PatientSpin spin;
  std::span<std::byte> payload = peer.Prepare(length_bytes);
  while (payload.empty()) {
    peer.Service();
    spin.Turn();
    payload = peer.Prepare(length_bytes);
  }
  WritePayload(touch, number, payload.data(), length_bytes);
  while (!peer.Send()) {
    peer.Service();
    spin.Turn();
  }
}

// Checks that messages come whole, in order, each once.
class OrderedReader {
 public:
  OrderedReader(Touch touch, std::size_t length_bytes)
      : touch_(touch), length_bytes_(length_bytes) {}

  // Until so many have come in all.
  template <Peer P>
  void ReceiveUpTo(P& peer, std::uint64_t count) {
    PatientSpin spin;
    while (next_ < count) {
      const bool is_there =
          peer.Receive([this](std::span<const std::byte> message) {
            if (message.size() != length_bytes_ ||
                !ReadPayload(touch_, next_, message.data(), message.size())) {
              Fail("message {} came damaged or out of order", next_);
            }
            ++next_;
          });
      if (!is_there) spin.Turn();
    }
  }

 private:
  Touch touch_;
  std::size_t length_bytes_;
  std::uint64_t next_ = 0;
};

}  // namespace zcb::bench

#endif  // ZCB_BENCH_EXCHANGE_H_
