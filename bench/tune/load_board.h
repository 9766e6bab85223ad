// What the processes of one run tell each other, in memory that has nothing to
// do with zcb.
#ifndef ZCB_BENCH_TUNE_LOAD_BOARD_H_
#define ZCB_BENCH_TUNE_LOAD_BOARD_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "bench/tune/latency_histogram.h"

namespace zcb::bench::tune {

// Set by the parent, in this order, and looked at by everybody.
enum class Phase : std::uint32_t { kJoin, kWarmUp, kMeasure, kStop };

// One process's own; read by the parent when it has ended.
struct ProcessFigures {
  // Of the window only.
  std::uint64_t messages;
  std::uint64_t window_ns;
  std::uint64_t processor_ns;  // all of the process
  std::uint64_t sending_ns;    // of a paced sender, inside its sends
  std::uint64_t refused;
  LatencyHistogram latency;
  std::array<char, 200> failure;  // why it could not go on
};

// All-zero at first.
struct LoadBoard {
  static constexpr std::size_t kMostProcesses = 128;
  static constexpr std::size_t kLineBytes = 64;

  alignas(kLineBytes) std::atomic<std::uint32_t> ready;
  alignas(kLineBytes) std::atomic<Phase> phase;
  alignas(kLineBytes) std::array<char, 64> pages;
  alignas(kLineBytes) std::array<ProcessFigures, kMostProcesses> processes;

  // relaxed: nothing is carried with it but the time
  Phase Now() const { return phase.load(std::memory_order_relaxed); }
};

}  // namespace zcb::bench::tune

#endif  // ZCB_BENCH_TUNE_LOAD_BOARD_H_
