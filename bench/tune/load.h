// One run of a workload: real processes on the real library, with a setting in
// their environment, in a region of their own.
#ifndef ZCB_BENCH_TUNE_LOAD_H_
#define ZCB_BENCH_TUNE_LOAD_H_

#include <cstdint>
#include <string>
#include <vector>

#include "bench/tune/knobs.h"
#include "bench/tune/workload.h"

namespace zcb::bench::tune {

struct LoadPlan {
  double warm_up_s = 0.05;  // not measured
  double window_s = 0.25;   // measured
  bool touched = true;      // every byte is written and read
  std::vector<int> cpus;  // one process each if they suffice; else all of them
  std::string directory;  // ZCB_DIR of the processes
};

struct LoadFigures {
  double messages_per_s = 0;  // at the receiver that got least
  double p50_ns = 0;          // from before the buffer is allocated until read
  double p90_ns = 0;
  double p99_ns = 0;
  double max_ns = 0;
  // Of all processes, a paced sender's waiting left out.
  double processor_ns_per_message = 0;
  std::uint64_t refused = 0;  // sends that found the ring or the memory full
  std::string pages;          // that the region had

  double LatencyNs(unsigned percentile) const {
    return percentile >= 99 ? p99_ns : percentile >= 90 ? p90_ns : p50_ns;
  }
};

// Throws Failed if a process cannot go on, with what it says. No child and no
// region is left.
LoadFigures RunLoad(const Workload& workload, const LoadPlan& plan,
                    const Setting& setting);

// What the search makes small: nanoseconds of latency, of time per message, or
// of processor time per message.
double CostOf(const Workload& workload, const LoadFigures& figures);

}  // namespace zcb::bench::tune

#endif  // ZCB_BENCH_TUNE_LOAD_H_
