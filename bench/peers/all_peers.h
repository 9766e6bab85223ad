// Every peer by name: the only place that knows them all.
#ifndef ZCB_BENCH_PEERS_ALL_PEERS_H_
#define ZCB_BENCH_PEERS_ALL_PEERS_H_

#include <array>
#include <cstddef>
#include <string_view>

#include "bench/failure.h"
#include "bench/peers/bare_ring.h"
#include "bench/peers/seqpacket.h"
#include "bench/peers/zcb_cpg.h"
#include "bench/peers/zcb_native.h"

namespace zcb::bench {

struct PeerName {
  std::string_view name;
  std::string_view what;
};

inline constexpr std::array kPeers = {
    PeerName{"zcb_cpg_next", "CPG_MODEL_ZCB, cpg_zcb_next() in a loop"},
    PeerName{"zcb_cpg_dispatch", "CPG_MODEL_ZCB, cpg_dispatch() in a loop"},
    PeerName{"zcb_cpg_poll", "CPG_MODEL_ZCB, poll(2) and cpg_dispatch()"},
    PeerName{"zcb_native", "ipc::Member, Next() in a loop"},
    PeerName{"bare_ring", "a ring in shared memory without any promise"},
    PeerName{"seqpacket_spin", "AF_UNIX SOCK_SEQPACKET, non-blocking loop"},
    PeerName{"seqpacket_block", "AF_UNIX SOCK_SEQPACKET, blocking"},
};

// Makes the peer of that name and calls use(peer).
template <typename Use>
auto WithPeer(std::string_view name, std::size_t largest_bytes, Use&& use) {
  if (name == "zcb_cpg_next") {
    ZcbCpgPeer peer(CpgReceive::kNext);
    return use(peer);
  }
  if (name == "zcb_cpg_dispatch") {
    ZcbCpgPeer peer(CpgReceive::kDispatch);
    return use(peer);
  }
  if (name == "zcb_cpg_poll") {
    ZcbCpgPeer peer(CpgReceive::kPoll);
    return use(peer);
  }
  if (name == "zcb_native") {
    ZcbNativePeer peer;
    return use(peer);
  }
  if (name == "bare_ring") {
    BareRingPeer peer(largest_bytes);
    return use(peer);
  }
  if (name == "seqpacket_spin") {
    SeqpacketPeer peer(Wait::kSpin, largest_bytes);
    return use(peer);
  }
  if (name == "seqpacket_block") {
    SeqpacketPeer peer(Wait::kSleep, largest_bytes);
    return use(peer);
  }
  Fail("no peer is called '{}'", name);
}

}  // namespace zcb::bench

#endif  // ZCB_BENCH_PEERS_ALL_PEERS_H_
