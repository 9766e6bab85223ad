// Workload "processes": one process allocates, another one frees.
#ifndef ZCB_BENCH_ALLOCATOR_PROCESSES_H_
#define ZCB_BENCH_ALLOCATOR_PROCESSES_H_

#include <benchmark/benchmark.h>
#include <sys/mman.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <new>

#include "bench/allocator/hand_over.h"
#include "bench/allocator/malloc_concept.h"
#include "bench/allocator/pair.h"
#include "bench/failure.h"
#include "bench/process_pair.h"

namespace zcb::bench {

// A T that children of fork(2) share with this process.
template <typename T>
class SharedWithChildren {
 public:
  SharedWithChildren() {
    void* memory = mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) Fail("mmap: {}", std::strerror(errno));
    object_ = new (memory) T{};
  }
  ~SharedWithChildren() { munmap(object_, sizeof(T)); }
  SharedWithChildren(const SharedWithChildren&) = delete;
  SharedWithChildren& operator=(const SharedWithChildren&) = delete;
  T& operator*() const { return *object_; }

 private:
  T* object_;
};

inline constexpr unsigned kHandOverLimitSeconds = 120;

template <SharedMalloc M>
void BetweenProcesses(benchmark::State& state, bool written) {
  using Link = SharedWithChildren<HandOverLink<typename M::Ticket>>;
  TimeHandOvers(state, written, [](PairPlaces places, const auto& plan) {
    typename M::Home home;
    const Link link;
    const auto side = [&](Side which, const auto& exchange) {
      return [&, which, exchange](PairPage& page) {
        M malloc(home);
        RunHandOverSide(page, which, *link,
                        [&] { exchange(malloc, *link, plan); });
        // relaxed: the gates are behind us
        const bool broken = (*link).broken.load(std::memory_order_relaxed);
        if (which == Side::kFirst && !broken) malloc.Settle();
        PassGate(page, which);  // the other stays until this has been seen
      };
    };
    RunPair(places, kHandOverLimitSeconds, side(Side::kFirst, GiveMessages<M>),
            side(Side::kSecond, TakeMessages<M>));
    return (*link).figures;
  });
}

template <SharedMalloc M>
void RegisterProcesses() {
  for (const bool written : {false, true}) {
    const char* const name = written ? "processes_written" : "processes";
    for (const std::int64_t bytes : kSizes) {
      benchmark::RegisterBenchmark(name, BetweenProcesses<M>, written)
          ->Arg(bytes)
          ->Iterations(1)
          ->UseManualTime();
    }
  }
}

}  // namespace zcb::bench

#endif  // ZCB_BENCH_ALLOCATOR_PROCESSES_H_
