// fork(2): inherited handles are bad handles, and the parent is untouched.
#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "tests/cpg/abandoned_memory.h"
#include "tests/cpg/client.h"
#include "tests/support/child_process.h"

namespace zcb::cpg::testing {
namespace {

using zcb::testing::ChildProcess;
using zcb::testing::Gate;

const RegionOfThisTest region_of_this_test;

int Verdict() { return ::testing::Test::HasFailure() ? 1 : 0; }

void ExpectAllBad(cpg_handle_t handle, cpg_iteration_handle_t walk,
                  void* buffer, const void* kept) {
  int fd = -1;
  std::uint32_t size = 0;
  unsigned nodeid = 0;
  int entries = 0;
  void* pointer = nullptr;
  cpg_name name = Named("fork");
  cpg_address members[CPG_MEMBERS_MAX];
  cpg_flow_control_state_t state{};
  cpg_zcb_message message{};
  cpg_iteration_description_t item{};
  struct cpg_zcb_region_info info{};
  info.size = sizeof(info);
  EXPECT_EQ(cpg_fd_get(handle, &fd), CS_ERR_BAD_HANDLE);
  EXPECT_EQ(cpg_max_atomic_msgsize_get(handle, &size), CS_ERR_BAD_HANDLE);
  EXPECT_EQ(cpg_context_get(handle, &pointer), CS_ERR_BAD_HANDLE);
  EXPECT_EQ(cpg_context_set(handle, nullptr), CS_ERR_BAD_HANDLE);
  EXPECT_EQ(cpg_dispatch(handle, CS_DISPATCH_BLOCKING), CS_ERR_BAD_HANDLE);
  EXPECT_EQ(cpg_join(handle, &name), CS_ERR_BAD_HANDLE);
  EXPECT_EQ(cpg_leave(handle, &name), CS_ERR_BAD_HANDLE);
  EXPECT_EQ(cpg_mcast_joined(handle, CPG_TYPE_AGREED, nullptr, 0),
            CS_ERR_BAD_HANDLE);
  EXPECT_EQ(cpg_membership_get(handle, &name, members, &entries),
            CS_ERR_BAD_HANDLE);
  EXPECT_EQ(cpg_local_get(handle, &nodeid), CS_ERR_BAD_HANDLE);
  EXPECT_EQ(cpg_flow_control_state_get(handle, &state), CS_ERR_BAD_HANDLE);
  EXPECT_EQ(cpg_zcb_alloc(handle, 1, &pointer), CS_ERR_BAD_HANDLE);
  EXPECT_EQ(cpg_zcb_free(handle, buffer), CS_ERR_BAD_HANDLE);
  EXPECT_EQ(cpg_zcb_mcast_joined(handle, CPG_TYPE_AGREED, buffer, 1),
            CS_ERR_BAD_HANDLE);
  EXPECT_EQ(cpg_zcb_alloc_aligned(handle, 1, 64, &pointer), CS_ERR_BAD_HANDLE);
  cpg_iteration_handle_t another = 0;
  EXPECT_EQ(
      cpg_iteration_initialize(handle, CPG_ITERATION_ALL, nullptr, &another),
      CS_ERR_BAD_HANDLE);
  EXPECT_EQ(cpg_iteration_next(walk, &item), CS_ERR_BAD_HANDLE);
  EXPECT_EQ(cpg_iteration_finalize(walk), CS_ERR_BAD_HANDLE);
  EXPECT_EQ(cpg_zcb_retain(handle, kept), CS_ERR_BAD_HANDLE);
  EXPECT_EQ(cpg_zcb_next(handle, &message), CS_ERR_BAD_HANDLE);
  EXPECT_EQ(cpg_zcb_next_timed(handle, &message, -1), CS_ERR_BAD_HANDLE);
  unsigned count = 0;
  EXPECT_EQ(cpg_zcb_next_batch(handle, &message, 1, &count), CS_ERR_BAD_HANDLE);
  EXPECT_EQ(cpg_zcb_dispatch_timed(handle, CS_DISPATCH_BLOCKING, -1),
            CS_ERR_BAD_HANDLE);
  EXPECT_EQ(cpg_zcb_wait(handle, 0, -1), CS_ERR_BAD_HANDLE);
  EXPECT_EQ(cpg_zcb_send_fd_get(handle, &fd), CS_ERR_BAD_HANDLE);
  EXPECT_EQ(cpg_zcb_mcast_timed(handle, CPG_TYPE_AGREED, buffer, 1, -1),
            CS_ERR_BAD_HANDLE);
  EXPECT_EQ(cpg_zcb_mcastv_timed(handle, CPG_TYPE_AGREED, nullptr, 0, -1),
            CS_ERR_BAD_HANDLE);
  EXPECT_EQ(cpg_zcb_mcast_batch(handle, CPG_TYPE_AGREED, nullptr, 0, &count),
            CS_ERR_BAD_HANDLE);
  struct cpg_zcb_group_stats stats{};
  stats.size = sizeof(stats);
  EXPECT_EQ(cpg_zcb_group_stats_get(handle, &name, &stats), CS_ERR_BAD_HANDLE);
  EXPECT_EQ(cpg_zcb_describe(handle, kept, &message), CS_ERR_BAD_HANDLE);
  EXPECT_EQ(cpg_zcb_forward(handle, CPG_TYPE_AGREED, kept, 1),
            CS_ERR_BAD_HANDLE);
  std::uint64_t value = 0;
  EXPECT_EQ(cpg_zcb_option_get(handle, CPG_ZCB_OPTION_RETAIN_BYTES, &value),
            CS_ERR_BAD_HANDLE);
  EXPECT_EQ(cpg_zcb_option_set(handle, CPG_ZCB_OPTION_RETAIN_BYTES, 1),
            CS_ERR_BAD_HANDLE);
  EXPECT_EQ(cpg_zcb_region_info(handle, &info), CS_ERR_BAD_HANDLE);
  EXPECT_EQ(cpg_zcb_collect(handle), CS_ERR_BAD_HANDLE);
  EXPECT_EQ(cpg_finalize(handle), CS_ERR_BAD_HANDLE);
}

TEST(ForkTest, ChildFindsBadHandlesAndMayBeginAnew) {
  Client client(CPG_MODEL_ZCB);
  client.Enter("fork");
  const void* kept = nullptr;
  client.on_message_in_place = [&](const void* msg) {
    EXPECT_EQ(cpg_zcb_retain(client.handle, msg), CS_OK);
    kept = msg;
  };
  ASSERT_EQ(client.SendInPlace("kept"), CS_OK);
  ASSERT_EQ(client.Dispatch(), CS_OK);
  client.on_message_in_place = nullptr;
  void* buffer = nullptr;
  ASSERT_EQ(cpg_zcb_alloc(client.handle, 10, &buffer), CS_OK);
  cpg_iteration_handle_t walk = 0;
  ASSERT_EQ(cpg_iteration_initialize(client.handle, CPG_ITERATION_ALL, nullptr,
                                     &walk),
            CS_OK);
  for (const bool clean : {true, false}) {
    ChildProcess child([&] {
      ExpectAllBad(client.handle, walk, buffer, kept);
      EXPECT_EQ(cpg_zcb_release(kept), CS_ERR_BAD_HANDLE);
      auto own = std::make_unique<Client>();
      EXPECT_EQ(own->status, CS_OK);
      own->Enter("fork");
      EXPECT_EQ(own->changes[0].members.size(), 2U);
      ExpectAllBad(client.handle, walk, buffer, kept);
      EXPECT_EQ(cpg_zcb_release(kept), CS_ERR_INVALID_PARAM);
      EXPECT_EQ(own->Send("from the child"), CS_OK);
      if (clean) std::exit((own.reset(), Verdict()));
      return Verdict();
    });
    EXPECT_EQ(child.Join(), 0);
  }
  client.DispatchUntilMessages(3);
  client.DispatchUntilChanges(5);
  EXPECT_NE(client.messages[1].pid, OwnPid());
  EXPECT_EQ(client.messages[1].text, "from the child");
  EXPECT_EQ(cpg_zcb_release(kept), CS_OK);
  EXPECT_EQ(cpg_zcb_free(client.handle, buffer), CS_OK);
  EXPECT_EQ(client.SendInPlace("parent lives"), CS_OK);
  client.DispatchUntilMessages(4);
}

TEST(ForkTest, ChildThatExitsTakesNothingFromTheParent) {
  Client client;
  client.Enter("fork-exit");
  const std::size_t files = region_of_this_test.directory().CountFiles();
  ChildProcess child([] {
    std::exit(0);
    return 0;
  });
  EXPECT_EQ(child.Join(), 0);
  EXPECT_EQ(region_of_this_test.directory().CountFiles(), files);
  EXPECT_EQ(client.Send("x"), CS_OK);
  client.DispatchUntilMessages(1);
  EXPECT_EQ(client.changes.size(), 1U);
}

TEST(ForkTest, ForkInsideACallbackLeavesTheParentsDispatchInOrder) {
  Client client;
  client.Enter("fork-callback");
  client.on_message = [&](void*, std::size_t) {
    ChildProcess child([&] {
      EXPECT_EQ(client.Dispatch(), CS_ERR_BAD_HANDLE);
      Client own;
      EXPECT_EQ(own.status, CS_OK);
      return Verdict();
    });
    EXPECT_EQ(child.Join(), 0);
  };
  ASSERT_EQ(client.Send("1"), CS_OK);
  ASSERT_EQ(client.Send("2"), CS_OK);
  ASSERT_EQ(client.Dispatch(), CS_OK);
  EXPECT_EQ(client.messages.size(), 2U);
}

TEST(ForkTest, LocksHeldByThreadsOfTheParentDoNotExistInTheChild) {
  std::atomic<bool> stop{false};
  std::vector<std::thread> busy;
  for (const char* group : {"busy-1", "busy-2"}) {
    busy.emplace_back([&stop, group] {
      while (!stop) {
        Client client;
        EXPECT_EQ(client.status, CS_OK);
        (void)client.Join(group);
        (void)client.Send("x");
        (void)client.Dispatch();
      }
    });
  }
  for (int i = 0; i < 50; ++i) {
    ChildProcess child([] {
      Client client;
      EXPECT_EQ(client.status, CS_OK);
      client.Enter("fork-busy");
      EXPECT_EQ(client.Send("x"), CS_OK);
      client.DispatchUntilMessages(1);
      return Verdict();
    });
    EXPECT_EQ(child.Join(), 0);
  }
  stop = true;
  for (std::thread& thread : busy) thread.join();
}

}  // namespace
}  // namespace zcb::cpg::testing
