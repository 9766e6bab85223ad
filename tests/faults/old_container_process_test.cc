// Kernels and containers that refuse newer system calls: it works without them,
// or says so.
#include <corosync/cpg.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "tests/faults/cpg_life.h"
#include "tests/faults/cpg_world.h"
#include "tests/faults/listed_errors.h"
#include "tests/support/child_process.h"
#include "tests/support/refused_calls.h"

namespace zcb::faults {
namespace {

using zcb::testing::ChildProcess;
using zcb::testing::Gate;
using zcb::testing::RefuseCalls;
using zcb::testing::RefusedCall;

constexpr int kNoFilter = 77;

// Newer than the headers of the oldest system that we build on.
constexpr long kFaccessat2 = 439;
constexpr long kFutexWaitv = 449;
constexpr long kCachestat = 451;
constexpr long kPidfdOpen = 434;
constexpr std::uint32_t kPopulateRead = 22;
constexpr std::uint32_t kPopulateWrite = 23;
constexpr std::uint32_t kCollapse = 25;

struct Case {
  const char* name;
  std::initializer_list<RefusedCall> calls;
  bool works;
};

// What a life under that filter ends with, where it makes the region and where
// it only attaches.
int LiveUnder(const Case& refused) {
  if (!RefuseCalls(refused.calls)) _exit(kNoFilter);
  const Life life = Live();
  if (!life.wrong.empty()) {
    std::fprintf(stderr, "%s: %s\n", refused.name, life.wrong.c_str());
    _exit(1);
  }
  std::exit(life.IsWhole() == refused.works ? 0 : 2);
}

void Expect(const std::vector<Case>& cases) {
  (void)IsListed("", 0);
  for (const bool creates : {true, false}) {
    EmptyWorld empty;
    std::unique_ptr<KeptWorld> kept;
    if (!creates) kept = std::make_unique<KeptWorld>();
    World& world = creates ? static_cast<World&>(empty) : *kept;
    for (const Case& refused : cases) {
      ChildProcess child([&refused] { return LiveUnder(refused); });
      const int end = child.Join();
      if (end == kNoFilter) GTEST_SKIP() << "not run: needs seccomp";
      EXPECT_EQ(end, 0) << refused.name << (creates ? ", alone" : "");
      EXPECT_EQ(world.Check({}), "") << refused.name;
    }
  }
}

TEST(OldContainerTest, NewerCallsAreNotNeeded) {
  Expect({
      {"pidfd_open, unknown", {{kPidfdOpen, ENOSYS}}, true},
      {"pidfd_open, forbidden", {{kPidfdOpen, EPERM}}, true},
      {"membarrier, unknown", {{SYS_membarrier, ENOSYS}}, true},
      {"membarrier, forbidden", {{SYS_membarrier, EPERM}}, true},
      {"futex_waitv", {{kFutexWaitv, ENOSYS}}, true},
      {"memfd_create", {{SYS_memfd_create, ENOSYS}}, true},
      {"cachestat", {{kCachestat, EPERM}}, true},
      {"mbind", {{SYS_mbind, EPERM}}, true},
      {"getrandom", {{SYS_getrandom, ENOSYS}}, true},
      {"faccessat2", {{kFaccessat2, EPERM}}, true},
      {"mlock2", {{SYS_mlock2, ENOSYS}}, true},
      {"madvise, newer kinds",
       {{SYS_madvise, EINVAL, kPopulateRead},
        {SYS_madvise, EINVAL, kPopulateWrite},
        {SYS_madvise, EINVAL, kCollapse}},
       true},
      {"all of these",
       {{kPidfdOpen, EPERM},
        {SYS_membarrier, EPERM},
        {kFutexWaitv, EPERM},
        {SYS_memfd_create, EPERM},
        {kCachestat, EPERM},
        {SYS_mbind, EPERM},
        {kFaccessat2, EPERM},
        {SYS_mlock2, EPERM},
        {SYS_madvise, EINVAL, kPopulateRead},
        {SYS_madvise, EINVAL, kPopulateWrite},
        {SYS_madvise, EINVAL, kCollapse}},
       true},
  });
}

// With neither pidfds nor FIFOs to hang up one is asked by the clock.
TEST(OldContainerTest, DeathIsNoticedWithoutPidfds) {
  EmptyWorld world;
  Gate joined;
  Gate never;
  cpg_name group{};
  group.length = static_cast<std::uint32_t>(std::strlen(kGroupName));
  std::memcpy(group.value, kGroupName, group.length);
  ChildProcess victim([&] {
    cpg_handle_t handle = 0;
    if (cpg_initialize(&handle, nullptr) != CS_OK ||
        cpg_join(handle, &group) != CS_OK) {
      return 1;
    }
    joined.Signal();
    never.Wait();
    return 0;
  });
  joined.Wait();
  Gate ready;
  ChildProcess waiter([&] {
    if (!RefuseCalls({{kPidfdOpen, EPERM}})) {
      ready.Signal();
      _exit(kNoFilter);
    }
    static bool is_down = false;
    cpg_callbacks_t callbacks{};
    callbacks.cpg_confchg_fn =
        [](cpg_handle_t, const cpg_name*, const cpg_address*, std::size_t,
           const cpg_address* left, std::size_t left_count, const cpg_address*,
           std::size_t) {
          is_down = left_count == 1 && left->reason == CPG_REASON_PROCDOWN;
        };
    cpg_handle_t handle = 0;
    if (cpg_initialize(&handle, &callbacks) != CS_OK ||
        cpg_join(handle, &group) != CS_OK) {
      ready.Signal();
      _exit(1);
    }
    ready.Signal();
    while (!is_down) {
      if (cpg_dispatch(handle, CS_DISPATCH_ONE) != CS_OK) _exit(2);
    }
    std::exit(0);
    return 0;
  });
  ready.Wait();
  victim.Kill();
  victim.Join();
  const int end = waiter.Join();
  if (end == kNoFilter) GTEST_SKIP() << "not run: needs seccomp";
  EXPECT_EQ(end, 0);
}

}  // namespace
}  // namespace zcb::faults
