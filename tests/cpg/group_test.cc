// Joining, leaving, who is in a group, and walks; in one process.
#include <algorithm>
#include <memory>
#include <string>

#include "tests/cpg/client.h"

namespace zcb::cpg::testing {
namespace {

const RegionOfThisTest region_of_this_test;

// A leave is through at once when nobody else has to read it.
cs_error_t JoinAgain(Client* client, std::string_view group) {
  cs_error_t error = client->Join(group);
  while (error == CS_ERR_TRY_AGAIN) error = client->Join(group);
  return error;
}

TEST(GroupTest, FirstEventOfAJoinIsTheChangeThatContainsTheCaller) {
  Client client;
  ASSERT_EQ(client.Join("first"), CS_OK);
  ASSERT_EQ(client.Send("early"), CS_OK);
  ASSERT_EQ(client.Dispatch(CS_DISPATCH_ONE), CS_OK);
  ASSERT_EQ(client.changes.size(), 1U);
  EXPECT_TRUE(client.messages.empty());
  const Change& change = client.changes[0];
  EXPECT_EQ(change.group, "first");
  EXPECT_EQ(change.members, std::vector<std::uint32_t>{OwnPid()});
  EXPECT_EQ(change.joined, std::vector<std::uint32_t>{OwnPid()});
  EXPECT_TRUE(change.left.empty());
  EXPECT_EQ(change.reason, std::uint32_t{CPG_REASON_JOIN});
  ASSERT_EQ(client.Dispatch(CS_DISPATCH_ONE), CS_OK);
  EXPECT_EQ(client.Texts(), std::vector<std::string>{"early"});
}

TEST(GroupTest, NamesAreCheckedBeforeTheHandle) {
  cpg_name name = Named("x");
  name.length = CPG_MAX_NAME_LENGTH + 1;
  cpg_address members[CPG_MEMBERS_MAX];
  int entries = 0;
  cpg_iteration_handle_t walk = 0;
  EXPECT_EQ(cpg_join(0, &name), CS_ERR_NAME_TOO_LONG);
  EXPECT_EQ(cpg_leave(0, &name), CS_ERR_NAME_TOO_LONG);
  EXPECT_EQ(cpg_membership_get(0, &name, members, &entries),
            CS_ERR_NAME_TOO_LONG);
  EXPECT_EQ(cpg_iteration_initialize(0, CPG_ITERATION_ONE_GROUP, &name, &walk),
            CS_ERR_NAME_TOO_LONG);
  EXPECT_EQ(cpg_join(0, nullptr), CS_ERR_INVALID_PARAM);
  EXPECT_EQ(cpg_leave(0, nullptr), CS_ERR_INVALID_PARAM);
}

TEST(GroupTest, NamesOfEveryLengthWithNulsAreDifferentGroups) {
  std::vector<std::unique_ptr<Client>> clients;
  for (const std::size_t length : {0U, 1U, 2U, 64U, 127U, 128U}) {
    // All of them equal up to the shorter one's end, and full of NULs.
    const std::string name(length, '\0');
    auto client = std::make_unique<Client>();
    client->Enter(name);
    EXPECT_EQ(client->changes[0].group, name);
    ASSERT_EQ(client->Send("in " + std::to_string(length)), CS_OK);
    clients.push_back(std::move(client));
  }
  for (auto& client : clients) {
    EXPECT_EQ(client->Dispatch(), CS_OK);
    EXPECT_EQ(client->messages.size(), 1U);
  }
}

TEST(GroupTest, OneGroupPerHandleAndOneHandlePerGroup) {
  Client first;
  Client second;
  ASSERT_EQ(first.Join("mine"), CS_OK);
  EXPECT_EQ(first.Join("mine"), CS_ERR_EXIST);
  EXPECT_EQ(first.Join("other"), CS_ERR_EXIST);
  EXPECT_EQ(second.Join("mine"), CS_ERR_EXIST);
  EXPECT_EQ(second.Join("other"), CS_OK);
}

TEST(GroupTest, LeaveWantsTheGroupsOwnName) {
  Client client;
  EXPECT_EQ(client.Leave("here"), CS_ERR_NOT_EXIST);
  client.Enter("here");
  EXPECT_EQ(client.Leave("there"), CS_ERR_NOT_EXIST);
  EXPECT_EQ(client.Leave("here"), CS_OK);
  EXPECT_EQ(client.Leave("here"), CS_ERR_NOT_EXIST);
}

TEST(GroupTest, LeaverGetsWhatCameBeforeThenItsOwnLeaveThenNothing) {
  Client client;
  client.Enter("leave");
  ASSERT_EQ(client.Send("last"), CS_OK);
  ASSERT_EQ(client.Leave("leave"), CS_OK);
  EXPECT_EQ(client.Send("too late"), CS_ERR_NOT_EXIST);
  EXPECT_EQ(client.Join("leave"), CS_ERR_TRY_AGAIN);
  EXPECT_EQ(client.Dispatch(), CS_OK);
  EXPECT_EQ(client.Texts(), std::vector<std::string>{"last"});
  ASSERT_EQ(client.changes.size(), 2U);
  EXPECT_TRUE(client.changes[1].members.empty());
  EXPECT_EQ(client.changes[1].left, std::vector<std::uint32_t>{OwnPid()});
  EXPECT_EQ(client.changes[1].reason, std::uint32_t{CPG_REASON_LEAVE});
  EXPECT_EQ(client.Dispatch(CS_DISPATCH_ONE_NONBLOCKING), CS_ERR_TRY_AGAIN);
  EXPECT_EQ(client.Send("nobody there"), CS_ERR_NOT_EXIST);
  EXPECT_EQ(client.Leave("leave"), CS_ERR_NOT_EXIST);
}

TEST(GroupTest, HandleJoinsAgainAfterItsLeaveTheSameOrAnotherGroup) {
  Client client;
  client.Enter("again");
  for (int i = 0; i < 300; ++i) {
    const std::string from = i % 2 == 0 ? "again" : "elsewhere";
    const std::string next = i % 2 == 0 ? "elsewhere" : "again";
    ASSERT_EQ(client.Leave(from), CS_OK);
    ASSERT_EQ(client.Dispatch(), CS_OK);
    ASSERT_EQ(JoinAgain(&client, next), CS_OK);
    ASSERT_EQ(client.Send("x"), CS_OK);
    ASSERT_EQ(client.Dispatch(), CS_OK);
    ASSERT_EQ(client.messages.size(), static_cast<std::size_t>(i) + 1);
  }
  const std::string last = "again";
  ASSERT_EQ(client.Leave(last), CS_OK);
  ASSERT_EQ(client.Dispatch(), CS_OK);
  ASSERT_EQ(JoinAgain(&client, last), CS_OK);
}

TEST(GroupTest, HandleJoinsAgainFromInsideItsLeavesCallback) {
  Client client;
  client.Enter("inside");
  ASSERT_EQ(client.Leave("inside"), CS_OK);
  cs_error_t joined = CS_OK;
  client.on_change = [&] {
    if (client.changes.back().left.empty()) return;
    joined = JoinAgain(&client, "inside");
  };
  ASSERT_EQ(client.Dispatch(), CS_OK);
  EXPECT_EQ(joined, CS_OK);
  ASSERT_EQ(client.changes.size(), 3U);
  EXPECT_EQ(client.changes[2].reason, std::uint32_t{CPG_REASON_JOIN});
}

TEST(GroupTest, MembershipGetAnswersForAnyGroup) {
  Client client;
  Client stranger;
  cpg_address members[CPG_MEMBERS_MAX];
  int entries = -1;
  cpg_name name = Named("whose");
  ASSERT_EQ(cpg_membership_get(stranger.handle, &name, members, &entries),
            CS_OK);
  EXPECT_EQ(entries, 0);
  ASSERT_EQ(client.Join("whose"), CS_OK);
  entries = -1;  // not looked at
  ASSERT_EQ(cpg_membership_get(stranger.handle, &name, members, &entries),
            CS_OK);
  ASSERT_EQ(entries, 1);
  EXPECT_EQ(members[0].nodeid, 1U);
  EXPECT_EQ(members[0].pid, OwnPid());
  EXPECT_EQ(members[0].reason, 0U);
  EXPECT_EQ(cpg_membership_get(client.handle, nullptr, members, &entries),
            CS_ERR_INVALID_PARAM);
  EXPECT_EQ(cpg_membership_get(client.handle, &name, nullptr, &entries),
            CS_ERR_INVALID_PARAM);
  EXPECT_EQ(cpg_membership_get(client.handle, &name, members, nullptr),
            CS_ERR_INVALID_PARAM);
  EXPECT_EQ(cpg_finalize(client.handle), CS_OK);
  ASSERT_EQ(cpg_membership_get(stranger.handle, &name, members, &entries),
            CS_OK);
  EXPECT_EQ(entries, 0);
}

TEST(GroupTest, InitialTotemCallbackComesOnceAfterTheFirstChange) {
  for (const cpg_model_t model : {CPG_MODEL_V1, CPG_MODEL_ZCB}) {
    Client client(model, CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF);
    ASSERT_EQ(client.Join("totem"), CS_OK);
    ASSERT_EQ(client.Dispatch(CS_DISPATCH_ONE), CS_OK);
    EXPECT_EQ(client.changes.size(), 1U);
    if (model == CPG_MODEL_V1) {  // an event of its own
      EXPECT_TRUE(client.totem_nodes.empty());
      ASSERT_EQ(client.Dispatch(CS_DISPATCH_ONE), CS_OK);
    }
    EXPECT_EQ(client.totem_nodes, std::vector<std::uint32_t>{1U});
    EXPECT_EQ(client.Dispatch(CS_DISPATCH_ONE_NONBLOCKING), CS_ERR_TRY_AGAIN);
    ASSERT_EQ(client.Leave("totem"), CS_OK);
    ASSERT_EQ(client.Dispatch(), CS_OK);
    EXPECT_EQ(client.totem_nodes.size(), 1U);
  }
  Client without;
  without.Enter("totem-none");
  ASSERT_EQ(without.Dispatch(), CS_OK);
  EXPECT_TRUE(without.totem_nodes.empty());
}

// --- walks -------------------------------------------------------------------

std::vector<cpg_iteration_description_t> Walk(cpg_handle_t handle,
                                              cpg_iteration_type_t type,
                                              const cpg_name* group) {
  std::vector<cpg_iteration_description_t> items;
  cpg_iteration_handle_t walk = 0;
  EXPECT_EQ(cpg_iteration_initialize(handle, type, group, &walk), CS_OK);
  EXPECT_NE(walk, 0U);
  cpg_iteration_description_t item{};
  while (cpg_iteration_next(walk, &item) == CS_OK) items.push_back(item);
  // The end stays the end, and the description is left alone.
  item.pid = 4711;
  EXPECT_EQ(cpg_iteration_next(walk, &item), CS_ERR_NO_SECTIONS);
  EXPECT_EQ(cpg_iteration_next(walk, &item), CS_ERR_NO_SECTIONS);
  EXPECT_EQ(item.pid, 4711U);
  EXPECT_EQ(cpg_iteration_next(walk, nullptr), CS_ERR_INVALID_PARAM);
  EXPECT_EQ(cpg_iteration_finalize(walk), CS_OK);
  EXPECT_EQ(cpg_iteration_finalize(walk), CS_ERR_BAD_HANDLE);
  EXPECT_EQ(cpg_iteration_next(walk, &item), CS_ERR_BAD_HANDLE);
  return items;
}

std::size_t CountOf(const std::vector<cpg_iteration_description_t>& items,
                    std::string_view name) {
  return static_cast<std::size_t>(
      std::count_if(items.begin(), items.end(), [&](const auto& item) {
        return std::string_view(item.group.value, item.group.length) == name;
      }));
}

TEST(WalkTest, EachTypeListsWhatItSays) {
  Client first;
  Client second;
  const Client stranger;
  ASSERT_EQ(first.Join("walk-1"), CS_OK);
  ASSERT_EQ(second.Join("walk-2"), CS_OK);
  const auto names = Walk(stranger.handle, CPG_ITERATION_NAME_ONLY, nullptr);
  EXPECT_EQ(CountOf(names, "walk-1"), 1U);
  EXPECT_EQ(CountOf(names, "walk-2"), 1U);
  for (const auto& item : names) EXPECT_EQ(item.nodeid + item.pid, 0U);
  const auto all = Walk(stranger.handle, CPG_ITERATION_ALL, nullptr);
  EXPECT_EQ(CountOf(all, "walk-1"), 1U);
  EXPECT_EQ(CountOf(all, "walk-2"), 1U);
  const cpg_name name = Named("walk-2");
  const auto one = Walk(stranger.handle, CPG_ITERATION_ONE_GROUP, &name);
  ASSERT_EQ(one.size(), 1U);
  EXPECT_EQ(one[0].nodeid, 1U);
  EXPECT_EQ(one[0].pid, OwnPid());
  const cpg_name nobody = Named("walk-nobody");
  EXPECT_TRUE(Walk(stranger.handle, CPG_ITERATION_ONE_GROUP, &nobody).empty());
}

TEST(WalkTest, GroupThatEverybodyLeftIsNotListed) {
  Client client;
  client.Enter("walk-left");
  ASSERT_EQ(client.Leave("walk-left"), CS_OK);
  ASSERT_EQ(client.Dispatch(), CS_OK);
  const auto names = Walk(client.handle, CPG_ITERATION_NAME_ONLY, nullptr);
  EXPECT_EQ(CountOf(names, "walk-left"), 0U);
}

TEST(WalkTest, WrongArgumentsAreRefused) {
  const Client client;
  const cpg_name name = Named("x");
  cpg_iteration_handle_t walk = 0;
  const auto begin = [&](int type, const cpg_name* group,
                         cpg_iteration_handle_t* out) {
    return cpg_iteration_initialize(
        client.handle, static_cast<cpg_iteration_type_t>(type), group, out);
  };
  EXPECT_EQ(begin(CPG_ITERATION_ALL, nullptr, nullptr), CS_ERR_INVALID_PARAM);
  EXPECT_EQ(begin(CPG_ITERATION_ONE_GROUP, nullptr, &walk),
            CS_ERR_INVALID_PARAM);
  EXPECT_EQ(begin(CPG_ITERATION_ALL, &name, &walk), CS_ERR_INVALID_PARAM);
  EXPECT_EQ(begin(CPG_ITERATION_NAME_ONLY, &name, &walk), CS_ERR_INVALID_PARAM);
  EXPECT_EQ(begin(0, nullptr, &walk), CS_ERR_INVALID_PARAM);
  cpg_iteration_description_t item{};
  EXPECT_EQ(cpg_iteration_next(0, &item), CS_ERR_BAD_HANDLE);
  EXPECT_EQ(cpg_iteration_finalize(0), CS_ERR_BAD_HANDLE);
}

}  // namespace
}  // namespace zcb::cpg::testing
