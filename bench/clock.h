// Time for measurements of tens of nanoseconds.
#ifndef ZCB_BENCH_CLOCK_H_
#define ZCB_BENCH_CLOCK_H_

#include <cstdint>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace zcb::bench {

// CLOCK_MONOTONIC: the same in every process of the machine.
std::uint64_t MonotonicNs();

// Where the processor has a time-stamp counter that runs at one rate on every
// CPU, ticks are read from it; elsewhere they are nanoseconds of
// CLOCK_MONOTONIC. Only differences mean anything.
class TickClock {
 public:
  TickClock();  // measures the counter's rate, about 20 ms
  bool uses_tsc() const { return uses_tsc_; }
  double NsPerTick() const { return ns_per_tick_; }

  // Waits for everything before it to have finished, so that a load that was
  // waited for is inside the interval.
  std::uint64_t Now() const {
#if defined(__x86_64__)
    if (uses_tsc_) {
      unsigned cpu = 0;
      return __rdtscp(&cpu);
    }
#endif
    return MonotonicNs();
  }

 private:
  bool uses_tsc_ = false;
  double ns_per_tick_ = 1.0;
};

}  // namespace zcb::bench

#endif  // ZCB_BENCH_CLOCK_H_
