// Threads that wait for room, and what else may happen to them: signals,
// cancellation, an eviction of their own.
#include <pthread.h>
#include <signal.h>
#include <sys/uio.h>

#include <atomic>
#include <string>

#include "tests/cpg/client.h"
#include "tests/cpg/full_ring.h"
#include "tests/cpg/watched_thread.h"

namespace zcb::cpg::testing {
namespace {

const RegionOfThisTest region_of_this_test;

std::atomic<int> g_handled{0};

void CountSignals() {
  struct sigaction action{};
  action.sa_handler = [](int) { ++g_handled; };  // and no SA_RESTART
  ASSERT_EQ(sigaction(SIGUSR1, &action, nullptr), 0);
}

TEST(RoomInterruptTest, HandledSignalDoesNotEndAWait) {
  CountSignals();
  for (const std::string way : {"wait", "timedv", "timed"}) {
    const std::string group = "signal-" + way;
    LateReader reader(group, kAll);
    Client client(CPG_MODEL_ZCB);
    client.Enter(group);
    Fill(&client);
    void* buffer = nullptr;
    ASSERT_EQ(cpg_zcb_alloc(client.handle, 1, &buffer), CS_OK);
    WatchedThread waiter([&] {
      const iovec piece{const_cast<char*>("x"), 1};
      EXPECT_EQ(way == "wait" ? cpg_zcb_wait(client.handle, 0, -1)
                : way == "timedv"
                    ? cpg_zcb_mcastv_timed(client.handle, CPG_TYPE_AGREED,
                                           &piece, 1, -1)
                    : cpg_zcb_mcast_timed(client.handle, CPG_TYPE_AGREED,
                                          buffer, 1, -1),
                CS_OK);
    });
    for (int i = 0; i < 20; ++i) {
      waiter.WaitUntilAsleep();
      ASSERT_FALSE(waiter.ended());
      const int before = g_handled;
      waiter.Signal(SIGUSR1);
      while (g_handled == before) {
      }
    }
    waiter.WaitUntilAsleep();
    ASSERT_FALSE(waiter.ended());
    reader.GoAndWait();
    waiter.Join();
    if (way != "timed") {
      EXPECT_EQ(cpg_zcb_free(client.handle, buffer), CS_OK);
    }
  }
}

TEST(RoomInterruptTest, ThreadCancelledInItsSleepLeavesTheWaitInOrder) {
  LateReader reader("cancelled", kAll);
  Client client;
  client.Enter("cancelled");
  Fill(&client);
  std::atomic<bool> returned{false};
  {
    WatchedThread waiter([&] {
      (void)cpg_zcb_wait(client.handle, 0, -1);
      returned = true;
    });
    waiter.WaitUntilAsleep();
    waiter.Cancel();
  }
  EXPECT_FALSE(returned);
  EXPECT_EQ(cpg_zcb_wait(client.handle, 0, 1), CS_ERR_TIMEOUT);
  reader.GoAndWait();
  EXPECT_EQ(cpg_zcb_wait(client.handle, 0, -1), CS_OK);
  EXPECT_EQ(cpg_finalize(client.handle), CS_OK);
}

// Refused for room, and asleep in poll(2): it would wait for ever.
TEST(RoomInterruptTest, DescriptorTellsItsOwnerThatItWasPutOut) {
  Gate refused;
  ChildProcess evicted([&] {
    Client client;
    client.Enter("put-out");
    const int fd = SendFd(client);
    while (client.Send("x") == CS_OK) {
    }
    EXPECT_FALSE(IsReadable(fd));
    refused.Signal();
    EXPECT_TRUE(IsReadable(fd, -1));
    EXPECT_EQ(client.Send("x"), CS_ERR_LIBRARY);
    return ::testing::Test::HasFailure() ? 1 : 0;
  });
  refused.Wait();
  Client client;
  client.Enter("put-out");
  ASSERT_EQ(cpg_zcb_option_set(client.handle, CPG_ZCB_OPTION_EVICT_MS, 20),
            CS_OK);
  cs_error_t error = CS_ERR_TRY_AGAIN;
  while (error == CS_ERR_TRY_AGAIN) error = client.Send("y");
  EXPECT_EQ(error, CS_OK);
  EXPECT_EQ(evicted.Join(), 0);
}

}  // namespace
}  // namespace zcb::cpg::testing
