// Kept messages that any thread of the process lets go of.
#ifndef ZCB_TESTS_STORM_KEPT_POOL_H_
#define ZCB_TESTS_STORM_KEPT_POOL_H_

#include <corosync/cpg_zcb.h>

#include <cstddef>
#include <mutex>
#include <optional>
#include <vector>

#include "tests/order/dice.h"

namespace zcb::storm {

struct KeptMessage {
  const void* bytes = nullptr;
  std::size_t length_bytes = 0;
};

// Threads: any.
class KeptPool {
 public:
  static constexpr std::size_t kMost = 12;

  // False, and not taken: there are enough.
  bool Add(const KeptMessage& message) {
    const std::lock_guard lock(mutex_);
    if (kept_.size() >= kMost) return false;
    kept_.push_back(message);
    return true;
  }
  // One of them, to be let go of, or to be added again.
  std::optional<KeptMessage> TakeOut(order::Dice* dice) {
    const std::lock_guard lock(mutex_);
    if (kept_.empty()) return std::nullopt;
    std::swap(kept_[dice->Below(static_cast<std::uint32_t>(kept_.size()))],
              kept_.back());
    const KeptMessage message = kept_.back();
    kept_.pop_back();
    return message;
  }

 private:
  std::mutex mutex_;
  std::vector<KeptMessage> kept_;
};

}  // namespace zcb::storm

#endif  // ZCB_TESTS_STORM_KEPT_POOL_H_
