// One sender, many receivers, whatever carries the messages.
#ifndef ZCB_BENCH_CROWD_FAN_OUT_PEER_H_
#define ZCB_BENCH_CROWD_FAN_OUT_PEER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bench/processes/children.h"

namespace zcb::bench {

// A message has 64 bytes, of which the first eight are its number. An object is
// made before the receivers are forked; each process uses its own copy. Errors
// that are not "no room" throw Failed.
class FanOutPeer {
 public:
  FanOutPeer() = default;
  virtual ~FanOutPeer() = default;
  FanOutPeer(const FanOutPeer&) = delete;
  FanOutPeer& operator=(const FanOutPeer&) = delete;

  static constexpr std::size_t kMessageBytes = 64;

  // In the sender, before the receivers are forked.
  virtual void SetUp(std::size_t receivers, Children* children) = 0;
  // In the sender, after all receivers have called Attach().
  virtual void AwaitReceivers(std::size_t receivers) = 0;
  // In the receiver; `blocks`: it will use Await().
  virtual void Attach(std::size_t index, bool blocks) = 0;

  // To all. False: no room; Service(), and try again.
  virtual bool TrySend(std::uint64_t number) = 0;
  // What the transport asks of a sender now and then, and when there is no
  // room.
  virtual void Service() {}
  // Messages that can be under way while nobody reads.
  virtual std::size_t room() const = 0;
  // Whether it gives up messages rather than refuse them: then receivers are
  // only asked to throw away what they have.
  virtual bool may_lose() const { return false; }

  virtual std::optional<std::uint64_t> TryReceive() = 0;
  virtual std::uint64_t Await() = 0;
  // Whether it has Await() at all.
  virtual bool can_block() const { return true; }
};

struct FanOutPeerName {
  std::string name;
  std::function<std::unique_ptr<FanOutPeer>()> make;
};

// main() of a program that measures these peers.
int FanOutMain(int argc, char** argv, std::vector<FanOutPeerName> peers);

}  // namespace zcb::bench

#endif  // ZCB_BENCH_CROWD_FAN_OUT_PEER_H_
