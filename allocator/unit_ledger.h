// How many units one process has, against its quota.
#ifndef ZCB_ALLOCATOR_UNIT_LEDGER_H_
#define ZCB_ALLOCATOR_UNIT_LEDGER_H_

#include <atomic>
#include <cstdint>

#include "allocator/status.h"

namespace zcb::alloc {

// Counts the units that a process owns, those of its extents included. Any
// thread, lock-free; private, so it goes with the process.
class UnitLedger {
 public:
  static constexpr std::uint64_t kNoQuota = ~std::uint64_t{0};
  static constexpr Failure kOverQuota{Status::kNoMemory,
                                      "over this process's quota"};

  explicit UnitLedger(std::uint64_t quota_units) : quota_units_(quota_units) {}

  // Before units are taken. False: they would be more than the quota, and
  // nothing is counted.
  bool TryTake(std::uint32_t units) {
    // relaxed: a count; no memory hangs on it
    std::uint64_t held = held_units_.load(std::memory_order_relaxed);
    do {
      if (units > quota_units_ || held > quota_units_ - units) return false;
    } while (!held_units_.compare_exchange_weak(held, held + units,
                                                std::memory_order_relaxed,
                                                std::memory_order_relaxed));
    return true;
  }
  // They are no longer ours, or never were.
  void Give(std::uint32_t units) {
    // relaxed: a count
    held_units_.fetch_sub(units, std::memory_order_relaxed);
  }
  // The same for units that are free for anybody now.
  void GiveBack(std::uint32_t units) {
    Give(units);
    // relaxed: a count
    returned_units_.fetch_add(units, std::memory_order_relaxed);
  }

  std::uint64_t held_units() const {
    // relaxed: a count
    return held_units_.load(std::memory_order_relaxed);
  }
  // Only grows: the clock of those who look after what became free.
  std::uint64_t returned_units() const {
    // relaxed: a count
    return returned_units_.load(std::memory_order_relaxed);
  }

 private:
  const std::uint64_t quota_units_;
  std::atomic<std::uint64_t> held_units_{0};
  std::atomic<std::uint64_t> returned_units_{0};
};

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_UNIT_LEDGER_H_
