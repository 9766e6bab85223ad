// What the processes of one run tell each other, in memory of their own that
// has nothing to do with zcb: who is ready, whom to watch, when who was told.
#ifndef ZCB_BENCH_RECOVERY_BOARD_H_
#define ZCB_BENCH_RECOVERY_BOARD_H_

#include <sys/types.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace zcb::bench {

// A count that a process can sleep on until it has grown. Between processes.
class SharedCount {
 public:
  std::uint32_t value() const { return word_.load(std::memory_order_acquire); }
  void Set(std::uint32_t value) {
    word_.store(value, std::memory_order_release);
    WakeAll();
  }
  // Adds one, and wakes who waits only when the count reaches `last`: the
  // others are not to be woken for nothing while something is timed.
  void Add(std::uint32_t last);
  void WaitWhile(std::uint32_t value) const;
  // Throws Failed after `limit_s` seconds: somebody hangs.
  void WaitFor(std::uint32_t value, const char* what, int limit_s = 60) const;

 private:
  void WakeAll();
  std::atomic<std::uint32_t> word_{0};
};

struct Board {
  static constexpr std::size_t kMostWaiters = 128;

  // Made before anybody is forked; all zero. Lives as long as the process.
  static Board* Make();

  // When each member, or bare waiter, was told; of the kill at hand.
  std::array<std::atomic<std::uint64_t>, kMostWaiters> told_ns;
  std::atomic<std::uint32_t> expected;  // how many are to be told
  SharedCount told;
  SharedCount has_seen_join;  // members that have delivered the victim's join
  SharedCount ready;          // processes that wait for what comes
  SharedCount order;          // raised when bare waiters are to look
  std::atomic<std::uint32_t> watchers;  // how many of them
  std::atomic<pid_t> victim;
  // The observer's.
  std::atomic<std::uint32_t> dead_slot;
  std::atomic<std::uint32_t> dead_generation;
  std::atomic<std::uint64_t> unlocked_ns;
  std::atomic<std::uint64_t> freed_ns;
  SharedCount observe;
  SharedCount observed;

  void Tell(std::size_t index, std::uint64_t now_ns) {
    told_ns[index].store(now_ns, std::memory_order_relaxed);
    told.Add(expected.load(std::memory_order_relaxed));
  }
};

}  // namespace zcb::bench

#endif  // ZCB_BENCH_RECOVERY_BOARD_H_
