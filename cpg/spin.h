// Looking a little longer before going to sleep.
#ifndef ZCB_CPG_SPIN_H_
#define ZCB_CPG_SPIN_H_

#include <algorithm>
#include <cstdint>

#include "ipc/deadline.h"
#include "ipc/relax_cpu.h"

namespace zcb::cpg {

using ipc::RelaxCpu;
using ipc::SpinningHelps;

// Whether looking has paid lately. Where it does not, since events are rare, or
// since the other side needs this very processor, only every sixteenth wait
// begins with it, to see whether that has changed. One thread.
class SpinBudget {
 public:
  static constexpr std::uint32_t kPatience = 8;
  static constexpr std::uint32_t kProbeEvery = 16;

  bool ShouldSpin() {
    if (misses_ < kPatience) return true;
    return ++skipped_ % kProbeEvery == 0;
  }
  // After a spin: whether it ended the wait.
  void Note(bool paid) {
    misses_ = paid ? 0 : std::min(misses_ + 1, kPatience);
  }

 private:
  std::uint32_t misses_ = 0;  // in a row
  std::uint32_t skipped_ = 0;
};

// Calls `done` until it says true, for about `spin_ns`; its last answer.
template <typename Done>
bool SpinUntil(Done&& done, std::int64_t spin_ns) {
  if (done()) return true;
  if (spin_ns == 0 || !SpinningHelps()) return false;
  const std::int64_t end_ns = ipc::NowNs() + spin_ns;
  constexpr int kLooksPerClock = 16;
  do {
    for (int i = 0; i < kLooksPerClock; ++i) {
      RelaxCpu();
      if (done()) return true;
    }
  } while (ipc::NowNs() < end_ns);
  return false;
}

}  // namespace zcb::cpg

#endif  // ZCB_CPG_SPIN_H_
