// Workloads "mixed/small" and "mixed/wide": random sizes replaced at random
// until the memory is as fragmented as it gets; then nine of ten are freed.
//
// Memory is the figure: resident bytes for each byte that the program asked for
// and has not freed, before and after. Resident is what has been added since
// the allocator was set up: the process's own memory and, of shared memory, all
// that lies behind the files, whoever mapped it and whether or not it is in
// use. The time is CPU time of one replacement and holds the choice of slot and
// size, and one write to each 4 KiB of the buffer.
#ifndef ZCB_BENCH_ALLOCATOR_MIXED_H_
#define ZCB_BENCH_ALLOCATOR_MIXED_H_

#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "bench/allocator/malloc_concept.h"
#include "bench/allocator/random_sizes.h"
#include "bench/allocator/resident.h"

namespace zcb::bench {

struct MixedPlan {
  const char* name;
  std::uint32_t slots;
  std::size_t least_bytes;
  std::size_t most_bytes;
  benchmark::IterationCount replacements;
};
inline constexpr MixedPlan kSmallMix{"mixed/small", 65'536, 64, 4'095,
                                     3'000'000};
inline constexpr MixedPlan kWideMix{"mixed/wide", 1'024, 64, 1 << 20, 100'000};

template <Malloc M>
class MixedLoad {
 public:
  struct Slot {
    typename M::Buffer buffer;
    std::size_t bytes;
  };

  MixedLoad(M& malloc, const MixedPlan& plan, std::span<Slot> slots)
      : malloc_(malloc),
        sizes_(SizeTable::LogUniform(plan.least_bytes, plan.most_bytes)),
        slots_(slots) {
    for (Slot& slot : slots_) Fill(slot);
  }
  ~MixedLoad() {
    for (Slot& slot : slots_) Drop(slot);
  }
  MixedLoad(const MixedLoad&) = delete;
  MixedLoad& operator=(const MixedLoad&) = delete;

  void Replace(benchmark::IterationCount count) {
    const auto end = static_cast<std::uint32_t>(slots_.size());
    for (benchmark::IterationCount i = 0; i < count; ++i) {
      Slot& slot = slots_[random_.Below(end)];
      Drop(slot);
      Fill(slot);
    }
  }
  void FreeNineOfTen() {
    for (Slot& slot : slots_) {
      if (random_.Below(10) != 0) Drop(slot);
    }
  }
  std::uint64_t live_bytes() const { return live_bytes_; }

 private:
  void Fill(Slot& slot) {
    constexpr std::size_t kPageBytes = 4096;
    slot.bytes = sizes_.Draw(random_);
    slot.buffer = malloc_.Alloc(slot.bytes);
    auto* const bytes = static_cast<unsigned char*>(
        static_cast<void*>(malloc_.Pointer(slot.buffer)));
    for (std::size_t at = 0; at < slot.bytes; at += kPageBytes) bytes[at] = 1;
    bytes[slot.bytes - 1] = 1;
    benchmark::ClobberMemory();
    live_bytes_ += slot.bytes;
  }
  void Drop(Slot& slot) {
    if (slot.bytes == 0) return;
    malloc_.Free(slot.buffer);
    live_bytes_ -= slot.bytes;
    slot.bytes = 0;
  }

  M& malloc_;
  const SizeTable sizes_;
  Random random_{1};
  const std::span<Slot> slots_;
  std::uint64_t live_bytes_ = 0;
};

// Memory in use, as this allocator is to be judged by it.
template <Malloc M>
std::uint64_t ResidentBytes(const M& malloc) {
  const Resident resident = ReadResident();
  if constexpr (HasFiles<M>) return resident.private_bytes + malloc.FileBytes();
  return resident.private_bytes + resident.shared_bytes;
}

template <Malloc M>
void Mixed(benchmark::State& state, const MixedPlan& plan) {
  using Load = MixedLoad<M>;
  const OutsideMemory memory(plan.slots * sizeof(typename Load::Slot));
  const auto slots = memory.As<typename Load::Slot>(plan.slots);
  const Resident before = ReadResident();
  const std::uint64_t before_bytes = before.private_bytes + before.shared_bytes;
  typename M::Home home;
  M malloc(home);
  Load load(malloc, plan, slots);
  while (state.KeepRunningBatch(plan.replacements)) {
    load.Replace(plan.replacements);
  }
  const auto report = [&](const char* what) {
    const std::uint64_t now = ResidentBytes(malloc);
    state.counters[what] = static_cast<double>(now - before_bytes) /
                           static_cast<double>(load.live_bytes());
  };
  state.counters["live_bytes"] = static_cast<double>(load.live_bytes());
  report("resident_per_live");
  load.FreeNineOfTen();
  report("resident_per_live_after");
}

// Memory that an earlier workload left behind would be reused: run each of
// these in a process of its own.
template <Malloc M>
void RegisterMixed() {
  for (const MixedPlan& plan : {kSmallMix, kWideMix}) {
    benchmark::RegisterBenchmark(plan.name, Mixed<M>, plan)
        ->Iterations(plan.replacements);
  }
}

}  // namespace zcb::bench

#endif  // ZCB_BENCH_ALLOCATOR_MIXED_H_
