// The options of one handle: cpg_zcb_option_set(), and where they start.
#ifndef ZCB_CPG_HANDLE_OPTIONS_H_
#define ZCB_CPG_HANDLE_OPTIONS_H_

#include <corosync/cpg_zcb.h>

#include <atomic>
#include <cstdint>

#include "allocator/status.h"
#include "ipc/member.h"

namespace zcb::cpg {

// What the environment says: ZCB_WAIT, ZCB_SPIN_NS, ZCB_PARK, ZCB_EVICT_MS,
// ZCB_SEND_TIME. (ZCB_RETAIN_BYTES is the attachment's, see ipc::IpcOptions.)
struct HandleOptionValues {
  cpg_zcb_wait_t wait = CPG_ZCB_WAIT_ADAPTIVE;
  // About what it costs to be woken on another core: spinning as long as that
  // costs at most twice what the better of the two choices would have.
  std::uint32_t spin_ns = 20'000;
  cpg_zcb_park_t park = CPG_ZCB_PARK_FUTEX;
  std::uint32_t evict_ms = 0;
  bool send_time = false;

  // kInvalidParam: a variable makes no sense.
  static Result<HandleOptionValues> FromEnvironment();
};

// Any thread. Each option is a value of its own, read when it is needed: no
// order among them, nothing is carried with them (relaxed throughout).
class HandleOptions {
 public:
  static constexpr std::uint32_t kMaxSpinNs = 1'000'000'000;

  explicit HandleOptions(const HandleOptionValues& values)
      : wait_(values.wait),
        spin_ns_(values.spin_ns),
        park_(values.park),
        evict_ms_(values.evict_ms),
        send_time_(values.send_time) {}

  // kInvalidParam: no such option here, or no such value.
  // `option`: a cpg_zcb_option_t, or any other number.
  Outcome Set(int option, std::uint64_t value);
  Result<std::uint64_t> Get(int option) const;

  // relaxed, all of these: see above
  cpg_zcb_wait_t wait() const { return wait_.load(std::memory_order_relaxed); }
  // How long to look before sleeping; 0: not at all.
  std::uint32_t spin_ns() const {
    return wait() == CPG_ZCB_WAIT_PARK
               ? 0
               : spin_ns_.load(std::memory_order_relaxed);
  }
  cpg_zcb_park_t park() const { return park_.load(std::memory_order_relaxed); }
  std::uint32_t evict_ms() const {
    return evict_ms_.load(std::memory_order_relaxed);
  }
  ipc::SendOptions send() const {
    return {evict_ms(), send_time_.load(std::memory_order_relaxed)};
  }

 private:
  std::atomic<cpg_zcb_wait_t> wait_;
  std::atomic<std::uint32_t> spin_ns_;
  std::atomic<cpg_zcb_park_t> park_;
  std::atomic<std::uint32_t> evict_ms_;
  std::atomic<bool> send_time_;
};

}  // namespace zcb::cpg

#endif  // ZCB_CPG_HANDLE_OPTIONS_H_
