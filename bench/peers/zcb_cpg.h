// Peer: zcb through its CPG API with CPG_MODEL_ZCB, in a group of two.
#ifndef ZCB_BENCH_PEERS_ZCB_CPG_H_
#define ZCB_BENCH_PEERS_ZCB_CPG_H_

#include <corosync/cpg_zcb.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "bench/peers/peer.h"
#include "bench/process_pair.h"

namespace zcb::bench {

enum class CpgReceive : std::uint8_t {
  kNext,      // cpg_zcb_next(), again and again
  kDispatch,  // cpg_dispatch(CS_DISPATCH_ONE_NONBLOCKING), again and again
  kPoll,      // poll(2) on the descriptor, then cpg_dispatch(CS_DISPATCH_ALL)
};

// The order of a group is total, so a sender gets its own messages, too, and
// steps over them; that time is part of what is measured.
class ZcbCpgPeer {
 public:
  explicit ZcbCpgPeer(CpgReceive how) : how_(how) {}
  ~ZcbCpgPeer();
  ZcbCpgPeer(const ZcbCpgPeer&) = delete;
  ZcbCpgPeer& operator=(const ZcbCpgPeer&) = delete;

  void Connect(Side side);
  std::span<std::byte> Prepare(std::size_t length_bytes);
  bool Send();
  bool Receive(const Reader& reader);
  void Service();
  std::string Pages() const;

 private:
  static void OnMessage(cpg_handle_t handle, const cpg_name* group,
                        std::uint32_t nodeid, std::uint32_t pid,
                        const void* message, std::size_t length_bytes);
  static void OnView(cpg_handle_t handle, const cpg_name* group,
                     const cpg_address* members, std::size_t member_count,
                     const cpg_address* left, std::size_t left_count,
                     const cpg_address* joined, std::size_t joined_count);
  // One event if there is one; false if not.
  bool TakeNext(const Reader& reader);
  bool Dispatch(cs_dispatch_flags_t how_many, const Reader& reader);
  // Dispatches, waiting in poll(2) when there is nothing, up to a message.
  void WaitAndDispatch(const Reader& reader);
  void ReadView(std::size_t member_count) { member_count_ = member_count; }

  CpgReceive how_;
  cpg_handle_t handle_ = 0;
  int descriptor_ = -1;
  std::uint32_t own_pid_ = 0;
  std::size_t member_count_ = 0;
  std::span<std::byte> prepared_;
  const Reader* reader_ = nullptr;  // during a dispatch
  bool was_message_ = false;        // of the other side, in this dispatch
};

}  // namespace zcb::bench

#endif  // ZCB_BENCH_PEERS_ZCB_CPG_H_
