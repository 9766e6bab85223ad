// Workloads "threads" and "processes": one side allocates, the other frees.
//
// In the figure of one message: Alloc(), Pointer(), the ring, Free(), and what
// the allocator demands of a hand-over (Give, Take) between processes.
// "Written" means that the giver writes the first eight bytes and the taker
// checks them; otherwise nobody touches the memory. Wall time, from the moment
// when one message has been freed to that when the next one has; the start, for
// which memory has to be committed, is not timed.
#ifndef ZCB_BENCH_ALLOCATOR_HAND_OVER_H_
#define ZCB_BENCH_ALLOCATOR_HAND_OVER_H_

#include <benchmark/benchmark.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <vector>

#include "bench/allocator/chunk_figures.h"
#include "bench/allocator/malloc_concept.h"
#include "bench/allocator/spsc_ring.h"
#include "bench/allocator/thread_pair.h"
#include "bench/clock.h"
#include "bench/failure.h"
#include "bench/floor.h"
#include "bench/process_pair.h"

namespace zcb::bench {

struct HandOverPlan {
  std::size_t bytes;
  bool written;

  static constexpr std::uint64_t kWarmupChunks = 8;
  // So many are timed, or fewer if that takes long.
  static constexpr std::uint64_t kMostChunks = 64;
  static constexpr std::uint64_t kLeastChunks = 4;
  static constexpr std::uint64_t kEnoughNs = 200'000'000;
  // Many times the window, many magazines; about half a millisecond. Large
  // ones are fewer: some allocators take microseconds for them.
  std::uint64_t chunk() const { return bytes <= 4096 ? 8'192 : 256; }
  // Buffers that may be under way: at most 8 MiB, but never only a few.
  std::uint64_t window() const {
    constexpr std::uint64_t kMostBytes = 8 << 20;
    constexpr std::uint64_t kLeast = 16;
    return std::clamp(kMostBytes / bytes, kLeast, SpscRing<int>::kSlots);
  }
};

struct HandOverFigures {
  ChunkFigures message;  // filled in by the taker
  // A cache line's way from one side to the other, before and after; filled in
  // by the giver. Virtual CPUs move, and then nothing can be compared.
  double floor_before_ns = 0;
  double floor_after_ns = 0;
};

// Between the two sides, in memory that both see.
template <typename Ticket>
struct HandOverLink {
  SpscRing<Ticket> ring;
  // The taker has had enough; the giver ends its chunk and says how many
  // messages there were in all.
  std::atomic<bool> enough{false};
  std::atomic<std::uint64_t> given{kNotYet};
  // One side has failed: whoever waits for the other one asks.
  std::atomic<bool> broken{false};
  HandOverFigures figures;
  static constexpr std::uint64_t kNotYet = ~std::uint64_t{0};
};

// Among the threads of a process a buffer needs no ticket.
template <Malloc M>
class WithinProcess {
 public:
  using Buffer = typename M::Buffer;
  using Ticket = Buffer;
  explicit WithinProcess(M& malloc) : malloc_(malloc) {}
  Buffer Alloc(std::size_t bytes) { return malloc_.Alloc(bytes); }
  void Free(Buffer buffer) { malloc_.Free(buffer); }
  auto Pointer(Buffer buffer) { return malloc_.Pointer(buffer); }
  Ticket Give(Buffer buffer) { return buffer; }
  Buffer Take(Ticket ticket) { return ticket; }

 private:
  M& malloc_;
};

template <typename Ticket>
void WaitABit(const HandOverLink<Ticket>& link) {
  // relaxed: a flag and nothing else
  if (link.broken.load(std::memory_order_relaxed)) {
    Fail("the other side failed");
  }
  Relax();
}

template <typename M>
void GiveMessages(M& malloc, HandOverLink<typename M::Ticket>& link,
                  const HandOverPlan& plan) {
  const std::uint64_t window = plan.window();
  std::uint64_t number = 0;
  // relaxed: a flag and nothing else
  while (!link.enough.load(std::memory_order_relaxed)) {
    for (std::uint64_t i = 0; i < plan.chunk(); ++i, ++number) {
      const auto buffer = malloc.Alloc(plan.bytes);
      auto* const pointer = malloc.Pointer(buffer);
      benchmark::DoNotOptimize(pointer);
      if (plan.written) std::memcpy(pointer, &number, sizeof(number));
      const auto ticket = malloc.Give(buffer);
      while (!link.ring.TryPush(ticket, window)) WaitABit(link);
    }
  }
  // relaxed: a number and nothing else
  link.given.store(number, std::memory_order_relaxed);
}

// One side's end of the ring: takes messages, checks them and frees them.
template <typename M>
class Taker {
 public:
  Taker(M& malloc, HandOverLink<typename M::Ticket>& link,
        const HandOverPlan& plan)
      : malloc_(malloc), link_(link), plan_(plan) {}

