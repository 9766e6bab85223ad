// cpg_dispatch: the table of flags, and calls inside callbacks.
#include <atomic>
#include <string>
#include <thread>

#include "tests/cpg/client.h"
#include "tests/cpg/watched_thread.h"

namespace zcb::cpg::testing {
namespace {

const RegionOfThisTest region_of_this_test;

// --- flags -------------------------------------------------------------------

TEST(DispatchTest, NothingToDoIsOkForAllAndTryAgainForOneNonblocking) {
  Client client;
  EXPECT_EQ(client.Dispatch(CS_DISPATCH_ALL), CS_OK);
  EXPECT_EQ(client.Dispatch(CS_DISPATCH_ONE_NONBLOCKING), CS_ERR_TRY_AGAIN);
  client.Enter("nothing");
  EXPECT_EQ(client.Dispatch(CS_DISPATCH_ALL), CS_OK);
  EXPECT_EQ(client.Dispatch(CS_DISPATCH_ONE_NONBLOCKING), CS_ERR_TRY_AGAIN);
}

TEST(DispatchTest, OneIsExactlyOneEvent) {
  Client client;
  ASSERT_EQ(client.Join("one"), CS_OK);
  ASSERT_EQ(client.Send("a"), CS_OK);
  ASSERT_EQ(client.Send("b"), CS_OK);
  ASSERT_EQ(client.Dispatch(CS_DISPATCH_ONE), CS_OK);
  EXPECT_EQ(client.changes.size(), 1U);
  EXPECT_EQ(client.messages.size(), 0U);
  ASSERT_EQ(client.Dispatch(CS_DISPATCH_ONE_NONBLOCKING), CS_OK);
  EXPECT_EQ(client.messages.size(), 1U);
  ASSERT_EQ(client.Dispatch(CS_DISPATCH_ONE), CS_OK);
  EXPECT_EQ(client.messages.size(), 2U);
  EXPECT_EQ(client.Dispatch(CS_DISPATCH_ONE_NONBLOCKING), CS_ERR_TRY_AGAIN);
}

TEST(DispatchTest, AllTakesWhatComesMeanwhile) {
  Client client;
  client.Enter("meanwhile");
  client.on_message = [&](void*, std::size_t) {
    if (client.messages.size() < 5) {
      EXPECT_EQ(client.Send("again"), CS_OK);
    }
  };
  ASSERT_EQ(client.Send("first"), CS_OK);
  ASSERT_EQ(client.Dispatch(CS_DISPATCH_ALL), CS_OK);
  EXPECT_EQ(client.messages.size(), 5U);
}

TEST(DispatchTest, UnknownFlagsBlockAndGoOnUntilTheHandleEnds) {
  for (const int how : {int{CS_DISPATCH_BLOCKING}, 0, 5, 7}) {
    Client client;
    client.Enter("blocking");
    client.on_message = [&](void*, std::size_t) {
      if (client.messages.size() == 3) {
        EXPECT_EQ(cpg_finalize(client.handle), CS_OK);
      }
    };
    for (int i = 0; i < 5; ++i) ASSERT_EQ(client.Send("x"), CS_OK);
    EXPECT_EQ(client.Dispatch(static_cast<cs_dispatch_flags_t>(how)),
              CS_ERR_BAD_HANDLE);
    EXPECT_EQ(client.messages.size(), 3U);
  }
}

// --- calls inside callbacks --------------------------------------------------

TEST(DispatchTest, NestedDispatchDeliversWhatFollowsWithMemoryOfItsOwn) {
  for (const cpg_model_t model : {CPG_MODEL_V1, CPG_MODEL_ZCB}) {
    Client client(model);
    client.Enter("nested");
    for (const char* text : {"outer", "inner-longer", "x"}) {
      ASSERT_EQ(client.Send(text), CS_OK);
    }
    const auto nest = [&](const void* msg) {
      if (client.messages.size() != 1) return;
      EXPECT_EQ(client.Dispatch(CS_DISPATCH_ONE), CS_OK);
      EXPECT_EQ(client.Dispatch(CS_DISPATCH_ALL), CS_OK);
      EXPECT_EQ(client.messages.size(), 3U);
      EXPECT_EQ(std::string_view(static_cast<const char*>(msg), 5), "outer");
    };
    client.on_message = [&](void* msg, std::size_t) { nest(msg); };
    client.on_message_in_place = nest;
    ASSERT_EQ(client.Dispatch(CS_DISPATCH_ALL), CS_OK);
    EXPECT_EQ(client.Texts(),
              (std::vector<std::string>{"outer", "inner-longer", "x"}));
  }
}

TEST(DispatchTest, OwnLeaveInsideANestedDispatchEndsTheMembershipOnce) {
  Client client(CPG_MODEL_ZCB);
  client.Enter("nested-leave");
  client.on_message_in_place = [&](const void*) {
    EXPECT_EQ(client.Leave("nested-leave"), CS_OK);
    EXPECT_EQ(client.Dispatch(CS_DISPATCH_ALL), CS_OK);
    EXPECT_EQ(client.changes.size(), 2U);
  };
  ASSERT_EQ(client.Send("x"), CS_OK);
  ASSERT_EQ(client.Dispatch(CS_DISPATCH_ALL), CS_OK);
  EXPECT_EQ(client.Send("x"), CS_ERR_NOT_EXIST);
  cs_error_t again = CS_ERR_TRY_AGAIN;
  while (again == CS_ERR_TRY_AGAIN) again = client.Join("nested-leave");
  EXPECT_EQ(again, CS_OK);
}

TEST(DispatchTest, EveryQuestionMayBeAskedInsideACallback) {
  Client client;
  client.Enter("ask");
  client.on_message = [&](void*, std::size_t) {
    unsigned nodeid = 0;
    cpg_address members[CPG_MEMBERS_MAX];
    int entries = 0;
    int fd = -1;
    cpg_name name = Named("ask");
    EXPECT_EQ(cpg_local_get(client.handle, &nodeid), CS_OK);
    EXPECT_EQ(cpg_membership_get(client.handle, &name, members, &entries),
              CS_OK);
    EXPECT_EQ(entries, 1);
    EXPECT_EQ(cpg_fd_get(client.handle, &fd), CS_OK);
    cpg_iteration_handle_t walk = 0;
    cpg_iteration_description_t item{};
    EXPECT_EQ(cpg_iteration_initialize(client.handle, CPG_ITERATION_ONE_GROUP,
                                       &name, &walk),
              CS_OK);
    EXPECT_EQ(cpg_iteration_next(walk, &item), CS_OK);
    EXPECT_EQ(item.pid, OwnPid());
    EXPECT_EQ(cpg_iteration_finalize(walk), CS_OK);
    cpg_flow_control_state_t flow{};
    EXPECT_EQ(cpg_flow_control_state_get(client.handle, &flow), CS_OK);
    std::uint32_t size = 0;
    EXPECT_EQ(cpg_max_atomic_msgsize_get(client.handle, &size), CS_OK);
    EXPECT_EQ(client.Leave("ask"), CS_OK);
  };
  ASSERT_EQ(client.Send("x"), CS_OK);
  ASSERT_EQ(client.Dispatch(), CS_OK);
  EXPECT_EQ(client.changes.size(), 2U);
}

TEST(DispatchTest, FinalizeInsideACallbackIsTheLastCallback) {
  for (const cs_dispatch_flags_t how :
       {CS_DISPATCH_ONE, CS_DISPATCH_ALL, CS_DISPATCH_BLOCKING,
        CS_DISPATCH_ONE_NONBLOCKING}) {
    Client client;
    client.Enter("finalize-inside");
    client.on_message = [&](void* msg, std::size_t) {
      EXPECT_EQ(cpg_finalize(client.handle), CS_OK);
      EXPECT_EQ(cpg_finalize(client.handle), CS_ERR_BAD_HANDLE);
      EXPECT_EQ(client.Send("x"), CS_ERR_BAD_HANDLE);
      *static_cast<char*>(msg) = 'y';
    };
    ASSERT_EQ(client.Send("1"), CS_OK);
    ASSERT_EQ(client.Send("2"), CS_OK);
    EXPECT_EQ(client.Dispatch(how), CS_ERR_BAD_HANDLE);
    EXPECT_EQ(client.messages.size(), 1U);
  }
}

TEST(DispatchTest, FinalizeByAnotherThreadDuringACallbackIsItsLast) {
  for (const cs_dispatch_flags_t how :
       {CS_DISPATCH_ONE, CS_DISPATCH_ALL, CS_DISPATCH_BLOCKING,
        CS_DISPATCH_ONE_NONBLOCKING}) {
    Client client;
    client.Enter("finalize-meanwhile");
    client.on_message = [&](void*, std::size_t) {
      // It waits for nobody, so it can be waited for here.
      std::thread([&] {
        EXPECT_EQ(cpg_finalize(client.handle), CS_OK);
      }).join();
    };
    ASSERT_EQ(client.Send("1"), CS_OK);
    ASSERT_EQ(client.Send("2"), CS_OK);
    EXPECT_EQ(client.Dispatch(how), CS_ERR_BAD_HANDLE);
    EXPECT_EQ(client.messages.size(), 1U);
  }
}

TEST(DispatchTest, SendsInsideCallbacksAreDeliveredLaterNeverInside) {
  for (const cpg_model_t model : {CPG_MODEL_V1, CPG_MODEL_ZCB}) {
    Client client(model);
    int inside = 0;
    const auto send_once = [&](std::size_t so_far) {
      EXPECT_EQ(++inside, 1) << "a callback inside a callback";
      if (so_far <= 3) {
        EXPECT_EQ(client.Send("again"), CS_OK);
      }
      --inside;
    };
    client.on_change = [&] { send_once(client.changes.size()); };
    client.on_message = [&](void*, std::size_t) {
      send_once(client.messages.size());
    };
    client.on_message_in_place = [&](const void*) {
      send_once(client.messages.size());
    };
    ASSERT_EQ(client.Join("send-inside"), CS_OK);
    ASSERT_EQ(client.Dispatch(CS_DISPATCH_ALL), CS_OK);
    EXPECT_EQ(client.messages.size(), 4U);
  }
}

TEST(DispatchTest, JoinInsideACallbackIsJudgedLikeAnyOther) {
  Client client;
  Client other;
  client.Enter("join-inside");
  client.on_message = [&](void*, std::size_t) {
    EXPECT_EQ(client.Join("join-inside"), CS_ERR_EXIST);
    EXPECT_EQ(client.Join("join-inside-2"), CS_ERR_EXIST);
    EXPECT_EQ(other.Join("join-inside"), CS_ERR_EXIST);
    EXPECT_EQ(other.Join("join-inside-2"), CS_OK);
    EXPECT_EQ(other.Dispatch(CS_DISPATCH_ALL), CS_OK);
  };
  ASSERT_EQ(client.Send("x"), CS_OK);
  ASSERT_EQ(client.Dispatch(), CS_OK);
  EXPECT_EQ(other.changes.size(), 1U);
}

TEST(DispatchTest, MessageStaysAsItIsUntilItsCallbackReturns) {
  for (const cpg_model_t model : {CPG_MODEL_V1, CPG_MODEL_ZCB}) {
    Client client(model);
    client.Enter("stays");
    const std::string text(1000, 'm');
    const auto check = [&](const void* msg) {
      if (client.messages.size() != 1) return;
      // Nobody can overwrite it, however much is sent and delivered meanwhile.
      std::size_t sent = 0;
      while (client.Send(std::string(1000, 'o')) == CS_OK) ++sent;
      EXPECT_GT(sent, 100U);
      EXPECT_EQ(client.Dispatch(CS_DISPATCH_ALL), CS_OK);
      EXPECT_EQ(client.messages.size(), sent + 1);
      EXPECT_TRUE(std::string_view(static_cast<const char*>(msg), 1000) ==
                  text);
    };
    client.on_message = [&](void* msg, std::size_t) { check(msg); };
    client.on_message_in_place = check;
    ASSERT_EQ(client.Send(text), CS_OK);
    ASSERT_EQ(client.Dispatch(), CS_OK);
  }
}

// What a callback may wait for is done by the others all the same.
TEST(DispatchTest, OtherThreadsLeaveAndAskAndSendWhileACallbackRuns) {
  for (const cpg_model_t model : {CPG_MODEL_V1, CPG_MODEL_ZCB}) {
    Client client(model);
    int fd = -1;
    ASSERT_EQ(cpg_fd_get(client.handle, &fd), CS_OK);
    client.Enter("meanwhile-leave");
    const auto wait_for_others = [&] {
      std::thread([&] {
        int again = -1;
        EXPECT_EQ(cpg_fd_get(client.handle, &again), CS_OK);
        EXPECT_EQ(again, fd);
        EXPECT_EQ(client.Send("x"), CS_OK);
        EXPECT_EQ(client.Leave("another"), CS_ERR_NOT_EXIST);
        EXPECT_EQ(client.Leave("meanwhile-leave"), CS_OK);
        EXPECT_EQ(client.Leave("meanwhile-leave"), CS_ERR_NOT_EXIST);
        EXPECT_EQ(client.Send("x"), CS_ERR_NOT_EXIST);
      }).join();
    };
    bool first = true;
    const auto once = [&] {
      if (first) wait_for_others();
      first = false;
    };
    client.on_message = [&](void*, std::size_t) { once(); };
    client.on_message_in_place = [&](const void*) { once(); };
    ASSERT_EQ(client.Send("x"), CS_OK);
    ASSERT_EQ(client.Dispatch(), CS_OK);
    EXPECT_EQ(client.messages.size(), 2U);
    ASSERT_EQ(client.changes.size(), 2U);
    EXPECT_EQ(client.changes[1].reason, CPG_REASON_LEAVE);
    EXPECT_EQ(client.Leave("meanwhile-leave"), CS_ERR_NOT_EXIST);
  }
}

TEST(DispatchTest, TwoCallbacksLeaveTheGroupsOfEachOther) {
  Client clients[2];
  const char* const groups[2] = {"cross-a", "cross-b"};
  std::atomic<int> inside{0};
  for (int i = 0; i < 2; ++i) {
    clients[i].Enter(groups[i]);
    clients[i].on_message = [&, other = 1 - i](void*, std::size_t) {
      ++inside;
      while (inside != 2) std::this_thread::yield();
      EXPECT_EQ(clients[other].Leave(groups[other]), CS_OK);
    };
    ASSERT_EQ(clients[i].Send("x"), CS_OK);
  }
  std::thread second([&] { EXPECT_EQ(clients[1].Dispatch(), CS_OK); });
  EXPECT_EQ(clients[0].Dispatch(), CS_OK);
  second.join();
  for (Client& client : clients) {
    ASSERT_EQ(client.Dispatch(), CS_OK);
    EXPECT_EQ(client.changes.size(), 2U);
  }
}

TEST(DispatchTest, NothingArrivesAfterTheOwnLeave) {
  for (const cpg_model_t model : {CPG_MODEL_V1, CPG_MODEL_ZCB}) {
    Client client(model);
    Client successor(model);
    client.Enter("after-leave");
    ASSERT_EQ(client.Send("before"), CS_OK);
    ASSERT_EQ(client.Leave("after-leave"), CS_OK);
    ASSERT_EQ(successor.Join("after-leave"), CS_OK);
    ASSERT_EQ(successor.Send("after"), CS_OK);
    ASSERT_EQ(client.Dispatch(), CS_OK);
    EXPECT_EQ(client.Texts(), std::vector<std::string>{"before"});
    ASSERT_EQ(client.changes.size(), 2U);
    EXPECT_EQ(client.changes[1].left, std::vector<std::uint32_t>{OwnPid()});
    ASSERT_EQ(successor.Send("later"), CS_OK);
    EXPECT_EQ(client.Dispatch(CS_DISPATCH_ONE_NONBLOCKING), CS_ERR_TRY_AGAIN);
    EXPECT_EQ(client.changes.size(), 2U);
  }
}

// --- the table of flags and states -------------------------------------------

enum class Before : std::uint8_t { kNotJoined, kNothing, kPending };

struct Cell {
  int how;
  Before before;
  // What happens at once; CS_ERR_INTERRUPT stands for: it waits.
  int at_once;
  std::size_t events;  // of three pending
};

constexpr int kWaits = CS_ERR_INTERRUPT;
constexpr Cell kTable[] = {
    {CS_DISPATCH_ONE, Before::kNotJoined, kWaits, 0},
    {CS_DISPATCH_ONE, Before::kNothing, kWaits, 0},
    {CS_DISPATCH_ONE, Before::kPending, CS_OK, 1},
    {CS_DISPATCH_ALL, Before::kNotJoined, CS_OK, 0},
    {CS_DISPATCH_ALL, Before::kNothing, CS_OK, 0},
    {CS_DISPATCH_ALL, Before::kPending, CS_OK, 3},
    {CS_DISPATCH_BLOCKING, Before::kNotJoined, kWaits, 0},
    {CS_DISPATCH_BLOCKING, Before::kNothing, kWaits, 0},
    {CS_DISPATCH_BLOCKING, Before::kPending, kWaits, 3},
    {CS_DISPATCH_ONE_NONBLOCKING, Before::kNotJoined, CS_ERR_TRY_AGAIN, 0},
    {CS_DISPATCH_ONE_NONBLOCKING, Before::kNothing, CS_ERR_TRY_AGAIN, 0},
    {CS_DISPATCH_ONE_NONBLOCKING, Before::kPending, CS_OK, 1},
    // Unknown values are BLOCKING, never CS_ERR_INVALID_PARAM.
    {0, Before::kNotJoined, kWaits, 0},
    {0, Before::kNothing, kWaits, 0},
    {0, Before::kPending, kWaits, 3},
    {5, Before::kPending, kWaits, 3},
    {-1, Before::kPending, kWaits, 3},
    {1000, Before::kNothing, kWaits, 0},
};

TEST(DispatchTableTest, EveryFlagInEveryState) {
  for (const cpg_model_t model : {CPG_MODEL_V1, CPG_MODEL_ZCB}) {
    for (const bool has_descriptor : {false, true}) {
      for (const Cell& cell : kTable) {
        SCOPED_TRACE("flag " + std::to_string(cell.how) + ", state " +
                     std::to_string(static_cast<int>(cell.before)));
        Client client(model);
        int fd = -1;
        if (has_descriptor) {
          ASSERT_EQ(cpg_fd_get(client.handle, &fd), CS_OK);
        }
        if (cell.before != Before::kNotJoined) client.Enter("table");
        if (cell.before == Before::kPending) {
          for (int i = 0; i < 3; ++i) ASSERT_EQ(client.Send("x"), CS_OK);
        }
        std::atomic<int> returned{kWaits};
        WatchedThread thread([&] {
          returned =
              client.Dispatch(static_cast<cs_dispatch_flags_t>(cell.how));
        });
        thread.WaitUntilAsleep();
        if (cell.at_once == kWaits) {
          EXPECT_EQ(returned, kWaits) << "did not wait";
          EXPECT_EQ(cpg_finalize(client.handle), CS_OK);
          thread.Join();
          EXPECT_EQ(returned, CS_ERR_BAD_HANDLE);
        } else {
          thread.Join();
          EXPECT_EQ(returned, cell.at_once);
        }
        EXPECT_EQ(client.messages.size(), cell.events);
      }
    }
  }
}

TEST(DispatchTableTest, OneThatWaitsUnjoinedGetsTheJoinOfAnotherThread) {
  Client client;
  WatchedThread thread(
      [&] { EXPECT_EQ(client.Dispatch(CS_DISPATCH_ONE), CS_OK); });
  thread.WaitUntilAsleep();
  ASSERT_EQ(client.Join("later"), CS_OK);
  thread.Join();
  EXPECT_EQ(client.changes.size(), 1U);
}

}  // namespace
}  // namespace zcb::cpg::testing
