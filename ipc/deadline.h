// When a call that waits has to be back.
#ifndef ZCB_IPC_DEADLINE_H_
#define ZCB_IPC_DEADLINE_H_

#include <time.h>

#include <algorithm>
#include <cstdint>
#include <limits>

namespace zcb::ipc {

inline std::int64_t NowNs() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

// A point in time of CLOCK_MONOTONIC, or never. A value.
class Deadline {
 public:
  static constexpr Deadline Never() { return Deadline(kNever); }
  // Negative: never.
  static Deadline InMs(int timeout_ms) {
    if (timeout_ms < 0) return Never();
    return InNs(std::int64_t{timeout_ms} * 1'000'000);
  }
  static Deadline InNs(std::int64_t timeout_ns) {
    const std::int64_t now_ns = NowNs();
    return Deadline(timeout_ns < kNever - now_ns ? now_ns + timeout_ns
                                                 : kNever);
  }

  bool never() const { return at_ns_ == kNever; }
  // No look at the clock if it is never.
  bool passed() const { return !never() && NowNs() >= at_ns_; }
  std::int64_t at_ns() const { return at_ns_; }
  timespec AsTimespec() const {
    return {static_cast<time_t>(at_ns_ / 1'000'000'000),
            static_cast<long>(at_ns_ % 1'000'000'000)};
  }
  // What poll(2) takes: -1 for ever, else rounded up.
  int RemainingMs() const {
    if (never()) return -1;
    const std::int64_t left_ns = std::max<std::int64_t>(at_ns_ - NowNs(), 0);
    return static_cast<int>(std::min<std::int64_t>(
        (left_ns + 999'999) / 1'000'000, std::numeric_limits<int>::max()));
  }
  friend Deadline Sooner(Deadline a, Deadline b) {
    return a.at_ns_ < b.at_ns_ ? a : b;
  }

 private:
  static constexpr std::int64_t kNever =
      std::numeric_limits<std::int64_t>::max();
  explicit constexpr Deadline(std::int64_t at_ns) : at_ns_(at_ns) {}
  std::int64_t at_ns_;
};

}  // namespace zcb::ipc

#endif  // ZCB_IPC_DEADLINE_H_
