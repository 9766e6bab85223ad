// main() of a peer's program.
#ifndef ZCB_BENCH_ALLOCATOR_SUITE_H_
#define ZCB_BENCH_ALLOCATOR_SUITE_H_

#include <functional>

#include "bench/allocator/churn.h"
#include "bench/allocator/malloc_concept.h"
#include "bench/allocator/mixed.h"
#include "bench/allocator/pair.h"
#include "bench/allocator/threads.h"

namespace zcb::bench {

// Every workload that any allocator can do.
template <Malloc M>
void RegisterAll() {
  RegisterPairs<M>();
  RegisterThreads<M>();
  RegisterChurn<M>();
  RegisterMixed<M>();
}

// Registers, and runs what the arguments choose (Google Benchmark's). Regions
// lie in a directory of their own meanwhile.
int RunSuite(int argc, char** argv, const std::function<void()>& register_all);

}  // namespace zcb::bench

#endif  // ZCB_BENCH_ALLOCATOR_SUITE_H_
