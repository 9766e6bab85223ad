// A message there and back between two processes that wait for it, in each of
// the ways in which a handle can wait.
//
//   bazel run -c opt //bench/cpg:waiting [-- ROUND_TRIPS]
#include <corosync/cpg_zcb.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "bench/clock.h"
#include "bench/failure.h"
#include "bench/process_pair.h"
#include "bench/quantiles.h"
#include "tests/support/temp_directory.h"

namespace zcb::bench {
namespace {

constexpr std::size_t kMessageBytes = 64;

struct Way {
  const char* name;
  cpg_zcb_wait_t wait;
  cpg_zcb_park_t park;
  int peer_cpu;  // we are on 0
};
constexpr Way kWays[] = {
    {"park, descriptor", CPG_ZCB_WAIT_PARK, CPG_ZCB_PARK_DESCRIPTOR, 1},
    {"park, futex", CPG_ZCB_WAIT_PARK, CPG_ZCB_PARK_FUTEX, 1},
    {"adaptive", CPG_ZCB_WAIT_ADAPTIVE, CPG_ZCB_PARK_FUTEX, 1},
    {"spin", CPG_ZCB_WAIT_SPIN, CPG_ZCB_PARK_FUTEX, 1},
    {"one processor, park", CPG_ZCB_WAIT_PARK, CPG_ZCB_PARK_FUTEX, 0},
    {"one processor, adaptive", CPG_ZCB_WAIT_ADAPTIVE, CPG_ZCB_PARK_FUTEX, 0},
};

void Check(cs_error_t error, const char* what) {
  if (error != CS_OK) Fail("{}: error {}", what, static_cast<int>(error));
}

// A member that waits as it is told.
class Side {
 public:
  explicit Side(const Way& way) {
    Check(cpg_model_initialize(&handle_, CPG_MODEL_ZCB, nullptr, nullptr),
          "initialize");
    Check(cpg_zcb_option_set(handle_, CPG_ZCB_OPTION_WAIT, way.wait), "wait");
    Check(cpg_zcb_option_set(handle_, CPG_ZCB_OPTION_PARK, way.park), "park");
    const cpg_name group{4, "ping"};
    Check(cpg_join(handle_, &group), "join");
  }
  ~Side() { (void)cpg_finalize(handle_); }
  Side(const Side&) = delete;
  Side& operator=(const Side&) = delete;

  void Send(char mark) {
    void* buffer = nullptr;
    Check(cpg_zcb_alloc(handle_, kMessageBytes, &buffer), "alloc");
    std::memset(buffer, mark, kMessageBytes);
    Check(cpg_zcb_mcast_joined(handle_, CPG_TYPE_AGREED, buffer, kMessageBytes),
          "send");
  }
  void Await(char mark) {
    cpg_zcb_message message{};
    do {
      Check(cpg_zcb_next_timed(handle_, &message, -1), "next");
    } while (message.kind != CPG_ZCB_MESSAGE ||
             *static_cast<const char*>(message.data) != mark);
  }

 private:
  cpg_handle_t handle_ = 0;
};

int RunPeer(const Way& way, int round_trips, int ready) {
  PinTo(way.peer_cpu);
  Side side(way);
  if (write(ready, "x", 1) != 1) return 1;
  for (int i = 0; i < round_trips; ++i) {
    side.Await('a');
    side.Send('b');
  }
  return 0;
}

void Measure(const Way& way, int round_trips) {
  int ready[2];
  if (pipe(ready) != 0) Fail("no pipe");
  const pid_t peer = fork();
  if (peer < 0) Fail("no process");
  if (peer == 0) std::exit(RunPeer(way, round_trips, ready[1]));
  PinTo(0);
  std::vector<double> times_ns;
  times_ns.reserve(static_cast<std::size_t>(round_trips));
  {
    Side side(way);
    char byte = 0;
    if (read(ready[0], &byte, 1) != 1) Fail("the other side has ended");
    for (int i = 0; i < round_trips; ++i) {
      const std::uint64_t begin_ns = MonotonicNs();
      side.Send('a');
      side.Await('b');
      times_ns.push_back(static_cast<double>(MonotonicNs() - begin_ns));
    }
  }
  int status = 0;
  waitpid(peer, &status, 0);
  close(ready[0]);
  close(ready[1]);
  if (status != 0) Fail("the other side has failed");
  fmt::print("{:<24} p50 {:>6.2f} us  p99 {:>6.2f} us\n", way.name,
             Quantile(times_ns, 0.5) / 1000, Quantile(times_ns, 0.99) / 1000);
  std::fflush(stdout);
}

int Main(int argc, char** argv) {
  const int round_trips = argc > 1 ? std::atoi(argv[1]) : 20'000;
  const zcb::testing::TempDirectory directory;
  setenv("ZCB_DIR", directory.path().c_str(), 1);
  try {
    if (round_trips <= 0) Fail("usage: waiting [ROUND_TRIPS]");
    for (const Way& way : kWays) {
      // Each in processes of its own: nobody forks with threads.
      const pid_t child = fork();
      if (child < 0) Fail("no process");
      if (child == 0) {
        Measure(way, round_trips);
        std::exit(0);
      }
      int status = 0;
      waitpid(child, &status, 0);
      if (status != 0) Fail("{}: failed", way.name);
    }
  } catch (const Failed& failed) {
    fmt::print(stderr, "waiting: {}\n", failed.what());
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace zcb::bench

int main(int argc, char** argv) { return zcb::bench::Main(argc, argv); }
