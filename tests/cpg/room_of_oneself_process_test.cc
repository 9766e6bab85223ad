// Who waits for room that nobody but itself could make: CS_ERR_BUSY.
#include <string>
#include <thread>
#include <utility>

#include "tests/cpg/client.h"
#include "tests/cpg/full_ring.h"
#include "tests/cpg/watched_thread.h"
#include "tests/support/child_process.h"

namespace zcb::cpg::testing {
namespace {

using zcb::testing::Gate;

const RegionOfThisTest region_of_this_test;

TEST(RoomOfOneselfTest, WhoWouldWaitForItselfIsToldToDispatch) {
  Client client;
  client.Enter("self");
  while (client.Send("x") == CS_OK) {
  }
  EXPECT_EQ(cpg_zcb_wait(client.handle, 0, -1), CS_ERR_BUSY);
  iovec piece{const_cast<char*>("x"), 1};
  EXPECT_EQ(cpg_zcb_mcastv_timed(client.handle, CPG_TYPE_AGREED, &piece, 1, -1),
            CS_ERR_BUSY);
  EXPECT_EQ(client.Dispatch(), CS_OK);
  EXPECT_EQ(cpg_zcb_wait(client.handle, 0, -1), CS_OK);
}

void FillWithOwn(Client* client) {
  while (client->Send("x") == CS_OK) {
  }
}

TEST(RoomOfOneselfTest, ThreadThatHasEndedIsNobodyToWaitFor) {
  Client client;
  ASSERT_EQ(client.Join("self-ended"), CS_OK);
  std::thread([&] { EXPECT_EQ(client.Dispatch(), CS_OK); }).join();
  FillWithOwn(&client);
  EXPECT_EQ(cpg_zcb_wait(client.handle, 0, -1), CS_ERR_BUSY);
}

TEST(RoomOfOneselfTest,
     ThreadInALongDispatchCountsAlthoughAnotherHasReadSince) {
  Client client;
  client.Enter("self-long");
  Gate inside;
  Gate go_on;
  bool first = true;
  client.on_message = [&](void*, std::size_t) {
    if (!std::exchange(first, false)) return;
    inside.Signal();
    go_on.Wait();
  };
  WatchedThread dispatcher([&] {
    EXPECT_EQ(client.Dispatch(CS_DISPATCH_BLOCKING), CS_ERR_BAD_HANDLE);
  });
  dispatcher.WaitUntilAsleep();
  EXPECT_EQ(cpg_zcb_dispatch_timed(client.handle, CS_DISPATCH_ONE, 0),
            CS_ERR_TIMEOUT);
  ASSERT_EQ(client.Send("first"), CS_OK);
  inside.Wait();
  FillWithOwn(&client);
  EXPECT_EQ(cpg_zcb_wait(client.handle, 0, 0), CS_ERR_TIMEOUT)
      << "somebody is inside";
  go_on.Signal();
  EXPECT_EQ(cpg_zcb_wait(client.handle, 0, -1), CS_OK);
  EXPECT_EQ(client.Dispatch(), CS_OK);  // then no callback is left to run
  EXPECT_EQ(cpg_finalize(client.handle), CS_OK);
}

// It has the handle: whoever else is inside can do nothing for it.
TEST(RoomOfOneselfTest, CallbackIsTheOnlyReaderWhoeverElseIsInside) {
  Client client;
  client.Enter("self-callback");
  bool first = true;
  cs_error_t error = CS_OK;
  client.on_message = [&](void*, std::size_t) {
    if (!std::exchange(first, false)) return;
    FillWithOwn(&client);
    error = cpg_zcb_wait(client.handle, 0, -1);
  };
  const auto dispatch = [&] {
    EXPECT_EQ(client.Dispatch(CS_DISPATCH_ONE), CS_OK);
  };
  {
    WatchedThread one(dispatch);
    WatchedThread another(dispatch);
    one.WaitUntilAsleep();
    another.WaitUntilAsleep();
    EXPECT_EQ(cpg_zcb_dispatch_timed(client.handle, CS_DISPATCH_ONE, 0),
              CS_ERR_TIMEOUT);
    ASSERT_EQ(client.Send("x"), CS_OK);
  }
  EXPECT_EQ(error, CS_ERR_BUSY);
}

// Who sleeps is not told that it is the last one that has not read: there is no
// room.
TEST(RoomOfOneselfTest, WhoComesToWaitForItselfIsToldToDispatch) {
  LateReader reader("comes-to-it", kAll);
  Gate full;
  WatchedThread waiter([&] {
    Client client;
    client.Enter("comes-to-it");
    reader.GoAndWait();
    EXPECT_EQ(client.Send("the reader is one behind"), CS_OK);
    EXPECT_EQ(client.Dispatch(), CS_OK);
    while (client.Send("x") == CS_OK) {
    }
    // Joins go where messages do not.
    const StoppedMembers more("comes-to-it", 5);
    full.Signal();
    EXPECT_EQ(cpg_zcb_wait(client.handle, 0, -1), CS_ERR_BUSY);
  });
  full.Wait();
  waiter.WaitUntilAsleep();
  reader.GoAndWait();
  waiter.Join();
}

TEST(RoomOfOneselfTest, WithAnotherThreadThatDispatchesTheHandleOneMayWait) {
  Client client;
  client.Enter("self-threads");
  while (client.Send("x") == CS_OK) {
  }
  std::thread reader([&] {
    // One first, so that it is the reader; the ring stays nearly full.
    EXPECT_EQ(client.Dispatch(CS_DISPATCH_ONE), CS_OK);
    while (client.Send("x") == CS_OK) {
    }
  });
  reader.join();
  EXPECT_EQ(cpg_zcb_wait(client.handle, 0, 0), CS_ERR_TIMEOUT);
  std::thread again([&] { EXPECT_EQ(client.Dispatch(), CS_OK); });
  EXPECT_EQ(cpg_zcb_wait(client.handle, 0, -1), CS_OK);
  again.join();
}

}  // namespace
}  // namespace zcb::cpg::testing
