#include "bench/floor.h"

#include <atomic>
#include <cstdint>
#include <vector>

#include "bench/quantiles.h"

namespace zcb::bench {
namespace {

constexpr std::uint64_t kWarmup = 1'000;
constexpr std::uint64_t kRoundTrips = 10'000;

using Line = std::atomic<std::uint64_t>;

void WaitFor(const Line& line, std::uint64_t value) {
  for (PatientSpin spin; line.load(std::memory_order_acquire) != value;) {
    spin.Turn();
  }
}

double FirstSide(Line& out, Line& back, const TickClock& clock) {
  std::vector<double> one_way_ns;
  one_way_ns.reserve(kRoundTrips);
  for (std::uint64_t i = 0; i < kWarmup + kRoundTrips; ++i) {
    const std::uint64_t start = clock.Now();
    out.store(2 * i + 1, std::memory_order_release);
    WaitFor(back, 2 * i + 2);
    const std::uint64_t ticks = clock.Now() - start;
    if (i < kWarmup) continue;
    one_way_ns.push_back(static_cast<double>(ticks) * clock.NsPerTick() / 2);
  }
  return Quantile(one_way_ns, 0.5);
}

void SecondSide(const Line& out, Line& back) {
  for (std::uint64_t i = 0; i < kWarmup + kRoundTrips; ++i) {
    WaitFor(out, 2 * i + 1);
    back.store(2 * i + 2, std::memory_order_release);
  }
}

double PlayBall(PairPage& page, Side side, Line& out, Line& back,
                const TickClock& clock) {
  PassGate(page, side);
  if (side == Side::kFirst) {
    out.store(0, std::memory_order_relaxed);
    back.store(0, std::memory_order_relaxed);
  }
  PassGate(page, side);
  if (side == Side::kFirst) return FirstSide(out, back, clock);
  SecondSide(out, back);
  return 0;
}

}  // namespace

Floor MeasureFloor(PairPage& page, Side side, const TickClock& clock) {
  Floor floor;
  floor.one_line_ns = PlayBall(page, side, page.ball, page.ball, clock);
  floor.two_lines_ns = PlayBall(page, side, page.ball, page.reply_ball, clock);
  return floor;
}

}  // namespace zcb::bench
