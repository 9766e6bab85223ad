// Two processes on two CPUs, and the ordinary shared memory through which they
// start together and report: the set-up of every benchmark of peers.
#ifndef ZCB_BENCH_PROCESS_PAIR_H_
#define ZCB_BENCH_PROCESS_PAIR_H_

#include <sys/types.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace zcb::bench {

enum class Side : bool { kFirst, kSecond };

// What the first side found out; what does not apply stays 0.
struct PairFigures {
  // Cache-line ping-pong, one way, before and after the run.
  double floor_before_ns = 0;
  double floor_after_ns = 0;
  double two_line_floor_ns = 0;
  // Half of single round trips.
  double p50_ns = 0;
  double p90_ns = 0;
  double p99_ns = 0;
  double p999_ns = 0;
  double max_ns = 0;
  // Stream from the first side to the second.
  double messages_per_s = 0;
  double bytes_per_s = 0;
  std::uint64_t count = 0;       // of messages or round trips that were timed
  std::array<char, 64> pages{};  // kind of pages under the region, if any
};

// Shared by both sides and the process that started them; all zero at first.
struct PairPage {
  static constexpr std::size_t kLineBytes = 64;
  // Each side's count of gates that it has reached.
  alignas(kLineBytes) std::atomic<std::uint64_t> first_gate;
  alignas(kLineBytes) std::atomic<std::uint64_t> second_gate;
  // The lines of the cache-line ping-pong.
  alignas(kLineBytes) std::atomic<std::uint64_t> ball;
  alignas(kLineBytes) std::atomic<std::uint64_t> reply_ball;
  // What a side tells the other before a gate: how many messages come next,
  // and a time.
  alignas(kLineBytes) std::uint64_t next_count;
  alignas(kLineBytes) std::uint64_t second_time_ns;
  alignas(kLineBytes) PairFigures result;
};

// Which CPUs the sides run on.
struct PairPlaces {
  int first_cpu = 0;
  int second_cpu = 1;
};

// "0,1": two different CPUs; the sides spin, each needs one of its own.
PairPlaces ParsePlaces(std::string_view text);

// The calling thread stays there from now on. Throws Failed.
void PinTo(int cpu);

using SideFunction = std::function<void(PairPage&)>;

// Runs the two functions in a child process each, pinned, and waits. Returns
// what the first side left in the page. Throws Failed if one of them fails, if
// both have not ended after `limit_s`, or on SIGINT and SIGTERM; no child is
// left then.
PairFigures RunPair(PairPlaces places, unsigned limit_s,
                    const SideFunction& first, const SideFunction& second);

// For a loop that waits for the other side: where the machine is so busy that
// the other side has no CPU, ours may be what it waits for. On a quiet machine
// no wait is that long.
class PatientSpin {
 public:
  void Turn() {
    constexpr unsigned kTurnsOfPatience = 1 << 16;
    if (++turns_ % kTurnsOfPatience == 0) GiveWay();
  }

 private:
  static void GiveWay();
  unsigned turns_ = 0;
};

// Both sides pass together. Spins.
void PassGate(PairPage& page, Side side);

// A directory of our own under /dev/shm, given to zcb as ZCB_DIR unless the
// user has set that; removed at the end.
class PrivateRegion {
 public:
  PrivateRegion();
  ~PrivateRegion();
  PrivateRegion(const PrivateRegion&) = delete;
  PrivateRegion& operator=(const PrivateRegion&) = delete;

 private:
  std::string directory_;
};

}  // namespace zcb::bench

#endif  // ZCB_BENCH_PROCESS_PAIR_H_
