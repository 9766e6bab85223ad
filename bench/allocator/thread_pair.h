// Two threads on two CPUs: what RunPair() is for processes.
#ifndef ZCB_BENCH_ALLOCATOR_THREAD_PAIR_H_
#define ZCB_BENCH_ALLOCATOR_THREAD_PAIR_H_

#include <functional>
#include <optional>

#include "bench/process_pair.h"

namespace zcb::bench {

// The first two CPUs on which this program may run (see taskset(1)); nullopt
// if there is only one.
std::optional<PairPlaces> TwoCpus();

// Runs the two functions, each in a new thread that stays on its CPU, and waits
// for both; so one that waits for the other must hear of its failure. Throws
// what one of them threw.
void RunThreadPair(PairPlaces places, const std::function<void()>& first,
                   const std::function<void()>& second);

}  // namespace zcb::bench

#endif  // ZCB_BENCH_ALLOCATOR_THREAD_PAIR_H_
