// When a process may join a group that it was in through another handle.
#include <memory>
#include <string>

#include "tests/cpg/client.h"

namespace zcb::cpg::testing {
namespace {

const RegionOfThisTest region_of_this_test;

TEST(RejoinTest, MembershipOfAnotherHandleIsExist) {
  Client first;
  Client second;
  ASSERT_EQ(first.Join("taken"), CS_OK);
  EXPECT_EQ(second.Join("taken"), CS_ERR_EXIST);
  ASSERT_EQ(first.Dispatch(), CS_OK);
  EXPECT_EQ(second.Join("taken"), CS_ERR_EXIST);
  // Asking does no harm.
  ASSERT_EQ(first.Send("x"), CS_OK);
  ASSERT_EQ(first.Dispatch(), CS_OK);
  EXPECT_EQ(first.messages.size(), 1U);
  EXPECT_EQ(first.changes.size(), 1U);
}

TEST(RejoinTest, GroupThatAnotherHandleIsLeavingCanBeJoinedAtOnce) {
  Client first;
  Client second;
  first.Enter("leaving");
  ASSERT_EQ(first.Send("last"), CS_OK);
  ASSERT_EQ(first.Leave("leaving"), CS_OK);
  // Its leave is in the order, if not delivered yet: never CS_ERR_EXIST.
  ASSERT_EQ(second.Join("leaving"), CS_OK);
  ASSERT_EQ(second.Send("new"), CS_OK);
  ASSERT_EQ(second.Dispatch(), CS_OK);
  ASSERT_EQ(second.changes.size(), 1U);
  EXPECT_EQ(second.changes[0].members, std::vector<std::uint32_t>{OwnPid()});
  EXPECT_EQ(second.Texts(), std::vector<std::string>{"new"});
  ASSERT_EQ(first.Dispatch(), CS_OK);
  EXPECT_EQ(first.Texts(), std::vector<std::string>{"last"});
  ASSERT_EQ(first.changes.size(), 2U);
  EXPECT_TRUE(first.changes[1].members.empty());
  EXPECT_EQ(first.changes[1].reason, std::uint32_t{CPG_REASON_LEAVE});
  // And now the second one is in the way.
  EXPECT_EQ(first.Join("leaving"), CS_ERR_EXIST);
}

TEST(RejoinTest, OwnLeaveUnderWayIsTryAgainForAnyGroup) {
  Client client;
  client.Enter("own-leave");
  ASSERT_EQ(client.Leave("own-leave"), CS_OK);
  EXPECT_EQ(client.Join("own-leave"), CS_ERR_TRY_AGAIN);
  EXPECT_EQ(client.Join("own-leave-other"), CS_ERR_TRY_AGAIN);
  ASSERT_EQ(client.Dispatch(), CS_OK);
  EXPECT_EQ(client.Join("own-leave-other"), CS_OK);
}

TEST(RejoinTest, FinalizedHandleThatIsStillInUseIsTryAgain) {
  for (const cpg_model_t model : {CPG_MODEL_V1, CPG_MODEL_ZCB}) {
    Client first(model);
    Client second(model);
    first.Enter("in-use");
    cs_error_t inside = CS_OK;
    const auto finalize = [&] {
      EXPECT_EQ(second.Join("in-use"), CS_ERR_EXIST);
      EXPECT_EQ(cpg_finalize(first.handle), CS_OK);
      inside = second.Join("in-use");
    };
    first.on_message = [&](void*, std::size_t) { finalize(); };
    first.on_message_in_place = [&](const void*) { finalize(); };
    ASSERT_EQ(first.Send("x"), CS_OK);
    EXPECT_EQ(first.Dispatch(), CS_ERR_BAD_HANDLE);
    EXPECT_EQ(inside, CS_ERR_TRY_AGAIN);
    EXPECT_EQ(second.Join("in-use"), CS_OK);
  }
}

TEST(RejoinTest, GroupOfAFinalizedHandleCanBeJoinedAtOnce) {
  auto first = std::make_unique<Client>();
  Client second;
  first->Enter("finalized");
  first.reset();
  EXPECT_EQ(second.Join("finalized"), CS_OK);
}

}  // namespace
}  // namespace zcb::cpg::testing
