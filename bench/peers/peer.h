// What a transport must do to be measured: the one interface of all peers.
#ifndef ZCB_BENCH_PEERS_PEER_H_
#define ZCB_BENCH_PEERS_PEER_H_

#include <concepts>
#include <cstddef>
#include <functional>
#include <span>
#include <string>

#include "bench/process_pair.h"

namespace zcb::bench {

// Reads a message; what it is given is gone when it returns.
using Reader = std::function<void(std::span<const std::byte>)>;

// An object is made before fork(2), then each side connects its own copy. Both
// sides can send and receive. Errors that are not "try again" throw Failed.
//
// Connect   returns when the other side can be sent to
// Prepare   memory for the next message's payload, to be written; empty: no
//           room yet
// Send      the prepared message; false: no room yet, it stays prepared
// Receive   gives the next message of the other side to the reader; false:
//           none yet. A blocking peer waits for one.
// Service   to be called while Prepare or Send say "no room", and now and then
//           by a side that only sends: what the transport's rules ask of it
// Pages     kind of pages that payloads lie in; "" if that means nothing
template <typename P>
concept Peer = requires(P peer, Side side, std::size_t length_bytes,
                        const Reader& reader) {
  { peer.Connect(side) } -> std::same_as<void>;
  { peer.Prepare(length_bytes) } -> std::same_as<std::span<std::byte>>;
  { peer.Send() } -> std::same_as<bool>;
  { peer.Receive(reader) } -> std::same_as<bool>;
  { peer.Service() } -> std::same_as<void>;
  { peer.Pages() } -> std::same_as<std::string>;
};

}  // namespace zcb::bench

#endif  // ZCB_BENCH_PEERS_PEER_H_
