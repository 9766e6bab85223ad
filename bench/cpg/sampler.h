// How long a call takes: once per sample, or many times where a clock would
// cost more than the call.
#ifndef ZCB_BENCH_CPG_SAMPLER_H_
#define ZCB_BENCH_CPG_SAMPLER_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "bench/clock.h"
#include "bench/quantiles.h"

namespace zcb::bench {

// Nanoseconds per call.
struct CallFigures {
  double p50_ns = 0;
  double p99_ns = 0;
  double least_ns = 0;
  std::size_t samples = 0;
  // Calls in one sample. Above 1, p99 is that of averages of so many calls.
  std::uint32_t calls_per_sample = 1;
};

// The samples of one call.
class Samples {
 public:
  explicit Samples(std::uint32_t calls_per_sample = 1)
      : calls_per_sample_(calls_per_sample) {}
  void Add(double ns) { ns_per_call_.push_back(ns / calls_per_sample_); }
  CallFigures Figures() {
    CallFigures figures;
    figures.samples = ns_per_call_.size();
    figures.calls_per_sample = calls_per_sample_;
    if (ns_per_call_.empty()) return figures;
    figures.least_ns = *std::ranges::min_element(ns_per_call_);
    figures.p50_ns = Quantile(ns_per_call_, 0.5);
    figures.p99_ns = Quantile(ns_per_call_, 0.99);
    return figures;
  }

 private:
  std::uint32_t calls_per_sample_;
  std::vector<double> ns_per_call_;
};

// Times `calls_per_sample` calls at once, `samples` times; the first sample is
// for the caches and is not counted.
template <typename Call>
CallFigures TimeCalls(const TickClock& clock, std::size_t samples,
                      std::uint32_t calls_per_sample, Call&& call) {
  Samples found(calls_per_sample);
  for (std::size_t s = 0; s <= samples; ++s) {
    const std::uint64_t start = clock.Now();
    for (std::uint32_t i = 0; i < calls_per_sample; ++i) call();
    const std::uint64_t end = clock.Now();
    if (s > 0) found.Add(static_cast<double>(end - start) * clock.NsPerTick());
  }
  return found.Figures();
}

}  // namespace zcb::bench

#endif  // ZCB_BENCH_CPG_SAMPLER_H_
