// What a handle's senders have asked for and could not have, in bytes.
#ifndef ZCB_CPG_MEMORY_WANTED_H_
#define ZCB_CPG_MEMORY_WANTED_H_

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "ipc/attachment.h"
#include "ipc/deadline.h"

namespace zcb::cpg {

// Any thread. Hints, of which a lost update delays one: relaxed throughout.
class MemoryWanted {
 public:
  // A message of that many bytes was refused for want of memory.
  void Refused(std::uint64_t bytes) {
    bytes = std::max<std::uint64_t>(bytes, 1);
    const std::uint64_t most = most_.load(std::memory_order_relaxed);
    const std::uint64_t least = least_.load(std::memory_order_relaxed);
    most_.store(std::max(most, bytes), std::memory_order_relaxed);
    least_.store(least == 0 ? bytes : std::min(least, bytes),
                 std::memory_order_relaxed);
  }
  // One of that many bytes was not.
  void Had(std::uint64_t bytes) {
    if (most_.load(std::memory_order_relaxed) != 0) [[unlikely]] {
      Satisfy(bytes);
    }
  }
  void Forget() {
    most_.store(0, std::memory_order_relaxed);
    least_.store(0, std::memory_order_relaxed);
  }

  bool any() const { return least_.load(std::memory_order_relaxed) != 0; }
  // Whether the largest cannot be had yet. Tries; where that has failed, not
  // again before a while has passed, since it looks at every process.
  bool LacksMost(ipc::Attachment& attachment) {
    const std::uint64_t most = most_.load(std::memory_order_relaxed);
    if (most == 0) return false;
    if (ipc::NowNs() < next_try_ns_.load(std::memory_order_relaxed)) {
      return true;
    }
    if (Tries(attachment, most)) return false;
    next_try_ns_.store(ipc::NowNs() + kTryAgainNs, std::memory_order_relaxed);
    return true;
  }
  // Whether not even the smallest can be had. Tries.
  bool LacksLeast(ipc::Attachment& attachment) {
    const std::uint64_t least = least_.load(std::memory_order_relaxed);
    return least != 0 && !Tries(attachment, least);
  }

 private:
  static constexpr std::int64_t kTryAgainNs = 1'000'000;

  // Whether so much is not lacking now (or something else is).
  bool Tries(ipc::Attachment& attachment, std::uint64_t bytes) {
    const Outcome had = attachment.TryPayload(bytes);
    if (had) Satisfy(bytes);
    return had.status() != Status::kNoMemory;
  }
  // What is larger stays wanted.
  void Satisfy(std::uint64_t bytes) {
    const std::uint64_t most = most_.load(std::memory_order_relaxed);
    if (bytes >= most) return Forget();
    if (bytes >= least_.load(std::memory_order_relaxed)) {
      least_.store(most, std::memory_order_relaxed);
    }
  }

  std::atomic<std::uint64_t> most_{0};
  std::atomic<std::uint64_t> least_{0};
  std::atomic<std::int64_t> next_try_ns_{0};
};

}  // namespace zcb::cpg

#endif  // ZCB_CPG_MEMORY_WANTED_H_
