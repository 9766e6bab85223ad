// What a transport must do to be measured: the one interface of all peers.
#ifndef ZCB_BENCH_PEERS_PEER_H_
#define ZCB_BENCH_PEERS_PEER_H_

#include <sys/types.h>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <ranges>
#include <span>
#include <string>
#include <string_view>

#include "bench/process_pair.h"

namespace zcb::bench {

enum class Wait : bool {
  kBusy,   // asks again at once
  kSleep,  // in the kernel, until there is something
};

// One way to use a peer: a row of its own in the tables.
struct Variant {
  std::string_view name;
  Wait wait;
  std::string_view what;
};

// Which variant, and room for messages of how many bytes.
struct PeerSetup {
  const Variant& variant;
  std::size_t largest_bytes;
};

// Stands for every reader of messages in the concept below.
struct AnyReader {
  void operator()(std::span<const std::byte> message) const;
};

// An object is made before fork(2) and is gone when both sides are; each side
// connects its own copy. Both sides can send and receive. Errors that are not
// "try again" throw Failed. The loops that are timed are templates over the
// peer, so that everything can be inlined, as in a program of its own.
//
// kVariants  the ways to use it
// Connect    returns when the other side can be sent to
// Prepare    memory for the next message's payload, to be written; empty: no
//            room yet
// Send       the prepared message; false: no room yet, it stays prepared
// Receive    gives the next messages of the other side, one or more, to the
//            reader; false: none yet. A sleeping variant waits for one. What
//            the reader is given is gone when it returns.
// Service    to be called while Prepare or Send say "no room", and now and then
//            by a side that only sends: what the transport's rules ask of it
//
// Where they make sense:
// LargestBytes  static: of a message
// Pages         kind of pages that payloads lie in
// Disconnect    what else would stay when a side's process has ended
// Daemon        the process that works for both sides, so its time is theirs
template <typename P>
concept Peer = std::constructible_from<P, const PeerSetup&> &&
               requires(P peer, Side side, std::size_t length_bytes,
                        const AnyReader& reader) {
                 { P::kVariants } -> std::ranges::contiguous_range;
                 { peer.Connect(side) } -> std::same_as<void>;
                 {
                   peer.Prepare(length_bytes)
                 } -> std::same_as<std::span<std::byte>>;
                 { peer.Send() } -> std::same_as<bool>;
                 { peer.Receive(reader) } -> std::same_as<bool>;
                 { peer.Service() } -> std::same_as<void>;
               };

template <Peer P>
std::size_t LargestBytesOf(const Variant& variant) {
  if constexpr (requires { P::LargestBytes(variant); }) {
    return P::LargestBytes(variant);
  } else {
    return std::numeric_limits<std::size_t>::max();
  }
}

template <Peer P>
std::string PagesOf(const P& peer) {
  if constexpr (requires { peer.Pages(); }) {
    return peer.Pages();
  } else {
    return "";
  }
}

template <Peer P>
pid_t DaemonOf(const P& peer) {
  if constexpr (requires { peer.Daemon(); }) {
    return peer.Daemon();
  } else {
    return 0;
  }
}

}  // namespace zcb::bench

#endif  // ZCB_BENCH_PEERS_PEER_H_
