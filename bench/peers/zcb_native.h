// Peer: zcb's own C++ interface, ipc::Member, in a group of two.
#ifndef ZCB_BENCH_PEERS_ZCB_NATIVE_H_
#define ZCB_BENCH_PEERS_ZCB_NATIVE_H_

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "bench/peers/peer.h"
#include "bench/process_pair.h"
#include "ipc/attachment.h"
#include "ipc/doorbell.h"
#include "ipc/member.h"

namespace zcb::bench {

// Spins on the ring: no descriptor is made readable, no system call is made.
// The order of a group is total, so a sender meets its own messages in the
// ring and steps over them; that time is part of what is measured.
class ZcbNativePeer {
 public:
  void Connect(Side side);
  std::span<std::byte> Prepare(std::size_t length_bytes);
  bool Send();
  bool Receive(const Reader& reader);
  void Service();
  std::string Pages() const;

 private:
  // The next message of the other side; ends every other event.
  bool BeginNext(ipc::Event* event);

  std::shared_ptr<ipc::Attachment> attachment_;
  std::unique_ptr<ipc::Doorbell> bell_;
  std::unique_ptr<ipc::Member> member_;
  std::span<std::byte> prepared_;
};

}  // namespace zcb::bench

#endif  // ZCB_BENCH_PEERS_ZCB_NATIVE_H_
