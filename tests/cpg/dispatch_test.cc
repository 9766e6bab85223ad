// cpg_dispatch: the table of flags, nesting, the descriptor.
#include <poll.h>
#include <unistd.h>

#include <string>

#include "tests/cpg/client.h"

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

// --- calls inside callbacks
// ----------------------------------------------------

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

TEST(DispatchTest, NestedDispatchInAConfigurationChangeKeepsItsLists) {
  Client client;
  ASSERT_EQ(client.Join("nested-view"), CS_OK);
  ASSERT_EQ(client.Leave("nested-view"), CS_OK);
  client.on_change = [&] {
    if (client.changes.size() == 1) {
      EXPECT_EQ(client.Dispatch(CS_DISPATCH_ALL), CS_OK);
      EXPECT_EQ(client.changes.size(), 2U);
    }
  };
  ASSERT_EQ(client.Dispatch(CS_DISPATCH_ALL), CS_OK);
  EXPECT_EQ(client.Join("nested-view"), CS_OK);
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

// --- descriptor
// ----------------------------------------------------------------

bool Readable(int fd) {
  pollfd entry{fd, POLLIN, 0};
  const int ready = poll(&entry, 1, 0);
  EXPECT_GE(ready, 0);
  EXPECT_EQ(entry.revents & ~POLLIN, 0);
  return ready == 1;
}

TEST(DescriptorTest, ReadableExactlyWhileThereIsSomethingToDispatch) {
  for (const cpg_model_t model : {CPG_MODEL_V1, CPG_MODEL_ZCB}) {
    Client client(model);
    int fd = -1;
    ASSERT_EQ(cpg_fd_get(client.handle, &fd), CS_OK);
    EXPECT_FALSE(Readable(fd));
    ASSERT_EQ(client.Join("readable"), CS_OK);
    EXPECT_TRUE(Readable(fd));
    ASSERT_EQ(client.Dispatch(CS_DISPATCH_ONE), CS_OK);
    EXPECT_FALSE(Readable(fd));
    for (int round = 0; round < 50; ++round) {
      for (int i = 0; i < 3; ++i) ASSERT_EQ(client.Send("x"), CS_OK);
      for (int i = 0; i < 3; ++i) {
        ASSERT_TRUE(Readable(fd));
        ASSERT_EQ(client.Dispatch(round % 2 == 0 ? CS_DISPATCH_ONE
                                                 : CS_DISPATCH_ONE_NONBLOCKING),
                  CS_OK);
      }
      ASSERT_FALSE(Readable(fd));
    }
    ASSERT_EQ(client.Send("x"), CS_OK);
    ASSERT_EQ(client.Leave("readable"), CS_OK);
    EXPECT_TRUE(Readable(fd));
    ASSERT_EQ(client.Dispatch(), CS_OK);
    EXPECT_FALSE(Readable(fd));
    EXPECT_EQ(client.messages.size(), 151U);
  }
}

TEST(DescriptorTest, AskedForWithEventsPendingItIsReadable) {
  Client client;
  ASSERT_EQ(client.Join("late-fd"), CS_OK);
  int fd = -1;
  ASSERT_EQ(cpg_fd_get(client.handle, &fd), CS_OK);
  EXPECT_TRUE(Readable(fd));
  ASSERT_EQ(client.Dispatch(), CS_OK);
  EXPECT_FALSE(Readable(fd));
}

TEST(DescriptorTest, TotemCallbackThatIsDueMakesItReadable) {
  Client client(CPG_MODEL_V1, CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF);
  int fd = -1;
  ASSERT_EQ(cpg_fd_get(client.handle, &fd), CS_OK);
  ASSERT_EQ(client.Join("totem-fd"), CS_OK);
  ASSERT_EQ(client.Dispatch(CS_DISPATCH_ONE), CS_OK);
  EXPECT_TRUE(Readable(fd));
  ASSERT_EQ(client.Dispatch(CS_DISPATCH_ONE), CS_OK);
  EXPECT_EQ(client.totem_nodes.size(), 1U);
  EXPECT_FALSE(Readable(fd));
}

TEST(DescriptorTest, PullingEmptiesItToo) {
  Client client(CPG_MODEL_ZCB);
  client.Enter("pull-fd");
  int fd = -1;
  ASSERT_EQ(cpg_fd_get(client.handle, &fd), CS_OK);
  ASSERT_EQ(client.Send("a"), CS_OK);
  ASSERT_EQ(client.Send("b"), CS_OK);
  cpg_zcb_message message{};
  ASSERT_EQ(cpg_zcb_next(client.handle, &message), CS_OK);
  EXPECT_TRUE(Readable(fd));
  ASSERT_EQ(cpg_zcb_next(client.handle, &message), CS_OK);
  EXPECT_FALSE(Readable(fd));
  EXPECT_EQ(cpg_zcb_next(client.handle, &message), CS_ERR_TRY_AGAIN);
  EXPECT_FALSE(Readable(fd));
}

TEST(DescriptorTest, RingWithoutAnEventIsOneDispatchWithoutACallback) {
  Client client;
  client.Enter("spurious");
  int fd = -1;
  ASSERT_EQ(cpg_fd_get(client.handle, &fd), CS_OK);
  const char byte = 1;
  ASSERT_EQ(write(fd, &byte, 1), 1);  // as a ringer that came too late does
  EXPECT_EQ(client.Dispatch(CS_DISPATCH_ONE), CS_OK);
  EXPECT_TRUE(client.messages.empty());
  EXPECT_FALSE(Readable(fd));
  ASSERT_EQ(write(fd, &byte, 1), 1);
  EXPECT_EQ(client.Dispatch(CS_DISPATCH_ALL), CS_OK);
  EXPECT_FALSE(Readable(fd));
}

}  // namespace
}  // namespace zcb::cpg::testing
