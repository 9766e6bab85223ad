// A receiver that is faster than its senders leaves them alone for a moment.
#ifndef ZCB_IPC_BURST_PAUSE_H_
#define ZCB_IPC_BURST_PAUSE_H_

#include <algorithm>
#include <cstdint>
#include <utility>

#include "ipc/deadline.h"
#include "ipc/relax_cpu.h"

namespace zcb::ipc {

// Whoever looks at an empty place takes its line away from the sender that is
// about to fill it, who has to fetch it back. A receiver that looks all the
// time does so at each message: both sides wait for lines, and go in step.
// Waiting a little before the next look costs the line once for all messages
// that come meanwhile, and fetches theirs together.
//
// So: at the first empty place after some messages, wait, and then look once
// more. How long follows from how many messages came since the place before:
// many, longer; few, shorter; none at all after a few halvings. So a group that
// is asked for single messages, as in request and reply, is never made to wait,
// but for a probe now and then, shorter than any reply takes to come: otherwise
// a receiver in step would never learn that there is a stream, since it meets
// its messages one by one.
//
// (Spinning with a growing pause is old: Anderson, "The performance of spin
// lock alternatives", IEEE TPDS 1990. Here it is the other way round: what
// grows the pause is that it has paid.)
//
// One thread at a time. Wait-free: at most `most_ns`, about.
class BurstPause {
 public:
  static constexpr std::uint32_t kLeastNs = 400;
  static constexpr std::uint32_t kProbeEvery = 64;  // places found empty
  static constexpr std::uint32_t kMany = 4;         // messages, at one go
  static constexpr std::uint32_t kFew = 3;          // fewer than that

  // 0: never waits.
  explicit BurstPause(std::uint32_t most_ns) : most_ns_(most_ns) {}

  // A message of somebody else.
  void Found() { ++found_; }

  // How long to wait at an empty place; 0: not at all.
  std::uint32_t NextNs() {
    const std::uint32_t found = std::exchange(found_, 0);
    if (found == 0) return 0;  // looked at it already, or it is us who send
    if (pause_ns_ == 0) {
      if (++unpaused_ % kProbeEvery == 0)
        pause_ns_ = std::min(kLeastNs, most_ns_);
    } else if (found >= kMany) {
      pause_ns_ = std::min(pause_ns_ * 2, most_ns_);
    } else if (found < kFew) {
      pause_ns_ = pause_ns_ / 2 < kLeastNs ? 0 : pause_ns_ / 2;
    }
    return pause_ns_;
  }

  // True: it has waited, look again. False: there is nothing.
  bool Wait() {
    const std::uint32_t pause_ns = NextNs();
    if (pause_ns == 0) return false;
    const std::int64_t end_ns = NowNs() + pause_ns;
    do {
      RelaxCpu();
    } while (NowNs() < end_ns);
    return true;
  }

 private:
  const std::uint32_t most_ns_;
  std::uint32_t pause_ns_ = 0;
  std::uint32_t unpaused_ = 0;
  std::uint32_t found_ = 0;  // since the last empty place
};

}  // namespace zcb::ipc

#endif  // ZCB_IPC_BURST_PAUSE_H_
