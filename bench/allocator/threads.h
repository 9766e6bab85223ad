// Workload "threads": one thread allocates, another one frees.
#ifndef ZCB_BENCH_ALLOCATOR_THREADS_H_
#define ZCB_BENCH_ALLOCATOR_THREADS_H_

#include <benchmark/benchmark.h>

#include <cstdint>
#include <memory>

#include "bench/allocator/hand_over.h"
#include "bench/allocator/malloc_concept.h"
#include "bench/allocator/pair.h"
#include "bench/allocator/thread_pair.h"
#include "bench/process_pair.h"

namespace zcb::bench {

template <Malloc M>
void BetweenThreads(benchmark::State& state, bool written) {
  using Owner = WithinProcess<M>;
  using Link = HandOverLink<typename Owner::Ticket>;
  TimeHandOvers(state, written, [](PairPlaces places, const auto& plan) {
    typename M::Home home;
    M malloc(home);
    Owner owner(malloc);
    auto link = std::make_unique<Link>();
    const auto page = std::make_unique<PairPage>();
    const auto side = [&](Side which, const auto& exchange) {
      return [&, which, exchange] {
        RunHandOverSide(*page, which, *link,
                        [&] { exchange(owner, *link, plan); });
      };
    };
    RunThreadPair(places, side(Side::kFirst, GiveMessages<Owner>),
                  side(Side::kSecond, TakeMessages<Owner>));
    return link->figures;
  });
}

template <Malloc M>
void RegisterThreads() {
  for (const bool written : {false, true}) {
    const char* const name = written ? "threads_written" : "threads";
    for (const std::int64_t bytes : kSizes) {
      benchmark::RegisterBenchmark(name, BetweenThreads<M>, written)
          ->Arg(bytes)
          ->Iterations(1)
          ->UseManualTime();
    }
  }
}

}  // namespace zcb::bench

#endif  // ZCB_BENCH_ALLOCATOR_THREADS_H_
