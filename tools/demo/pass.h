// One pass of the demo: a sender and its receivers, started, watched, ended.
#ifndef ZCB_TOOLS_DEMO_PASS_H_
#define ZCB_TOOLS_DEMO_PASS_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tools/demo/crew.h"
#include "tools/demo/order.h"
#include "tools/demo/sample_file.h"

namespace zcb::demo {

struct PassPlan {
  std::string group;
  std::uint32_t receiver_count = 3;
  bool spins = false;  // each on a CPU of its own: the sender on the first
  bool hashes = false;
  bool kills_one = false;  // the last receiver, in the middle of the stream
  bool corrupts = false;   // at the first receiver
  std::uint64_t pace_ns = 0;
  std::uint64_t paced_count = 0;
};

struct PassResult {
  struct Receiver {
    pid_t pid = 0;
    Report report;  // of the killed one: its last
    bool was_killed = false;
  };
  pid_t sender_pid = 0;
  Report sender;
  std::vector<Receiver> receivers;
  std::vector<const Receiver*> Survivors() const;
  // Of all survivors, sorted.
  std::vector<std::uint64_t> Latencies() const;
  // From the sender's first alloc until the last survivor had read it all.
  double Seconds() const;
};

// Throws Failed when something goes wrong; no process is left then.
PassResult RunPass(const SignalGuard& signals, const PassPlan& plan,
                   const SampleFile& file, std::uint64_t seed);

}  // namespace zcb::demo

#endif  // ZCB_TOOLS_DEMO_PASS_H_
