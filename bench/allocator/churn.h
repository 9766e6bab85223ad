// Workload "churn": a server as Larson and Krishnan saw it. Two threads replace
// random buffers in an array each; then they end, and two new threads on the
// other's CPU go on with the arrays. So most buffers are freed by a thread that
// did not allocate them, and threads come and go.
//
// In the figure of one replacement: Free(), Alloc(), Pointer(), the first eight
// bytes written, the choice of slot and size (2 ns), and its share of the end
// of a thread and the start of the next. Wall time, while the two work at the
// same time. The first rounds, which fill the arrays, are not timed.
#ifndef ZCB_BENCH_ALLOCATOR_CHURN_H_
#define ZCB_BENCH_ALLOCATOR_CHURN_H_

#include <benchmark/benchmark.h>
#include <time.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "bench/allocator/chunk_figures.h"
#include "bench/allocator/malloc_concept.h"
#include "bench/allocator/random_sizes.h"
#include "bench/allocator/thread_pair.h"
#include "bench/clock.h"

namespace zcb::bench {

struct ChurnPlan {
  static constexpr std::uint32_t kSlots = 5'000;  // of each worker
  static constexpr std::size_t kLeastBytes = 8;
  static constexpr std::size_t kMostBytes = 1'000;
  static constexpr std::uint64_t kReplacements = 50'000;  // per round
  static constexpr int kWarmupRounds = 2;
  // So many are timed, or fewer if that takes long.
  static constexpr std::size_t kMostRounds = 50;
  static constexpr std::size_t kLeastRounds = 4;
  static constexpr std::uint64_t kEnoughNs = 300'000'000;
};

inline std::uint64_t ProcessCpuNs() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U +
         static_cast<std::uint64_t>(now.tv_nsec);
}

// An array that is handed from thread to thread, and all that belongs to it.
template <Malloc M>
class ChurnArray {
 public:
  ChurnArray(M& malloc, const SizeTable& sizes, std::uint64_t seed)
      : malloc_(malloc),
        sizes_(sizes),
        random_(seed),
        slots_(ChurnPlan::kSlots) {
    for (auto& slot : slots_) slot = NewBuffer();
  }
  ~ChurnArray() {
    for (const auto& slot : slots_) malloc_.Free(slot);
  }
  ChurnArray(const ChurnArray&) = delete;
  ChurnArray& operator=(const ChurnArray&) = delete;

  void Replace(std::uint64_t count) {
    for (std::uint64_t i = 0; i < count; ++i) {
      auto& slot = slots_[random_.Below(ChurnPlan::kSlots)];
      malloc_.Free(slot);
      slot = NewBuffer();
    }
  }

 private:
  typename M::Buffer NewBuffer() {
    const auto buffer = malloc_.Alloc(sizes_.Draw(random_));
    const std::uint64_t word = 1;
    std::memcpy(malloc_.Pointer(buffer), &word, sizeof(word));
    return buffer;
  }

  M& malloc_;
  const SizeTable& sizes_;
  Random random_;
  std::vector<typename M::Buffer> slots_;
};

// Of one replacement.
struct ChurnFigures {
  ChunkFigures wall;  // a chunk is a round
  double cpu_ns = 0;
};

template <Malloc M>
ChurnFigures RunChurn(PairPlaces places) {
  const SizeTable sizes =
      SizeTable::Uniform(ChurnPlan::kLeastBytes, ChurnPlan::kMostBytes);
  typename M::Home home;
  M malloc(home);
  ChurnArray<M> one(malloc, sizes, 1);
  ChurnArray<M> two(malloc, sizes, 2);
  const std::array arrays = {&one, &two};
  std::size_t turn = 0;
  const auto work_a_round = [&] {
    turn = 1 - turn;
    RunThreadPair(
        places, [&] { arrays[turn]->Replace(ChurnPlan::kReplacements); },
        [&] { arrays[1 - turn]->Replace(ChurnPlan::kReplacements); });
  };
  for (int i = 0; i < ChurnPlan::kWarmupRounds; ++i) work_a_round();
  std::vector<double> round_ns;
  const std::uint64_t cpu_before_ns = ProcessCpuNs();
  const std::uint64_t start_ns = MonotonicNs();
  std::uint64_t before_ns = start_ns;
  while (round_ns.size() < ChurnPlan::kLeastRounds ||
         (round_ns.size() < ChurnPlan::kMostRounds &&
          before_ns - start_ns < ChurnPlan::kEnoughNs)) {
    work_a_round();
    const std::uint64_t now_ns = MonotonicNs();
    round_ns.push_back(static_cast<double>(now_ns - before_ns) /
                       ChurnPlan::kReplacements);
    before_ns = now_ns;
  }
  const double replacements =
      2.0 * ChurnPlan::kReplacements * static_cast<double>(round_ns.size());
  return {ChunkFigures::Of(round_ns),
          static_cast<double>(ProcessCpuNs() - cpu_before_ns) / replacements};
}

template <Malloc M>
void Churn(benchmark::State& state) {
  const auto places = TwoCpus();
  if (!places) {
    state.SkipWithError("the two threads need a CPU each");
    return;
  }
  ChurnFigures figures;
  for ([[maybe_unused]] auto step : state) {
    figures = RunChurn<M>(*places);
    state.SetIterationTime(figures.wall.mean_ns * 1e-9);
  }
  figures.wall.Store(state);
  state.counters["cpu_ns"] = figures.cpu_ns;
}

template <Malloc M>
void RegisterChurn() {
  benchmark::RegisterBenchmark("churn", Churn<M>)
      ->Iterations(1)
      ->UseManualTime();
}

}  // namespace zcb::bench

#endif  // ZCB_BENCH_ALLOCATOR_CHURN_H_