  void TakeChunk() {
    for (std::uint64_t i = 0; i < plan_.chunk(); ++i) {
      while (!TryTake()) WaitABit(link_);
    }
  }
  void TakeTheRest() {
    // relaxed: a number and nothing else
    while (number_ != link_.given.load(std::memory_order_relaxed)) {
      if (!TryTake()) WaitABit(link_);
    }
  }

 private:
  bool TryTake() {
    typename M::Ticket ticket{};
    if (!link_.ring.TryPop(ticket)) return false;
    const auto buffer = malloc_.Take(ticket);
    const auto* const pointer = malloc_.Pointer(buffer);
    benchmark::DoNotOptimize(pointer);
    if (plan_.written && std::memcmp(pointer, &number_, sizeof(number_)) != 0) {
      Fail("message {} came damaged or out of order", number_);
    }
    malloc_.Free(buffer);
    ++number_;
    return true;
  }

  M& malloc_;
  HandOverLink<typename M::Ticket>& link_;
  const HandOverPlan& plan_;
  std::uint64_t number_ = 0;
};

template <typename M>
void TakeMessages(M& malloc, HandOverLink<typename M::Ticket>& link,
                  const HandOverPlan& plan) {
  Taker<M> taker(malloc, link, plan);
  for (std::uint64_t i = 0; i < HandOverPlan::kWarmupChunks; ++i) {
    taker.TakeChunk();
  }
  std::vector<double> message_ns;
  const std::uint64_t start_ns = MonotonicNs();
  std::uint64_t before_ns = start_ns;
  while (message_ns.size() < HandOverPlan::kLeastChunks ||
         (message_ns.size() < HandOverPlan::kMostChunks &&
          before_ns - start_ns < HandOverPlan::kEnoughNs)) {
    taker.TakeChunk();
    const std::uint64_t now_ns = MonotonicNs();
    message_ns.push_back(static_cast<double>(now_ns - before_ns) /
                         static_cast<double>(plan.chunk()));
    before_ns = now_ns;
  }
  link.figures.message = ChunkFigures::Of(message_ns);
  // relaxed: a flag and nothing else
  link.enough.store(true, std::memory_order_relaxed);
  taker.TakeTheRest();
}

// One side of a run: attached, together with the other side, from floor to
// floor. A failure is thrown at the end only, because the other side would wait
// for ever at the gates.
template <typename Link, typename Exchange>
void RunHandOverSide(PairPage& page, Side side, Link& link,
                     const Exchange& exchange) {
  const TickClock clock;
  const Floor before = MeasureFloor(page, side, clock);
  PassGate(page, side);
  std::exception_ptr failure;
  try {
    exchange();
  } catch (...) {
    // Who failed because the other did says nothing. relaxed: a flag
    if (!link.broken.exchange(true, std::memory_order_relaxed)) {
      failure = std::current_exception();
    }
  }
  PassGate(page, side);
  const Floor after = MeasureFloor(page, side, clock);
  if (failure) std::rethrow_exception(failure);
  if (side == Side::kSecond) return;
  link.figures.floor_before_ns = before.one_line_ns;
  link.figures.floor_after_ns = after.one_line_ns;
}

// Both workloads: `run` is one run, and there is one.
template <typename Run>
void TimeHandOvers(benchmark::State& state, bool written, const Run& run) {
  const auto places = TwoCpus();
  if (!places) {
    state.SkipWithError("the two sides need a CPU each");
    return;
  }
  const HandOverPlan plan{static_cast<std::size_t>(state.range(0)), written};
  HandOverFigures figures;
  for ([[maybe_unused]] auto step : state) {
    figures = run(*places, plan);
    state.SetIterationTime(figures.message.mean_ns * 1e-9);
  }
  const auto [low, high] =
      std::minmax(figures.floor_before_ns, figures.floor_after_ns);
  figures.message.Store(state);
  state.counters["floor_ns"] = (low + high) / 2;
  state.counters["floor_drift"] = high / low - 1;
}

}  // namespace zcb::bench

#endif  // ZCB_BENCH_ALLOCATOR_HAND_OVER_H_
