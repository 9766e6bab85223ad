// The search over real runs, within its bound.
#ifndef ZCB_BENCH_TUNE_TUNER_H_
#define ZCB_BENCH_TUNE_TUNER_H_

#include <string>
#include <vector>

#include "bench/tune/load.h"
#include "bench/tune/progress.h"
#include "bench/tune/report.h"
#include "bench/tune/workload.h"

namespace zcb::bench::tune {

struct TunePlan {
  Workload workload;
  LoadPlan load;
  std::vector<std::string> only;  // knobs; empty: those that can matter
  double minutes = 3;
  unsigned runs = 0;  // at most; 0: as many as the minutes allow
};

// SIGINT and SIGTERM end the run at hand and then throw, from now on.
void EndOnSignals();

// Throws Failed: interrupted, or the workload cannot be run at all.
Findings Tune(const TunePlan& plan, Progress& progress);

}  // namespace zcb::bench::tune

#endif  // ZCB_BENCH_TUNE_TUNER_H_
