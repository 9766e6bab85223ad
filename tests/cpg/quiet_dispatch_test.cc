// A dispatch that finds nothing may skip the handle's lock: what it must not
// skip.
#include <poll.h>
#include <unistd.h>

#include <string>
#include <thread>
#include <vector>

#include "tests/cpg/client.h"

namespace zcb::cpg::testing {
namespace {

const RegionOfThisTest region_of_this_test;

bool IsReadable(int descriptor) {
  pollfd entry{descriptor, POLLIN, 0};
  return poll(&entry, 1, 0) == 1;
}

TEST(QuietDispatchTest, AnswersByItsFlagUntilSomethingComes) {
  Client client;
  client.Enter("quiet");
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(client.Dispatch(CS_DISPATCH_ALL), CS_OK);
    EXPECT_EQ(client.Dispatch(CS_DISPATCH_ONE_NONBLOCKING), CS_ERR_TRY_AGAIN);
  }
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(client.Send(std::to_string(i)), CS_OK);
    EXPECT_EQ(
        client.Dispatch(i == 1 ? CS_DISPATCH_ONE_NONBLOCKING : CS_DISPATCH_ALL),
        CS_OK);
    EXPECT_EQ(client.Dispatch(CS_DISPATCH_ONE_NONBLOCKING), CS_ERR_TRY_AGAIN);
  }
  EXPECT_EQ(client.Texts(), (std::vector<std::string>{"0", "1", "2"}));
  EXPECT_EQ(cpg_finalize(client.handle), CS_OK);
  EXPECT_EQ(client.Dispatch(CS_DISPATCH_ALL), CS_ERR_BAD_HANDLE);
}

TEST(QuietDispatchTest, DispatchOfOneWaitsNevertheless) {
  Client client;
  client.Enter("quiet-waits");
  // Often: the other thread must not be the faster one every time.
  for (std::size_t round = 1; round <= 50; ++round) {
    ASSERT_EQ(client.Dispatch(CS_DISPATCH_ALL), CS_OK);
    std::thread sender([&] { EXPECT_EQ(client.Send("x"), CS_OK); });
    EXPECT_EQ(client.Dispatch(CS_DISPATCH_ONE), CS_OK);
    EXPECT_EQ(client.messages.size(), round);
    sender.join();
  }
}

TEST(QuietDispatchTest, LeaveAndNextJoinAreSeen) {
  Client client;
  for (int round = 0; round < 3; ++round) {
    ASSERT_EQ(client.Join("quiet-rejoin"), CS_OK);
    EXPECT_EQ(client.Dispatch(), CS_OK);
    EXPECT_EQ(client.Dispatch(), CS_OK);
    ASSERT_EQ(client.Leave("quiet-rejoin"), CS_OK);
    EXPECT_EQ(client.Dispatch(), CS_OK);
    EXPECT_EQ(client.Dispatch(), CS_OK);
    EXPECT_EQ(client.changes.size(), 2U * (static_cast<unsigned>(round) + 1));
  }
}

TEST(QuietDispatchTest, LateRingIsTakenOutOfADescriptorSharedAfterwards) {
  Client client;
  client.Enter("quiet-bell");
  ASSERT_EQ(client.Dispatch(), CS_OK);
  int descriptor = -1;
  ASSERT_EQ(cpg_fd_get(client.handle, &descriptor), CS_OK);
  // As somebody does who decided to ring before we had read everything.
  ASSERT_EQ(write(descriptor, "", 1), 1);
  ASSERT_TRUE(IsReadable(descriptor));
  EXPECT_EQ(client.Dispatch(), CS_OK);
  EXPECT_FALSE(IsReadable(descriptor)) << "or the program would never sleep";
  ASSERT_EQ(client.Send("x"), CS_OK);
  EXPECT_TRUE(IsReadable(descriptor));
  EXPECT_EQ(client.Dispatch(), CS_OK);
  EXPECT_EQ(client.messages.size(), 1U);
}

TEST(QuietDispatchTest, PendingTotemCallbackIsNoQuiet) {
  Client client(CPG_MODEL_V1, CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF);
  ASSERT_EQ(client.Join("quiet-totem"), CS_OK);
  ASSERT_EQ(client.Dispatch(CS_DISPATCH_ONE), CS_OK);
  ASSERT_EQ(client.changes.size(), 1U);
  ASSERT_TRUE(client.totem_nodes.empty());
  EXPECT_EQ(client.Dispatch(CS_DISPATCH_ALL), CS_OK);
  EXPECT_EQ(client.totem_nodes.size(), 1U);
}

TEST(QuietDispatchTest, PulledMessageEndsWithTheNextCallThoughNothingCame) {
  for (const bool pulls : {true, false}) {
    Client client(CPG_MODEL_ZCB);
    client.Enter("quiet-pulled");
    ASSERT_EQ(client.SendInPlace("x"), CS_OK);
    cpg_zcb_message message{};
    ASSERT_EQ(cpg_zcb_next(client.handle, &message), CS_OK);
    const void* const data = message.data;
    // Still open: it may be kept, and let go.
    ASSERT_EQ(cpg_zcb_retain(client.handle, data), CS_OK);
    ASSERT_EQ(cpg_zcb_release(data), CS_OK);
    if (pulls) {
      EXPECT_EQ(cpg_zcb_next(client.handle, &message), CS_ERR_TRY_AGAIN);
      EXPECT_EQ(cpg_zcb_next(client.handle, &message), CS_ERR_TRY_AGAIN);
    } else {
      EXPECT_EQ(client.Dispatch(), CS_OK);
    }
    EXPECT_EQ(cpg_zcb_retain(client.handle, data), CS_ERR_INVALID_PARAM);
  }
}

TEST(QuietDispatchTest, PullWithoutAGroupIsToldSoAlsoAfterOne) {
  Client client(CPG_MODEL_ZCB);
  cpg_zcb_message message{};
  EXPECT_EQ(cpg_zcb_next(client.handle, &message), CS_ERR_NOT_EXIST);
  client.Enter("quiet-left");
  EXPECT_EQ(cpg_zcb_next(client.handle, &message), CS_ERR_TRY_AGAIN);
  ASSERT_EQ(client.Leave("quiet-left"), CS_OK);
  EXPECT_EQ(cpg_zcb_next(client.handle, &message), CS_OK);
  EXPECT_EQ(cpg_zcb_next(client.handle, &message), CS_ERR_NOT_EXIST);
}

TEST(QuietDispatchTest, DispatchInsideACallbackSeesWhatCameMeanwhile) {
  Client client;
  client.Enter("quiet-nested");
  ASSERT_EQ(client.Dispatch(), CS_OK);
  client.on_message = [&](void*, std::size_t) {
    if (client.messages.size() != 1) return;
    EXPECT_EQ(client.Dispatch(), CS_OK);
    ASSERT_EQ(client.Send("inner"), CS_OK);
    EXPECT_EQ(client.Dispatch(), CS_OK);
    EXPECT_EQ(client.messages.size(), 2U);
    EXPECT_EQ(client.Dispatch(CS_DISPATCH_ONE_NONBLOCKING), CS_ERR_TRY_AGAIN);
  };
  ASSERT_EQ(client.Send("outer"), CS_OK);
  EXPECT_EQ(client.Dispatch(), CS_OK);
  EXPECT_EQ(client.Texts(), (std::vector<std::string>{"outer", "inner"}));
}

}  // namespace
}  // namespace zcb::cpg::testing
