// What remains of a measurement that was timed in pieces.
#ifndef ZCB_BENCH_ALLOCATOR_CHUNK_FIGURES_H_
#define ZCB_BENCH_ALLOCATOR_CHUNK_FIGURES_H_

#include <benchmark/benchmark.h>

#include <numeric>
#include <vector>

#include "bench/quantiles.h"

namespace zcb::bench {

// Two sides that spin measure the scheduler as soon as one of them is off its
// CPU. A chunk is long enough to hold all that an allocator does from time to
// time, and shorter than a time slice. So the tenth percentile of the chunks is
// that of two sides that both ran, and the median says whether they mostly did.
struct ChunkFigures {
  double mean_ns = 0;
  double median_ns = 0;
  double quiet_ns = 0;  // tenth percentile

  static ChunkFigures Of(std::vector<double> chunk_ns) {
    return {std::accumulate(chunk_ns.begin(), chunk_ns.end(), 0.0) /
                static_cast<double>(chunk_ns.size()),
            Quantile(chunk_ns, 0.5), Quantile(chunk_ns, 0.1)};
  }
  void Store(benchmark::State& state) const {
    state.counters["median_ns"] = median_ns;
    state.counters["quiet_ns"] = quiet_ns;
  }
};

}  // namespace zcb::bench

#endif  // ZCB_BENCH_ALLOCATOR_CHUNK_FIGURES_H_
