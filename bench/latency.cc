// One-way latency between two pinned processes: half of single round trips,
// each timed by itself, next to the floor that the hardware sets.
#include <cstdint>
#include <vector>

#include "bench/clock.h"
#include "bench/exchange.h"
#include "bench/floor.h"
#include "bench/pair_program.h"
#include "bench/peers/all_peers.h"
#include "bench/quantiles.h"

namespace zcb::bench {
namespace {

constexpr unsigned kLimitSeconds = 120;
constexpr std::uint64_t kWarmupShare = 10;  // a tenth of the round trips

std::uint64_t DefaultRoundTrips(std::size_t length_bytes) {
  if (length_bytes <= 4096) return 20'000;
  return length_bytes <= 65536 ? 4'000 : 500;
}

// The peer is connected, and everything a side does for a message is inside:
// alloc, write, send, receive, read, done.
template <Peer P>
void TimeRoundTrips(P& peer, const PairOptions& options, const TickClock& clock,
                    PairFigures& figures) {
  const std::uint64_t warmup = options.count / kWarmupShare;
  std::vector<double> one_way_ns;
  one_way_ns.reserve(options.count);
  OrderedReader reader(options.touch, options.length_bytes);
  for (std::uint64_t i = 0; i < warmup + options.count; ++i) {
    const std::uint64_t start = clock.Now();
    SendOne(peer, options.touch, i, options.length_bytes);
    reader.ReceiveUpTo(peer, i + 1);
    const std::uint64_t ticks = clock.Now() - start;
    if (i < warmup) continue;
    one_way_ns.push_back(static_cast<double>(ticks) * clock.NsPerTick() / 2);
  }
  figures.p50_ns = Quantile(one_way_ns, 0.50);
  figures.p90_ns = Quantile(one_way_ns, 0.90);
  figures.p99_ns = Quantile(one_way_ns, 0.99);
  figures.max_ns = Quantile(one_way_ns, 1.0);
}

template <Peer P>
void Echo(P& peer, const PairOptions& options) {
  const std::uint64_t warmup = options.count / kWarmupShare;
  OrderedReader reader(options.touch, options.length_bytes);
  for (std::uint64_t i = 0; i < warmup + options.count; ++i) {
    reader.ReceiveUpTo(peer, i + 1);
    SendOne(peer, options.touch, i, options.length_bytes);
  }
}

template <Peer P>
PairFigures Run(P& peer, const PairOptions& options) {
  const auto first = [&](PairPage& page) {
    const TickClock clock;
    peer.Connect(Side::kFirst);
    const Floor before = MeasureFloor(page, Side::kFirst, clock);
    PassGate(page, Side::kFirst);
    TimeRoundTrips(peer, options, clock, page.result);
    PassGate(page, Side::kFirst);
    const Floor after = MeasureFloor(page, Side::kFirst, clock);
    page.result.floor_before_ns = before.one_line_ns;
    page.result.floor_after_ns = after.one_line_ns;
    page.result.two_line_floor_ns = before.two_lines_ns;
    StorePages(peer.Pages(), page.result);
  };
  const auto second = [&](PairPage& page) {
    const TickClock clock;
    peer.Connect(Side::kSecond);
    MeasureFloor(page, Side::kSecond, clock);
    PassGate(page, Side::kSecond);
    Echo(peer, options);
    PassGate(page, Side::kSecond);
    MeasureFloor(page, Side::kSecond, clock);
  };
  return RunPair(options.places, kLimitSeconds, first, second);
}

}  // namespace
}  // namespace zcb::bench

int main(int argc, char** argv) {
  using zcb::bench::PairFigures;
  return zcb::bench::RunPairProgram(
      argc, argv,
      {.name = "latency",
       .description = "One-way latency between two pinned processes.",
       .columns = {{"p50_ns", &PairFigures::p50_ns},
                   {"p90_ns", &PairFigures::p90_ns},
                   {"p99_ns", &PairFigures::p99_ns},
                   {"max_ns", &PairFigures::max_ns}},
       .default_count = zcb::bench::DefaultRoundTrips,
       .run = [](const zcb::bench::PairOptions& options) {
         return zcb::bench::WithPeer(
             options.peer, options.length_bytes,
             [&](auto& peer) { return zcb::bench::Run(peer, options); });
       }});
}
