// What is asked of every peer: how long a message takes to the other process,
// and how many go there in a second.
#ifndef ZCB_BENCH_PAIR_QUESTIONS_H_
#define ZCB_BENCH_PAIR_QUESTIONS_H_

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "bench/clock.h"
#include "bench/exchange.h"
#include "bench/floor.h"
#include "bench/machine_load.h"
#include "bench/pair_program.h"
#include "bench/peers/peer.h"
#include "bench/quantiles.h"

namespace zcb::bench {

inline constexpr unsigned kPairLimitSeconds = 300;
// A side that only sends looks after its transport that often, and whenever
// there is no room.
inline constexpr std::uint64_t kMessagesBetweenService = 64;

// How many messages fit into a time: each phase is as long as the ones before
// it say, so the short ones are the warm-up, too.
class Phases {
 public:
  explicit Phases(const PairRun& run) : run_(run) {}

  static constexpr int kTimed = 2;  // the last one
  std::uint64_t CountOf(int phase) const {
    constexpr std::uint64_t kFirst = 256;
    constexpr std::uint64_t kLeast = 64;
    constexpr std::uint64_t kMost = 20'000'000;
    if (run_.count > 0 && phase == kTimed) return run_.count;
    if (phase == 0) return kFirst;
    const double share = phase == kTimed ? 1.0 : 0.1;
    const double budget_ns = run_.duration_ms * 1e6 * share;
    return std::clamp(static_cast<std::uint64_t>(budget_ns / each_ns_), kLeast,
                      kMost);
  }
  void Took(double each_ns) { each_ns_ = std::max(each_ns, 1.0); }

