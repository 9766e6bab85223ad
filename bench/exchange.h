// One message through a peer, whatever it is: the loops that are timed.
#ifndef ZCB_BENCH_EXCHANGE_H_
#define ZCB_BENCH_EXCHANGE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "bench/failure.h"
#include "bench/payload.h"
#include "bench/peers/peer.h"
#include "bench/process_pair.h"

namespace zcb::bench {

template <Peer P>
void SendOne(P& peer, Touch touch, std::uint64_t number,
             std::size_t length_bytes) {
  std::span<std::byte> payload = peer.Prepare(length_bytes);
  while (payload.empty()) {
    peer.Service();
    payload = peer.Prepare(length_bytes);
  }
  WritePayload(touch, number, payload.data(), payload.size());
  while (!peer.Send()) peer.Service();
}

// Checks that messages come whole, in order, each once.
class OrderedReader {
 public:
  OrderedReader(Touch touch, std::size_t length_bytes)
      : reader_([this, touch, length_bytes](auto message) {
          if (message.size() != length_bytes ||
              !ReadPayload(touch, next_, message.data(), message.size())) {
            Fail("message {} came damaged or out of order", next_);
          }
          ++next_;
        }) {}
  OrderedReader(const OrderedReader&) = delete;
  OrderedReader& operator=(const OrderedReader&) = delete;

  template <Peer P>
  void ReceiveUpTo(P& peer, std::uint64_t count) {
    while (next_ < count) peer.Receive(reader_);
  }

 private:
  std::uint64_t next_ = 0;
  Reader reader_;
};

inline void StorePages(const std::string& pages, PairFigures& figures) {
  const std::size_t size = std::min(pages.size(), figures.pages.size() - 1);
  std::copy_n(pages.begin(), size, figures.pages.begin());
}

}  // namespace zcb::bench

#endif  // ZCB_BENCH_EXCHANGE_H_
