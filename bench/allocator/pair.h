// Workloads "pair" and "batch": alloc and free in one thread.
#ifndef ZCB_BENCH_ALLOCATOR_PAIR_H_
#define ZCB_BENCH_ALLOCATOR_PAIR_H_

#include <benchmark/benchmark.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "bench/allocator/malloc_concept.h"

namespace zcb::bench {

// 64 B to 1 MiB.
inline constexpr std::array<std::int64_t, 5> kSizes = {64, 256, 4096, 65536,
                                                       1 << 20};

// One buffer at a time: what a sender that is in step with its readers does.
// The figure holds one Alloc(), Pointer() and Free(), and the loop; the memory
// is not touched. The first pair, which may set things up, is not timed.
template <Malloc M>
void AllocFree(benchmark::State& state) {
  typename M::Home home;
  M malloc(home);
  const auto bytes = static_cast<std::size_t>(state.range(0));
  malloc.Free(malloc.Alloc(bytes));
  for ([[maybe_unused]] auto step : state) {
    typename M::Buffer buffer = malloc.Alloc(bytes);
    benchmark::DoNotOptimize(malloc.Pointer(buffer));
    malloc.Free(buffer);
  }
}

// Many at a time, freed in the order of allocation as a ring does it; the
// figure is still that of one pair. The first batch, for which memory has to be
// committed, is not timed.
template <Malloc M>
void AllocFreeBatch(benchmark::State& state) {
  constexpr std::size_t kBatch = 64;
  typename M::Home home;
  M malloc(home);
  const auto bytes = static_cast<std::size_t>(state.range(0));
  std::array<typename M::Buffer, kBatch> buffers{};
  const auto run = [&] {
    for (auto& buffer : buffers) {
      buffer = malloc.Alloc(bytes);
      benchmark::DoNotOptimize(malloc.Pointer(buffer));
    }
    for (const auto& buffer : buffers) malloc.Free(buffer);
  };
  run();
  while (state.KeepRunningBatch(kBatch)) run();
}

template <Malloc M>
void RegisterPairs() {
  for (const std::int64_t bytes : kSizes) {
    benchmark::RegisterBenchmark("pair", AllocFree<M>)->Arg(bytes);
  }
  for (const std::int64_t bytes : kSizes) {
    benchmark::RegisterBenchmark("batch", AllocFreeBatch<M>)->Arg(bytes);
  }
}

}  // namespace zcb::bench

#endif  // ZCB_BENCH_ALLOCATOR_PAIR_H_
