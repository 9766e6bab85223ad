// Which groups a process has joined, by their slots.
#ifndef ZCB_IPC_GROUP_SET_H_
#define ZCB_IPC_GROUP_SET_H_

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>

#include "ipc/ipc_layout.h"

namespace zcb::ipc {

// Private to the process; any thread. Only grows. A hint of where the process
// may have sent: with a thousand groups in the directory, and one of its own, a
// process does not look at a thousand words.
class GroupSet {
 public:
  void Add(std::uint32_t group_slot) {
    // relaxed: a number, of a group that the thread has found itself
    words_[group_slot / kBits].fetch_or(std::uint64_t{1} << group_slot % kBits,
                                        std::memory_order_relaxed);
  }
  template <typename Visit>
  void ForEach(Visit visit) const {
    for (std::uint32_t i = 0; i < words_.size(); ++i) {
      // relaxed: as above
      std::uint64_t left = words_[i].load(std::memory_order_relaxed);
      for (; left != 0; left &= left - 1) {
        visit(i * kBits + static_cast<std::uint32_t>(std::countr_zero(left)));
      }
    }
  }

 private:
  static constexpr std::uint32_t kBits = 64;
  std::array<std::atomic<std::uint64_t>, IpcLimits::kMaxGroups / kBits>
      words_{};
};

}  // namespace zcb::ipc

#endif  // ZCB_IPC_GROUP_SET_H_
