// What Corosync's library gets wrong and ours does not, one test for each; in
// one process. The rest is in fix_list_process_test.cc.
#include <pthread.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/cpg/client.h"
#include "tests/cpg/watched_thread.h"

namespace zcb::cpg::testing {
namespace {

const RegionOfThisTest region_of_this_test;

class FixListTest : public ::testing::TestWithParam<cpg_model_t> {};

TEST_P(FixListTest, HandleThatLeftGetsNothingMoreAndRejoinsTheSameGroup) {
  Client client(GetParam());
  client.Enter("same");
  for (std::size_t round = 1; round <= 5; ++round) {
    ASSERT_EQ(client.Leave("same"), CS_OK);
    ASSERT_EQ(client.Dispatch(), CS_OK);
    ASSERT_EQ(client.changes.size(), 2 * round);
    EXPECT_EQ(client.Dispatch(CS_DISPATCH_ONE_NONBLOCKING), CS_ERR_TRY_AGAIN);
    ASSERT_EQ(client.Join("same"), CS_OK);
    ASSERT_EQ(client.Send("x"), CS_OK);
    ASSERT_EQ(client.Dispatch(), CS_OK);
    EXPECT_EQ(client.messages.size(), round);
    EXPECT_EQ(client.changes.back().members,
              std::vector<std::uint32_t>{OwnPid()});
  }
}

TEST_P(FixListTest, HandleThatLeftJoinsAnotherGroup) {
  Client stays(CPG_MODEL_V1);
  Client client(GetParam());
  client.Enter("one");
  ASSERT_EQ(client.Leave("one"), CS_OK);
  ASSERT_EQ(client.Dispatch(), CS_OK);
  stays.Enter("one");
  ASSERT_EQ(client.Join("other"), CS_OK);
  ASSERT_EQ(stays.Send("not for it"), CS_OK);
  ASSERT_EQ(client.Send("x"), CS_OK);
  ASSERT_EQ(client.Dispatch(), CS_OK);
  EXPECT_EQ(client.Texts(), std::vector<std::string>{"x"});
  EXPECT_EQ(client.messages[0].group, "other");
  EXPECT_EQ(client.changes.back().group, "other");
}

TEST_P(FixListTest, LeaveWithAWrongNameIsNotExistAndEvictsNobody) {
  Client client(GetParam());
  Client other(GetParam());
  client.Enter("mine");
  other.Enter("yours");  // this process is a member there, too
  for (const char* wrong : {"yours", "nobodys", "", "min", "mine "}) {
    EXPECT_EQ(client.Leave(wrong), CS_ERR_NOT_EXIST) << wrong;
  }
  for (Client* each : {&client, &other}) {
    ASSERT_EQ(each->Send("still here"), CS_OK);
    ASSERT_EQ(each->Dispatch(), CS_OK);
    EXPECT_EQ(each->changes.size(), 1U);
    EXPECT_EQ(each->messages.size(), 1U);
  }
  for (const char* group : {"mine", "yours"}) {
    cpg_name name = Named(group);
    cpg_address members[CPG_MEMBERS_MAX];
    int count = 0;
    ASSERT_EQ(cpg_membership_get(client.handle, &name, members, &count), CS_OK);
    EXPECT_EQ(count, 1);
  }
  EXPECT_EQ(client.Leave("mine"), CS_OK);
}

TEST_P(FixListTest, GroupWithoutANameIsAGroupLikeAnyOther) {
  auto client = std::make_unique<Client>(GetParam());
  const Client witness;
  cpg_name name = Named("");
  cpg_address members[CPG_MEMBERS_MAX];
  int count = -1;
  client->Enter("");
  ASSERT_EQ(client->Send("x"), CS_OK);
  client->DispatchUntilMessages(1);
  EXPECT_EQ(client->messages[0].group, "");
  EXPECT_EQ(client->Leave("x"), CS_ERR_NOT_EXIST);
  ASSERT_EQ(client->Leave(""), CS_OK);
  ASSERT_EQ(client->Dispatch(), CS_OK);
  ASSERT_EQ(client->Join(""), CS_OK);
  client.reset();
  ASSERT_EQ(cpg_membership_get(witness.handle, &name, members, &count), CS_OK);
  EXPECT_EQ(count, 0) << "a ghost";
}

TEST_P(FixListTest, AnyNumberOfPiecesMakesOneMessage) {
  Client client(GetParam());
  client.Enter("pieces");
  for (const std::size_t count :
       {0U, 1U, 2U, 63U, 64U, 65U, 127U, 128U, 1023U, 1024U, 1025U, 100000U}) {
    // Every third one is empty: with an address, or without.
    std::string whole;
    std::vector<std::string> parts;
    for (std::size_t i = 0; i < count; ++i) {
      parts.emplace_back(i % 3 == 1 ? 0 : 1 + i % 5,
                         static_cast<char>('a' + i % 26));
      whole += parts.back();
    }
    std::vector<iovec> pieces;
    for (std::size_t i = 0; i < count; ++i) {
      pieces.push_back({parts[i].data(), parts[i].size()});
      if (parts[i].empty() && i % 2 == 0) pieces.back().iov_base = nullptr;
    }
    ASSERT_EQ(cpg_mcast_joined(client.handle, CPG_TYPE_AGREED, pieces.data(),
                               static_cast<unsigned>(count)),
              CS_OK)
        << count;
    ASSERT_EQ(client.Dispatch(), CS_OK);
    ASSERT_EQ(client.messages.size(), 1U);
    EXPECT_TRUE(client.messages[0].text == whole) << count;
    client.messages.clear();
  }
}

void* DispatchOnAThread(void* client) {
  EXPECT_EQ(static_cast<Client*>(client)->Dispatch(), CS_OK);
  return nullptr;
}

TEST_P(FixListTest, SixtyFourKibibytesOfStackAreEnoughToDispatch) {
  Client client(GetParam());
  ASSERT_EQ(client.Join("stack"), CS_OK);
  ASSERT_EQ(client.Send(std::string(std::size_t{3} << 20, 's')), CS_OK);
  ASSERT_EQ(client.Send("small"), CS_OK);
  ASSERT_EQ(client.Leave("stack"), CS_OK);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  ASSERT_EQ(pthread_attr_setstacksize(&attributes, std::size_t{64} << 10), 0);
  pthread_t thread{};
  ASSERT_EQ(pthread_create(&thread, &attributes, &DispatchOnAThread, &client),
            0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
  EXPECT_EQ(client.changes.size(), 2U);
  EXPECT_EQ(client.messages.size(), 2U);
}

TEST_P(FixListTest, FinalizeWakesTheThreadThatWaitsInDispatch) {
  for (const cs_dispatch_flags_t how :
       {CS_DISPATCH_ONE, CS_DISPATCH_BLOCKING}) {
    for (const bool joined : {false, true}) {
      for (const bool has_descriptor : {false, true}) {
        Client client(GetParam());
        int fd = -1;
        if (joined) client.Enter("wakes");
        if (has_descriptor) {
          ASSERT_EQ(cpg_fd_get(client.handle, &fd), CS_OK);
        }
        WatchedThread thread(
            [&] { EXPECT_EQ(client.Dispatch(how), CS_ERR_BAD_HANDLE); });
        thread.WaitUntilAsleep();
        EXPECT_EQ(cpg_finalize(client.handle), CS_OK);
        thread.Join();
        // And the membership ended with it.
        Client next(GetParam());
        EXPECT_EQ(next.Join("wakes"), CS_OK);
      }
    }
  }
}

TEST_P(FixListTest, TwoThreadsThatSendOnOneHandleLoseNothingAndKeepTheirOrder) {
  constexpr std::size_t kPerThread = 5000;
  Client client(GetParam());
  client.Enter("two-senders");
  const auto send_all = [&](char name) {
    for (std::size_t i = 0; i < kPerThread; ++i) {
      cs_error_t error = CS_ERR_TRY_AGAIN;
      while (error == CS_ERR_TRY_AGAIN) {
        error = client.Send(name + std::to_string(i));
        if (error != CS_OK) std::this_thread::yield();
      }
      EXPECT_EQ(error, CS_OK);
    }
  };
  std::thread first([&] { send_all('a'); });
  std::thread second([&] { send_all('b'); });
  client.DispatchUntilMessages(2 * kPerThread);
  first.join();
  second.join();
  ASSERT_EQ(client.Dispatch(), CS_OK);
  ASSERT_EQ(client.messages.size(), 2 * kPerThread);
  std::size_t next[2] = {};
  for (const Message& message : client.messages) {
    const auto sender = static_cast<std::size_t>(message.text[0] - 'a');
    ASSERT_LT(sender, 2U);
    ASSERT_EQ(message.text.substr(1), std::to_string(next[sender]++));
  }
}

TEST_P(FixListTest, IterationEndsAndStaysEnded) {
  Client client(GetParam());
  client.Enter("iteration");
  const cpg_name name = Named("iteration");
  for (const cpg_iteration_type_t type :
       {CPG_ITERATION_NAME_ONLY, CPG_ITERATION_ONE_GROUP, CPG_ITERATION_ALL}) {
    cpg_iteration_handle_t walk = 0;
    ASSERT_EQ(cpg_iteration_initialize(
                  client.handle, type,
                  type == CPG_ITERATION_ONE_GROUP ? &name : nullptr, &walk),
              CS_OK);
    cpg_iteration_description_t item{};
    std::size_t items = 0;
    while (cpg_iteration_next(walk, &item) == CS_OK) ++items;
    EXPECT_GE(items, 1U);
    for (int i = 0; i < 10; ++i) {
      item.nodeid = 4711;
      EXPECT_EQ(cpg_iteration_next(walk, &item), CS_ERR_NO_SECTIONS);
      EXPECT_EQ(item.nodeid, 4711U) << "the end wrote to the description";
    }
    EXPECT_EQ(cpg_iteration_finalize(walk), CS_OK);
  }
}

TEST_P(FixListTest, SendWithoutJoinIsNotExist) {
  Client client(GetParam());
  const std::string large(std::size_t{2} << 20, 'l');
  const auto refused = [&] {
    EXPECT_EQ(client.Send("x"), CS_ERR_NOT_EXIST);
    EXPECT_EQ(client.Send(large), CS_ERR_NOT_EXIST);
    EXPECT_EQ(client.SendInPlace("x"), CS_ERR_NOT_EXIST);
  };
  refused();
  client.Enter("send");
  EXPECT_EQ(client.Send("x"), CS_OK);
  ASSERT_EQ(client.Leave("send"), CS_OK);
  refused();
  ASSERT_EQ(client.Dispatch(), CS_OK);
  refused();
  EXPECT_EQ(client.messages.size(), 1U);
}

TEST_P(FixListTest, LargeMessageWithoutADeliverCallbackIsDropped) {
  cpg_handle_t handle = 0;
  ASSERT_EQ(cpg_model_initialize(&handle, GetParam(), nullptr, nullptr), CS_OK);
  const cpg_name name = Named("large-null");
  ASSERT_EQ(cpg_join(handle, &name), CS_OK);
  std::string large(std::size_t{5} << 20, 'l');
  const iovec piece{large.data(), large.size()};
  ASSERT_EQ(cpg_mcast_joined(handle, CPG_TYPE_AGREED, &piece, 1), CS_OK);
  EXPECT_EQ(cpg_dispatch(handle, CS_DISPATCH_ALL), CS_OK);
  EXPECT_EQ(cpg_dispatch(handle, CS_DISPATCH_ONE_NONBLOCKING),
            CS_ERR_TRY_AGAIN);
  EXPECT_EQ(cpg_finalize(handle), CS_OK);
}

TEST_P(FixListTest, MessageAboveAMebibyteSurvivesChangesOfMembership) {
  // One message, not fragments that a change of membership interrupts.
  Client client(GetParam());
  client.Enter("large");
  const std::string large(std::size_t{8} << 20, 'L');
  ASSERT_EQ(client.Send(large), CS_OK);
  ASSERT_EQ(client.Leave("large"), CS_OK);
  ASSERT_EQ(client.Dispatch(), CS_OK);
  ASSERT_EQ(client.messages.size(), 1U);
  EXPECT_TRUE(client.messages[0].text == large);
}

TEST_P(FixListTest, ForeignMemoryOfAnySizeIsSentByTheZcbCallOfV1) {
  if (GetParam() != CPG_MODEL_V1) return;
  Client client;
  client.Enter("foreign");
  for (const std::size_t size : {1U, 1047552U, 1048392U, 1048576U, 3U << 20}) {
    std::string text(size, 'f');
    ASSERT_EQ(cpg_zcb_mcast_joined(client.handle, CPG_TYPE_AGREED, text.data(),
                                   text.size()),
              CS_OK);
    text.assign(size, '?');  // ours again at once
    ASSERT_EQ(client.Dispatch(), CS_OK);
    ASSERT_EQ(client.messages.size(), 1U);
    EXPECT_TRUE(client.messages[0].text == std::string(size, 'f')) << size;
    client.messages.clear();
  }
}

INSTANTIATE_TEST_SUITE_P(Models, FixListTest,
                         ::testing::Values(CPG_MODEL_V1, CPG_MODEL_ZCB),
                         [](const auto& model) {
                           return model.param == CPG_MODEL_V1 ? "V1" : "Zcb";
                         });

}  // namespace
}  // namespace zcb::cpg::testing