 private:
  const PairRun& run_;
  double each_ns_ = 1000;
};

// Everything that a side does for a message is inside: alloc, write, send,
// receive, read, done. One way is half of a round trip.
template <Peer P>
void TimeRoundTrips(P& peer, PairPage& page, const PairRun& run,
                    const TickClock& clock) {
  OrderedReader reader(run.touch, run.length_bytes);
  Phases phases(run);
  std::vector<double> one_way_ns;
  std::uint64_t done = 0;
  for (int phase = 0; phase <= Phases::kTimed; ++phase) {
    const std::uint64_t count = phases.CountOf(phase);
    page.next_count = count;
    one_way_ns.assign(count, 0);  // also touches the memory
    PassGate(page, Side::kFirst);
    const std::uint64_t begin_ns = MonotonicNs();
    for (double& sample : one_way_ns) {
      const std::uint64_t start = clock.Now();
      SendOne(peer, run.touch, done, run.length_bytes);
      reader.ReceiveUpTo(peer, ++done);
      const std::uint64_t ticks = clock.Now() - start;
      sample = static_cast<double>(ticks) * clock.NsPerTick() / 2;
    }
    phases.Took(static_cast<double>(MonotonicNs() - begin_ns) /
                static_cast<double>(count));
  }
  page.result.count = one_way_ns.size();
  page.result.p50_ns = Quantile(one_way_ns, 0.50);
  page.result.p90_ns = Quantile(one_way_ns, 0.90);
  page.result.p99_ns = Quantile(one_way_ns, 0.99);
  page.result.p999_ns = Quantile(one_way_ns, 0.999);
  page.result.max_ns = Quantile(one_way_ns, 1.0);
}

template <Peer P>
void EchoRoundTrips(P& peer, PairPage& page, const PairRun& run) {
  OrderedReader reader(run.touch, run.length_bytes);
  std::uint64_t done = 0;
  for (int phase = 0; phase <= Phases::kTimed; ++phase) {
    PassGate(page, Side::kSecond);
    const std::uint64_t end = done + page.next_count;
    while (done < end) {
      reader.ReceiveUpTo(peer, done + 1);
      SendOne(peer, run.touch, done, run.length_bytes);
      ++done;
    }
  }
}

// Timed from before the first send until the last message has been read.
template <Peer P>
void SendStream(P& peer, PairPage& page, const PairRun& run) {
  Phases phases(run);
  std::uint64_t done = 0;
  for (int phase = 0; phase <= Phases::kTimed; ++phase) {
    const std::uint64_t count = phases.CountOf(phase);
    page.next_count = count;
    PassGate(page, Side::kFirst);
    const std::uint64_t begin_ns = MonotonicNs();
    for (const std::uint64_t end = done + count; done < end; ++done) {
      SendOne(peer, run.touch, done, run.length_bytes);
      if (done % kMessagesBetweenService == 0) peer.Service();
    }
    PassGate(page, Side::kFirst);
    const double each_ns = static_cast<double>(page.second_time_ns - begin_ns) /
                           static_cast<double>(count);
    phases.Took(each_ns);
    constexpr double kNsPerSecond = 1e9;
    page.result.count = count;
    page.result.messages_per_s = kNsPerSecond / each_ns;
    page.result.bytes_per_s =
        page.result.messages_per_s * static_cast<double>(run.length_bytes);
  }
}

template <Peer P>
void ReceiveStream(P& peer, PairPage& page, const PairRun& run) {
  OrderedReader reader(run.touch, run.length_bytes);
  std::uint64_t done = 0;
  for (int phase = 0; phase <= Phases::kTimed; ++phase) {
    PassGate(page, Side::kSecond);
    done += page.next_count;
    reader.ReceiveUpTo(peer, done);
    page.second_time_ns = MonotonicNs();
    PassGate(page, Side::kSecond);
  }
}

// Both sides on their CPUs, the floor before and after, and what each does in
// between.
template <Peer P, typename First, typename Second>
PairFigures BetweenFloors(PairRun& run, const First& first,
                          const Second& second) {
  P peer(PeerSetup{run.variant, run.length_bytes});
  const LoadWatch watch(DaemonOf(peer));
  const auto one_side = [&](PairPage& page, Side side) {
    const TickClock clock;
    peer.Connect(side);
    const Floor before = MeasureFloor(page, side, clock);
    if (side == Side::kFirst) {
      first(peer, page, clock);
    } else {
      second(peer, page);
    }
    PassGate(page, side);
    const Floor after = MeasureFloor(page, side, clock);
    if (side == Side::kFirst) {
      page.result.floor_before_ns = before.one_line_ns;
      page.result.floor_after_ns = after.one_line_ns;
      page.result.two_line_floor_ns = before.two_lines_ns;
      const std::string pages = PagesOf(peer);
      std::copy_n(pages.begin(),
                  std::min(pages.size(), page.result.pages.size() - 1),
                  page.result.pages.begin());
    }
    if constexpr (requires { peer.Disconnect(); }) peer.Disconnect();
  };
  const PairFigures figures = RunPair(
      run.places, kPairLimitSeconds,
      [&](PairPage& page) { one_side(page, Side::kFirst); },
      [&](PairPage& page) { one_side(page, Side::kSecond); });
  run.is_disturbed = watch.Read().is_disturbed;
  return figures;
}

template <Peer P>
PairFigures RunLatency(PairRun& run) {
  return BetweenFloors<P>(
      run,
      [&](P& peer, PairPage& page, const TickClock& clock) {
        TimeRoundTrips(peer, page, run, clock);
      },
      [&](P& peer, PairPage& page) { EchoRoundTrips(peer, page, run); });
}

template <Peer P>
PairFigures RunStream(PairRun& run) {
  return BetweenFloors<P>(
      run,
      [&](P& peer, PairPage& page, const TickClock&) {
        SendStream(peer, page, run);
      },
      [&](P& peer, PairPage& page) { ReceiveStream(peer, page, run); });
}

// main() of a peer's program.
template <Peer P>
int RunPeerProgram(int argc, char** argv, const char* name) {
  return RunPairProgram(
      argc, argv,
      {.name = name,
       .variants = P::kVariants,
       .largest_bytes = LargestBytesOf<P>,
       .questions = {
           {.command = "latency",
            .question = "one_way",
            .description = "half of single round trips",
            .columns = {{"p50_ns", &PairFigures::p50_ns, true},
                        {"p90_ns", &PairFigures::p90_ns, true},
                        {"p99_ns", &PairFigures::p99_ns, true},
                        {"p999_ns", &PairFigures::p999_ns, true},
                        {"max_ns", &PairFigures::max_ns, true}},
            .run = RunLatency<P>},
           {.command = "stream",
            .question = "stream",
            .description = "as many messages as go through",
            .columns = {{"messages_per_s", &PairFigures::messages_per_s, false},
                        {"bytes_per_s", &PairFigures::bytes_per_s, false}},
            .run = RunStream<P>}}});
}

}  // namespace zcb::bench

#endif  // ZCB_BENCH_PAIR_QUESTIONS_H_
