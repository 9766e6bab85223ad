// How handles wait: every combination of looking and parking, and time limits.
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include <cstdint>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "tests/cpg/client.h"
#include "tests/support/child_process.h"

namespace zcb::cpg::testing {
namespace {

using zcb::testing::Gate;

const RegionOfThisTest region_of_this_test;

void SetOption(const Client& client, cpg_zcb_option_t option,
               std::uint64_t value) {
  ASSERT_EQ(cpg_zcb_option_set(client.handle, option, value), CS_OK);
}

class WaitTest : public ::testing::TestWithParam<std::tuple<int, int>> {
 protected:
  void Choose(const Client& client) const {
    SetOption(client, CPG_ZCB_OPTION_WAIT,
              static_cast<std::uint64_t>(std::get<0>(GetParam())));
    SetOption(client, CPG_ZCB_OPTION_PARK,
              static_cast<std::uint64_t>(std::get<1>(GetParam())));
    SetOption(client, CPG_ZCB_OPTION_SPIN_NS, 1000);
  }
};

TEST_P(WaitTest, EveryMessageWakesTheOneThatWaits) {
  constexpr std::size_t kMessages = 300;
  Client client;
  Choose(client);
  client.Enter("each");
  Gate got;
  std::thread reader([&] {
    for (std::size_t i = 1; i <= kMessages; ++i) {
      client.DispatchUntilMessages(i);
      got.Signal();
    }
  });
  for (std::size_t i = 0; i < kMessages; ++i) {
    ASSERT_EQ(client.Send(std::to_string(i)), CS_OK);
    got.Wait();
  }
  reader.join();
}

TEST_P(WaitTest, FinalizeWakesAllThatWait) {
  for (int round = 0; round < 20; ++round) {
    Client client;
    Choose(client);
    if (round % 2 == 0) client.Enter("finalized");
    std::vector<std::thread> waiters;
    for (int i = 0; i < 3; ++i) {
      waiters.emplace_back([&] {
        EXPECT_EQ(client.Dispatch(CS_DISPATCH_BLOCKING), CS_ERR_BAD_HANDLE);
      });
    }
    EXPECT_EQ(cpg_finalize(client.handle), CS_OK);
    for (std::thread& waiter : waiters) waiter.join();
  }
}

// Whoever waits learns that the handle is now another thread's to join, to
// leave with, to poll.
TEST_P(WaitTest, WaitersFollowTheHandleThroughJoinLeaveAndDescriptor) {
  for (int round = 0; round < 20; ++round) {
    Client client;
    Choose(client);
    Gate seen;
    client.on_change = [&] { seen.Signal(); };
    client.on_message = [&](void*, std::size_t) { seen.Signal(); };
    std::vector<std::thread> waiters;
    for (int i = 0; i < 2; ++i) {
      waiters.emplace_back([&] {
        EXPECT_EQ(client.Dispatch(CS_DISPATCH_BLOCKING), CS_ERR_BAD_HANDLE);
      });
    }
    for (const char* group : {"first", "second"}) {
      // The own leave was delivered, but the handle has left a moment later.
      cs_error_t joined = CS_OK;
      do {
        joined = client.Join(group);
      } while (joined == CS_ERR_TRY_AGAIN);
      ASSERT_EQ(joined, CS_OK);
      seen.Wait();
      ASSERT_EQ(client.Send("x"), CS_OK);
      seen.Wait();
      if (round % 2 == 1) {
        int fd = -1;
        EXPECT_EQ(cpg_fd_get(client.handle, &fd), CS_OK);
      }
      ASSERT_EQ(client.Send("y"), CS_OK);
      seen.Wait();
      ASSERT_EQ(client.Leave(group), CS_OK);
      seen.Wait();
    }
    EXPECT_EQ(cpg_finalize(client.handle), CS_OK);
    for (std::thread& waiter : waiters) waiter.join();
  }
}

TEST_P(WaitTest, TimeLimitsEndAWaitAndAMessageEndsItSooner) {
  Client client(CPG_MODEL_ZCB);
  Choose(client);
  cpg_zcb_message message{};
  EXPECT_EQ(cpg_zcb_next_timed(client.handle, &message, 1), CS_ERR_NOT_EXIST);
  EXPECT_EQ(cpg_zcb_dispatch_timed(client.handle, CS_DISPATCH_ONE, 1),
            CS_ERR_TIMEOUT);
  client.Enter("timed");
  for (const int timeout_ms : {0, 2}) {
    EXPECT_EQ(cpg_zcb_next_timed(client.handle, &message, timeout_ms),
              CS_ERR_TIMEOUT);
    EXPECT_EQ(
        cpg_zcb_dispatch_timed(client.handle, CS_DISPATCH_ONE, timeout_ms),
        CS_ERR_TIMEOUT);
    EXPECT_EQ(
        cpg_zcb_dispatch_timed(client.handle, CS_DISPATCH_BLOCKING, timeout_ms),
        CS_ERR_TIMEOUT);
  }
  EXPECT_EQ(cpg_zcb_dispatch_timed(client.handle, CS_DISPATCH_ALL, -1), CS_OK);
  EXPECT_EQ(
      cpg_zcb_dispatch_timed(client.handle, CS_DISPATCH_ONE_NONBLOCKING, -1),
      CS_ERR_TRY_AGAIN);
  std::thread sender([&] { EXPECT_EQ(client.SendInPlace("one"), CS_OK); });
  ASSERT_EQ(cpg_zcb_next_timed(client.handle, &message, -1), CS_OK);
  sender.join();
  EXPECT_EQ(message.length, 3U);
  EXPECT_EQ(client.SendInPlace("two"), CS_OK);
  EXPECT_EQ(cpg_zcb_dispatch_timed(client.handle, CS_DISPATCH_ONE, 0), CS_OK);
  EXPECT_EQ(client.SendInPlace("three"), CS_OK);
  EXPECT_EQ(cpg_zcb_dispatch_timed(client.handle, CS_DISPATCH_BLOCKING, 0),
            CS_ERR_TIMEOUT);
  EXPECT_EQ(client.Texts(), (std::vector<std::string>{"two", "three"}));
}

TEST_P(WaitTest, OthersCanUseTheHandleWhileOneWaits) {
  Client client;
  Choose(client);
  client.Enter("shared");
  std::thread waiter([&] {
    EXPECT_EQ(client.Dispatch(CS_DISPATCH_BLOCKING), CS_ERR_BAD_HANDLE);
  });
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(client.Dispatch(CS_DISPATCH_ALL), CS_OK);
    const cpg_name name = Named("other");
    EXPECT_EQ(cpg_join(client.handle, &name), CS_ERR_EXIST);
  }
  EXPECT_EQ(cpg_finalize(client.handle), CS_OK);
  waiter.join();
}

std::atomic<int> signals_seen{0};

TEST_P(WaitTest, SignalsDoNotEndAWait) {
#if defined(__SANITIZE_THREAD__)
  // TSAN keeps a signal for later that comes just before a system call which it
  // does not know; a thread that sleeps there would never handle it.
  if (std::get<1>(GetParam()) == CPG_ZCB_PARK_FUTEX) GTEST_SKIP() << "TSAN";
#endif
  struct sigaction action{};
  action.sa_handler = [](int) { signals_seen.fetch_add(1); };
  struct sigaction before{};
  ASSERT_EQ(sigaction(SIGUSR1, &action, &before), 0);
  Client client;
  Choose(client);
  client.Enter("signals");
  std::thread waiter([&] { client.DispatchUntilMessages(1); });
  for (int i = 0; i < 50; ++i) {
    const int seen = signals_seen.load();
    pthread_kill(waiter.native_handle(), SIGUSR1);
    while (signals_seen.load() == seen) std::this_thread::yield();
  }
  EXPECT_EQ(client.Send("x"), CS_OK);
  waiter.join();
  EXPECT_EQ(sigaction(SIGUSR1, &before, nullptr), 0);
}

INSTANTIATE_TEST_SUITE_P(
    Ways, WaitTest,
    ::testing::Combine(::testing::Values(CPG_ZCB_WAIT_ADAPTIVE,
                                         CPG_ZCB_WAIT_PARK, CPG_ZCB_WAIT_SPIN),
                       ::testing::Values(CPG_ZCB_PARK_FUTEX,
                                         CPG_ZCB_PARK_DESCRIPTOR)));

// Processor time: load makes it no longer.
std::int64_t OwnProcessorNs() {
  timespec used{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return std::int64_t{used.tv_sec} * 1'000'000'000 + used.tv_nsec;
}

TEST(TimeLimitTest, WhoeverHasNoTimeDoesNotLookAnyLonger) {
  constexpr std::int64_t kSecondNs = 1'000'000'000;
  for (const std::uint64_t wait : {CPG_ZCB_WAIT_ADAPTIVE, CPG_ZCB_WAIT_SPIN}) {
    for (const int timeout_ms : {0, 1}) {
      Client client(CPG_MODEL_ZCB);
      SetOption(client, CPG_ZCB_OPTION_WAIT, wait);
      SetOption(client, CPG_ZCB_OPTION_SPIN_NS, kSecondNs);
      client.Enter("no-time");
      const std::int64_t before_ns = OwnProcessorNs();
      for (int i = 0; i < 4; ++i) {
        cpg_zcb_message message{};
        EXPECT_EQ(cpg_zcb_next_timed(client.handle, &message, timeout_ms),
                  CS_ERR_TIMEOUT);
        EXPECT_EQ(
            cpg_zcb_dispatch_timed(client.handle, CS_DISPATCH_ONE, timeout_ms),
            CS_ERR_TIMEOUT);
      }
      EXPECT_LT(OwnProcessorNs() - before_ns, kSecondNs);
    }
  }
}

TEST(OptionTest, OptionsAreWhatWasSetAndNonsenseIsRefused) {
  Client client;
  const auto get = [&](cpg_zcb_option_t option) {
    std::uint64_t value = 12345;
    EXPECT_EQ(cpg_zcb_option_get(client.handle, option, &value), CS_OK);
    return value;
  };
  EXPECT_EQ(get(CPG_ZCB_OPTION_WAIT), std::uint64_t{CPG_ZCB_WAIT_ADAPTIVE});
  EXPECT_EQ(get(CPG_ZCB_OPTION_SPIN_NS), 20'000U);
  EXPECT_EQ(get(CPG_ZCB_OPTION_PARK), std::uint64_t{CPG_ZCB_PARK_FUTEX});
  EXPECT_EQ(get(CPG_ZCB_OPTION_EVICT_MS), 0U);
  EXPECT_EQ(get(CPG_ZCB_OPTION_SEND_TIME), 0U);
  struct {
    cpg_zcb_option_t option;
    std::uint64_t good;
    std::uint64_t bad;
  } const cases[] = {
      {CPG_ZCB_OPTION_WAIT, CPG_ZCB_WAIT_SPIN, 3},
      {CPG_ZCB_OPTION_SPIN_NS, 1'000'000'000, 1'000'000'001},
      {CPG_ZCB_OPTION_PARK, CPG_ZCB_PARK_DESCRIPTOR, 2},
      {CPG_ZCB_OPTION_EVICT_MS, 0xffff'ffff, 0x1'0000'0000},
      {CPG_ZCB_OPTION_SEND_TIME, 1, 2},
  };
  for (const auto& each : cases) {
    EXPECT_EQ(cpg_zcb_option_set(client.handle, each.option, each.bad),
              CS_ERR_INVALID_PARAM);
    EXPECT_EQ(cpg_zcb_option_set(client.handle, each.option, each.good), CS_OK);
    EXPECT_EQ(get(each.option), each.good);
  }
  for (const int none : {0, 7, -1}) {
    const auto option = static_cast<cpg_zcb_option_t>(none);
    std::uint64_t value = 0;
    EXPECT_EQ(cpg_zcb_option_set(client.handle, option, 0),
              CS_ERR_INVALID_PARAM);
    EXPECT_EQ(cpg_zcb_option_get(client.handle, option, &value),
              CS_ERR_INVALID_PARAM);
  }
  EXPECT_EQ(cpg_zcb_option_get(client.handle, CPG_ZCB_OPTION_WAIT, nullptr),
            CS_ERR_INVALID_PARAM);
  EXPECT_EQ(cpg_zcb_option_set(0, CPG_ZCB_OPTION_WAIT, 0), CS_ERR_BAD_HANDLE);
}

TEST(OptionTest, EnvironmentSetsThemForHandlesThatBeginLater) {
  struct {
    const char* variable;
    const char* good;
    cpg_zcb_option_t option;
    std::uint64_t value;
    const char* bad;
  } const cases[] = {
      {"ZCB_WAIT", "spin", CPG_ZCB_OPTION_WAIT, CPG_ZCB_WAIT_SPIN, "often"},
      {"ZCB_SPIN_NS", "5", CPG_ZCB_OPTION_SPIN_NS, 5, "5k"},
      {"ZCB_PARK", "descriptor", CPG_ZCB_OPTION_PARK, CPG_ZCB_PARK_DESCRIPTOR,
       ""},
      {"ZCB_EVICT_MS", "250", CPG_ZCB_OPTION_EVICT_MS, 250, "-1"},
      {"ZCB_SEND_TIME", "1", CPG_ZCB_OPTION_SEND_TIME, 1, "yes"},
  };
  for (const auto& each : cases) {
    setenv(each.variable, each.bad, 1);
    EXPECT_EQ(Client().status, CS_ERR_INVALID_PARAM) << each.variable;
    setenv(each.variable, each.good, 1);
    Client client;
    unsetenv(each.variable);
    std::uint64_t value = 0;
    EXPECT_EQ(cpg_zcb_option_get(client.handle, each.option, &value), CS_OK);
    EXPECT_EQ(value, each.value) << each.variable;
  }
}

}  // namespace
}  // namespace zcb::cpg::testing
