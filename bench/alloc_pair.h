// Alloc and free, timed for one allocator. One program per allocator: two
// replacements of malloc() cannot live in one process.
#ifndef ZCB_BENCH_ALLOC_PAIR_H_
#define ZCB_BENCH_ALLOC_PAIR_H_

#include <benchmark/benchmark.h>

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace zcb::bench {

// Alloc() never fails here: the sizes are small against the memory.
template <typename M>
concept Malloc = requires(M malloc, std::size_t bytes) {
  typename M::Buffer;
  { malloc.Alloc(bytes) } -> std::same_as<typename M::Buffer>;
  malloc.Free(typename M::Buffer());
};

// One buffer at a time: what a sender that is in step with its readers does.
template <Malloc M>
void AllocFree(benchmark::State& state) {
  M malloc;
  const auto bytes = static_cast<std::size_t>(state.range(0));
  for ([[maybe_unused]] auto step : state) {
    typename M::Buffer buffer = malloc.Alloc(bytes);
    benchmark::DoNotOptimize(buffer);
    malloc.Free(buffer);
  }
}

// Many at a time, freed in the order of allocation as a ring does it; the
// figure is still that of one pair. The first batch, for which memory has to be
// committed, is not timed.
template <Malloc M>
void AllocFreeBatch(benchmark::State& state) {
  constexpr std::size_t kBatch = 64;
  M malloc;
  const auto bytes = static_cast<std::size_t>(state.range(0));
  std::array<typename M::Buffer, kBatch> buffers{};
  const auto run = [&] {
    for (auto& buffer : buffers) {
      buffer = malloc.Alloc(bytes);
      // As const: version 1.7.1 of the library spoils an element of an array
      // that it is given to change.
      benchmark::DoNotOptimize(std::as_const(buffer));
    }
    for (auto& buffer : buffers) malloc.Free(buffer);
  };
  run();
  while (state.KeepRunningBatch(kBatch)) run();
}

template <Malloc M>
int RunAllocPairs(int argc, char** argv) {
  constexpr std::array<std::int64_t, 4> kSizes = {64, 4096, 65536, 1 << 20};
  for (const std::int64_t bytes : kSizes) {
    benchmark::RegisterBenchmark("pair", AllocFree<M>)->Arg(bytes);
  }
  for (const std::int64_t bytes : kSizes) {
    benchmark::RegisterBenchmark("batch", AllocFreeBatch<M>)->Arg(bytes);
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

}  // namespace zcb::bench

#endif  // ZCB_BENCH_ALLOC_PAIR_H_
