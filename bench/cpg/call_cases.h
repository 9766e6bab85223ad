// What is timed.
#ifndef ZCB_BENCH_CPG_CALL_CASES_H_
#define ZCB_BENCH_CPG_CALL_CASES_H_

#include <cstddef>
#include <functional>

#include "bench/clock.h"
#include "bench/cpg/sampler.h"

namespace zcb::bench {

struct CallOptions {
  std::size_t cycles = 2000;   // from cpg_initialize to cpg_finalize
  std::size_t samples = 2000;  // of a call that is timed in batches
};

using Report = std::function<void(const char* call, const CallFigures&)>;

// The groups of the crowd must be there already; the process must be attached.
// Each throws Failed.
void TimeLifecycle(const TickClock& clock, const CallOptions& options,
                   const Report& report);
void TimeHandleCalls(const TickClock& clock, const CallOptions& options,
                     const Report& report);
void TimeMembershipCalls(const TickClock& clock, const CallOptions& options,
                         const Report& report);
void TimeMessageCalls(const TickClock& clock, const CallOptions& options,
                      const Report& report);

}  // namespace zcb::bench

#endif  // ZCB_BENCH_CPG_CALL_CASES_H_
