#include "bench/clock.h"

#include <time.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace zcb::bench {
namespace {

constexpr std::uint64_t kCalibrationNs = 20'000'000;

bool HasInvariantTsc() {
#if defined(__x86_64__)
  constexpr unsigned kAdvancedPowerLeaf = 0x8000'0007;
  constexpr unsigned kInvariantTscBit = 1U << 8;
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid(kAdvancedPowerLeaf, &a, &b, &c, &d) != 0 &&
         (d & kInvariantTscBit) != 0;
#else
  return false;
#endif
}

}  // namespace

std::uint64_t MonotonicNs() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U +
         static_cast<std::uint64_t>(now.tv_nsec);
}

TickClock::TickClock() : uses_tsc_(HasInvariantTsc()) {
  if (!uses_tsc_) return;
  const std::uint64_t start_ns = MonotonicNs();
  const std::uint64_t start = Now();
  std::uint64_t end_ns = start_ns;
  while (end_ns - start_ns < kCalibrationNs) end_ns = MonotonicNs();
  const std::uint64_t end = Now();
  ns_per_tick_ =
      static_cast<double>(end_ns - start_ns) / static_cast<double>(end - start);
}

}  // namespace zcb::bench
