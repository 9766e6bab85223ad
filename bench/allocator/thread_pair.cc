#include "bench/allocator/thread_pair.h"

#include <sched.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <exception>
#include <thread>

#include "bench/failure.h"

namespace zcb::bench {
std::optional<PairPlaces> TwoCpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) != 0) {
    Fail("sched_getaffinity: {}", std::strerror(errno));
  }
  if (CPU_COUNT(&set) < 2) return std::nullopt;
  const auto next = [&](int cpu) {
    while (!CPU_ISSET(static_cast<unsigned>(cpu), &set)) ++cpu;
    return cpu;
  };
  const int first = next(0);
  return PairPlaces{first, next(first + 1)};
}

void RunThreadPair(PairPlaces places, const std::function<void()>& first,
                   const std::function<void()>& second) {
  std::array<std::exception_ptr, 2> failures;
  const auto body = [&](std::size_t index, int cpu, const auto& run) {
    try {
      PinTo(cpu);
      run();
    } catch (...) {
      failures[index] = std::current_exception();
    }
  };
  {
    const std::jthread one([&] { body(0, places.first_cpu, first); });
    const std::jthread two([&] { body(1, places.second_cpu, second); });
  }
  for (const std::exception_ptr& failure : failures) {
    if (failure) std::rethrow_exception(failure);
  }
}

}  // namespace zcb::bench
