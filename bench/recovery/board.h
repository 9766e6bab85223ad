// What the processes of one run tell each other, in memory of their own that
// has nothing to do with zcb: who is ready, whom to watch, when who was told.
#ifndef ZCB_BENCH_RECOVERY_BOARD_H_
#define ZCB_BENCH_RECOVERY_BOARD_H_

#include <sys/types.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "bench/processes/shared_count.h"

namespace zcb::bench {

struct Board {
  static constexpr std::size_t kMostWaiters = 128;

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
