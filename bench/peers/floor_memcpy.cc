// Floor: what one copy of a payload takes in one process, between buffers that
// rotate over a few MiB.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "bench/clock.h"
#include "bench/floor.h"
#include "bench/machine_load.h"
#include "bench/pair_program.h"
#include "bench/pair_questions.h"
#include "bench/peers/peer.h"
#include "bench/peers/private_buffer.h"
#include "bench/process_pair.h"
#include "bench/quantiles.h"

namespace zcb::bench {
namespace {

constexpr std::array kVariants = {
    Variant{"floor_memcpy", Wait::kBusy, "memcpy(3) in one process"},
};
constexpr std::size_t kRotationBytes = 4 << 20;
constexpr std::size_t kLeastBuffers = 4;
constexpr std::size_t kMostBuffers = 1024;
// Copies that are timed at once, so that the clock is little of it.
constexpr std::size_t kBatchBytes = 64 << 10;

void TimeCopies(PairPage& page, const PairRun& run, const TickClock& clock) {
  const std::size_t buffers = std::clamp(kRotationBytes / run.length_bytes,
                                         kLeastBuffers, kMostBuffers);
  const PrivateBuffer from(buffers * run.length_bytes);
  const PrivateBuffer to(buffers * run.length_bytes);
  const std::size_t batch =
      std::max<std::size_t>(1, kBatchBytes / run.length_bytes);
  std::vector<double> each_ns;
  std::size_t next = 0;
  const std::uint64_t end_ns = MonotonicNs() + run.duration_ms * 1'000'000ULL;
  do {
    const std::uint64_t start = clock.Now();
    for (std::size_t i = 0; i < batch; ++i, next = (next + 1) % buffers) {
      std::memcpy(to.data() + next * run.length_bytes,
                  from.data() + next * run.length_bytes, run.length_bytes);
      // The copy must be made: something could read it.
      asm volatile("" : : "r"(to.data()) : "memory");
    }
    each_ns.push_back(static_cast<double>(clock.Now() - start) *
                      clock.NsPerTick() / static_cast<double>(batch));
  } while (run.count > 0 ? each_ns.size() < run.count : MonotonicNs() < end_ns);
  page.result.count = each_ns.size();
  page.result.p50_ns = Quantile(each_ns, 0.50);
  page.result.p99_ns = Quantile(each_ns, 0.99);
  page.result.bytes_per_s =
      static_cast<double>(run.length_bytes) * 1e9 / page.result.p50_ns;
}

PairFigures RunCopies(PairRun& run) {
  const LoadWatch watch(0);
  const auto one_side = [&](PairPage& page, Side side) {
    const TickClock clock;
    const Floor before = MeasureFloor(page, side, clock);
    if (side == Side::kFirst) TimeCopies(page, run, clock);
    PassGate(page, side);
    const Floor after = MeasureFloor(page, side, clock);
    if (side == Side::kSecond) return;
    page.result.floor_before_ns = before.one_line_ns;
    page.result.floor_after_ns = after.one_line_ns;
    page.result.two_line_floor_ns = before.two_lines_ns;
  };
  const PairFigures figures = RunPair(
      run.places, kPairLimitSeconds,
      [&](PairPage& page) { one_side(page, Side::kFirst); },
      [&](PairPage& page) { one_side(page, Side::kSecond); });
  run.is_disturbed = watch.Read().is_disturbed;
  return figures;
}

}  // namespace
}  // namespace zcb::bench

int main(int argc, char** argv) {
  using zcb::bench::PairFigures;
  return zcb::bench::RunPairProgram(
      argc, argv,
      {.name = "floor_memcpy",
       .variants = zcb::bench::kVariants,
       .largest_bytes =
           [](const zcb::bench::Variant&) {
             return std::numeric_limits<std::size_t>::max();
           },
       .questions = {
           {.command = "copy",
            .question = "copy",
            .description = "one memcpy(3) after another",
            .columns = {{"p50_ns", &PairFigures::p50_ns, true},
                        {"p99_ns", &PairFigures::p99_ns, true},
                        {"bytes_per_s", &PairFigures::bytes_per_s, false}},
            .run = zcb::bench::RunCopies}}});
}
