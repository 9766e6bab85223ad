#include "bench/cpg/call_cases.h"

#include <corosync/cpg.h>
#include <sys/uio.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bench/cpg/client.h"
#include "bench/cpg/crowd.h"

namespace zcb::bench {
namespace {

// Enough that reading the clock is below a hundredth of a nanosecond each.
constexpr std::uint32_t kFast = 1000;
// For calls of a microsecond and more.
constexpr std::uint32_t kSlow = 20;

class Joined {
 public:
  explicit Joined(const std::string& group) : handle_(Initialize()) {
    Join(handle_, Named(group));
  }
  ~Joined() { (void)cpg_finalize(handle_); }
  Joined(const Joined&) = delete;
  Joined& operator=(const Joined&) = delete;
  cpg_handle_t handle() const { return handle_; }

 private:
  cpg_handle_t handle_;
};

}  // namespace

void TimeLifecycle(const TickClock& clock, const CallOptions& options,
                   const Report& report) {
  const cpg_name group = Named("bench-cycle");
  Samples initialize, join, join_enter, enter, leave, finalize, finalize_joined;
  const auto since = [&clock](std::uint64_t start, std::uint64_t end) {
    return static_cast<double>(end - start) * clock.NsPerTick();
  };
  // One more at first, which is not counted.
  for (std::size_t cycle = 0; cycle <= options.cycles; ++cycle) {
    const std::uint64_t start = clock.Now();
    const cpg_handle_t handle = Initialize();
    const std::uint64_t initialized = clock.Now();
    Check(cpg_join(handle, &group), "cpg_join");
    const std::uint64_t joined = clock.Now();
    DispatchOneChange(handle);
    const std::uint64_t entered = clock.Now();
    Check(cpg_leave(handle, &group), "cpg_leave");
    DispatchOneChange(handle);
    const std::uint64_t left = clock.Now();
    Check(cpg_finalize(handle), "cpg_finalize");
    const std::uint64_t finalized = clock.Now();

    const cpg_handle_t other = Initialize();
    Join(other, group);
    const std::uint64_t before_end = clock.Now();
    Check(cpg_finalize(other), "cpg_finalize");
    const std::uint64_t ended = clock.Now();
    if (cycle == 0) continue;
    initialize.Add(since(start, initialized));
    join.Add(since(initialized, joined));
    join_enter.Add(since(initialized, entered));
    enter.Add(since(start, entered));
    leave.Add(since(entered, left));
    finalize.Add(since(left, finalized));
    finalize_joined.Add(since(before_end, ended));
  }
  report("initialize+join+confchg", enter.Figures());
  report("cpg_initialize", initialize.Figures());
  report("cpg_join", join.Figures());
  report("join+confchg", join_enter.Figures());
  report("leave+confchg", leave.Figures());
  report("cpg_finalize", finalize.Figures());
  report("cpg_finalize, joined", finalize_joined.Figures());
}

void TimeHandleCalls(const TickClock& clock, const CallOptions& options,
                     const Report& report) {
  const Joined joined("bench-calls");
  const cpg_handle_t handle = joined.handle();
  const auto empty_dispatch = [handle] {
    Check(cpg_dispatch(handle, CS_DISPATCH_ALL), "cpg_dispatch");
  };
  report("empty dispatch",
         TimeCalls(clock, options.samples, kFast, empty_dispatch));
  report("cpg_context_get", TimeCalls(clock, options.samples, kFast, [handle] {
           void* context = nullptr;
           Check(cpg_context_get(handle, &context), "cpg_context_get");
         }));
  // A round trip to the daemon, if there is one.
  report("cpg_local_get", TimeCalls(clock, options.samples, kSlow, [handle] {
           unsigned node_id = 0;
           Check(cpg_local_get(handle, &node_id), "cpg_local_get");
         }));
  report("cpg_flow_control_state_get",
         TimeCalls(clock, options.samples, kFast, [handle] {
           cpg_flow_control_state_t state{};
           Check(cpg_flow_control_state_get(handle, &state),
                 "cpg_flow_control_state_get");
         }));
  // From the first of these on the descriptor is out, which changes what a
  // dispatch has to do.
  report("cpg_fd_get", TimeCalls(clock, options.samples, kFast, [handle] {
           int descriptor = -1;
           Check(cpg_fd_get(handle, &descriptor), "cpg_fd_get");
         }));
  report("empty dispatch, descriptor out",
         TimeCalls(clock, options.samples, kSlow, empty_dispatch));
}

void TimeMembershipCalls(const TickClock& clock, const CallOptions& options,
                         const Report& report) {
  const Joined alone("bench-alone");
  const Joined few(Crowd::kSmallGroup);
  const Joined many(Crowd::kLargeGroup);
  const auto members_of = [&](const char* group_name, const char* call) {
    cpg_name group = Named(group_name);
    std::array<cpg_address, CPG_MEMBERS_MAX> members;
    report(call, TimeCalls(clock, options.samples, kSlow, [&] {
             int count = CPG_MEMBERS_MAX;
             Check(cpg_membership_get(alone.handle(), &group, members.data(),
                                      &count),
                   "cpg_membership_get");
           }));
  };
  members_of("bench-alone", "cpg_membership_get, 1 member");
  members_of(Crowd::kSmallGroup, "cpg_membership_get, 16 members");
  members_of(Crowd::kLargeGroup, "cpg_membership_get, 128 members");

  // With the three above.
  constexpr std::size_t kGroups = 16;
  std::vector<std::unique_ptr<Joined>> others;
  for (std::size_t i = 3; i < kGroups; ++i) {
    others.push_back(
        std::make_unique<Joined>("bench-walk-" + std::to_string(i)));
  }
  report("iteration over 16 names",
         TimeCalls(clock, options.samples, kSlow, [&] {
           cpg_iteration_handle_t walk = 0;
           Check(cpg_iteration_initialize(
                     alone.handle(), CPG_ITERATION_NAME_ONLY, nullptr, &walk),
                 "cpg_iteration_initialize");
           cpg_iteration_description_t item;
           std::size_t seen = 0;
           while (cpg_iteration_next(walk, &item) == CS_OK) ++seen;
           Check(cpg_iteration_finalize(walk), "cpg_iteration_finalize");
           if (seen < kGroups) Fail("{} groups, not {}", seen, kGroups);
         }));
}

void TimeMessageCalls(const TickClock& clock, const CallOptions& options,
                      const Report& report) {
  const Joined joined("bench-messages");
  const cpg_handle_t handle = joined.handle();
  const auto pair = [&](std::size_t bytes, const char* call) {
    report(call, TimeCalls(clock, options.samples, kSlow, [handle, bytes] {
             void* buffer = nullptr;
             Check(cpg_zcb_alloc(handle, bytes, &buffer), "cpg_zcb_alloc");
             Check(cpg_zcb_free(handle, buffer), "cpg_zcb_free");
           }));
  };
  pair(64, "alloc+free, 64 B");
  pair(4096, "alloc+free, 4 KiB");
  std::array<char, 64> bytes{};
  const iovec piece{bytes.data(), bytes.size()};
  report("own message, 64 B", TimeCalls(clock, options.samples, kSlow, [&] {
           const std::uint64_t before = arrivals.messages;
           Check(cpg_mcast_joined(handle, CPG_TYPE_AGREED, &piece, 1),
                 "cpg_mcast_joined");
           while (arrivals.messages == before) {
             Check(cpg_dispatch(handle, CS_DISPATCH_ONE), "cpg_dispatch");
           }
         }));
}

}  // namespace zcb::bench
