// The totem side of the API without a cluster: one node, its number, its ring.
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tests/cpg/client.h"

namespace zcb::cpg::testing {
namespace {

const RegionOfThisTest region_of_this_test;
constexpr unsigned kWithTotem = CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF;

// What the callbacks saw, in order: "view", "totem NODE SEQ COUNT FIRST".
std::vector<std::string> seen;

void OnConfchg(cpg_handle_t, const cpg_name*, const cpg_address*, std::size_t,
               const cpg_address*, std::size_t, const cpg_address*,
               std::size_t) {
  seen.emplace_back("view");
}
void OnTotem(cpg_handle_t, cpg_ring_id ring, std::uint32_t count,
             const std::uint32_t* nodes) {
  seen.push_back("totem " + std::to_string(ring.nodeid) + " " +
                 std::to_string(ring.seq) + " " + std::to_string(count) + " " +
                 std::to_string(nodes[0]));
}

class TotemTest : public ::testing::TestWithParam<cpg_model_t> {
 protected:
  TotemTest() { seen.clear(); }
  ~TotemTest() override {
    (void)cpg_finalize(handle_);
    unsetenv("ZCB_NODEID");
    unsetenv("ZCB_REGION");
  }
  void Open(cpg_confchg_fn_t confchg, cpg_totem_confchg_fn_t totem,
            unsigned flags) {
    cs_error_t error = CS_OK;
    if (GetParam() == CPG_MODEL_V1) {
      cpg_model_v1_data_t data{CPG_MODEL_V1, nullptr, confchg, totem, flags};
      error = cpg_model_initialize(&handle_, CPG_MODEL_V1,
                                   reinterpret_cast<cpg_model_data_t*>(&data),
                                   nullptr);
    } else {
      cpg_model_zcb_data_t data{CPG_MODEL_ZCB, nullptr, confchg, totem, flags};
      error = cpg_model_initialize(&handle_, CPG_MODEL_ZCB,
                                   reinterpret_cast<cpg_model_data_t*>(&data),
                                   nullptr);
    }
    ASSERT_EQ(error, CS_OK);
  }
  void Join(const char* group) {
    const cpg_name name = Named(group);
    ASSERT_EQ(cpg_join(handle_, &name), CS_OK);
  }
  void LeaveAndDispatch(const char* group) {
    const cpg_name name = Named(group);
    ASSERT_EQ(cpg_leave(handle_, &name), CS_OK);
    ASSERT_EQ(cpg_dispatch(handle_, CS_DISPATCH_ALL), CS_OK);
  }

  cpg_handle_t handle_ = 0;
};

TEST_P(TotemTest, WithTheFlagItComesExactlyOnceAfterTheFirstChange) {
  Open(&OnConfchg, &OnTotem, kWithTotem);
  EXPECT_EQ(cpg_dispatch(handle_, CS_DISPATCH_ONE_NONBLOCKING),
            CS_ERR_TRY_AGAIN)
      << "before the join";
  Join("totem");
  ASSERT_EQ(cpg_dispatch(handle_, CS_DISPATCH_ONE), CS_OK);
  if (GetParam() == CPG_MODEL_V1) {
    EXPECT_EQ(seen, std::vector<std::string>{"view"});
    ASSERT_EQ(cpg_dispatch(handle_, CS_DISPATCH_ONE), CS_OK);
  }
  const std::vector<std::string> both{"view", "totem 1 1 1 1"};
  EXPECT_EQ(seen, both);
  EXPECT_EQ(cpg_dispatch(handle_, CS_DISPATCH_ONE_NONBLOCKING),
            CS_ERR_TRY_AGAIN);
  // Not with the leave, nor with the next join.
  LeaveAndDispatch("totem");
  Join("totem-again");
  LeaveAndDispatch("totem-again");
  EXPECT_EQ(seen, (std::vector<std::string>{"view", "totem 1 1 1 1", "view",
                                            "view", "view"}));
}

TEST_P(TotemTest, PullThatFollowsTheFirstChangeDoesNotLoseIt) {
  if (GetParam() != CPG_MODEL_ZCB) return;
  Open(&OnConfchg, &OnTotem, kWithTotem);
  Join("totem-pull");
  ASSERT_EQ(cpg_dispatch(handle_, CS_DISPATCH_ONE), CS_OK);
  cpg_zcb_message message{};
  EXPECT_EQ(cpg_zcb_next(handle_, &message), CS_ERR_TRY_AGAIN);
  EXPECT_EQ(seen, (std::vector<std::string>{"view", "totem 1 1 1 1"}));
}

TEST_P(TotemTest, FirstChangeThatIsPulledTakesItAlong) {
  if (GetParam() != CPG_MODEL_ZCB) return;
  for (const bool batch : {false, true}) {
    Open(&OnConfchg, &OnTotem, kWithTotem);
    Join("totem-pulled");
    cpg_zcb_message message{};
    unsigned count = 0;
    ASSERT_EQ(batch ? cpg_zcb_next_batch(handle_, &message, 1, &count)
                    : cpg_zcb_next(handle_, &message),
              CS_OK);
    EXPECT_EQ(message.kind, CPG_ZCB_VIEW);
    LeaveAndDispatch("totem-pulled");
    EXPECT_EQ(seen, std::vector<std::string>{"view"});
    seen.clear();
    EXPECT_EQ(cpg_finalize(handle_), CS_OK);
  }
}

// --- calls inside it ---------------------------------------------------------

// What the next callback of a kind does, once.
void (*inside_view)(cpg_handle_t handle) = nullptr;
void (*inside_totem)(cpg_handle_t handle) = nullptr;

void Once(void (**inside)(cpg_handle_t), cpg_handle_t handle) {
  if (*inside != nullptr) std::exchange(*inside, nullptr)(handle);
}
void OnConfchgWithCalls(cpg_handle_t handle, const cpg_name* group,
                        const cpg_address* members, std::size_t member_count,
                        const cpg_address* left, std::size_t left_count,
                        const cpg_address* joined, std::size_t joined_count) {
  OnConfchg(handle, group, members, member_count, left, left_count, joined,
            joined_count);
  Once(&inside_view, handle);
}
void OnTotemWithCalls(cpg_handle_t handle, cpg_ring_id ring,
                      std::uint32_t count, const std::uint32_t* nodes) {
  OnTotem(handle, ring, count, nodes);
  Once(&inside_totem, handle);
}

constexpr cs_dispatch_flags_t kFlags[] = {CS_DISPATCH_ONE, CS_DISPATCH_ALL,
                                          CS_DISPATCH_BLOCKING,
                                          CS_DISPATCH_ONE_NONBLOCKING};

void Finalize(cpg_handle_t handle) { EXPECT_EQ(cpg_finalize(handle), CS_OK); }

TEST_P(TotemTest, FinalizeInsideTheFirstChangeIsTheLastCallback) {
  for (const cs_dispatch_flags_t how : kFlags) {
    seen.clear();
    Open(&OnConfchgWithCalls, &OnTotemWithCalls, kWithTotem);
    Join("totem-finalize-view");
    inside_view = &Finalize;
    EXPECT_EQ(cpg_dispatch(handle_, how), CS_ERR_BAD_HANDLE);
    EXPECT_EQ(seen, std::vector<std::string>{"view"});
  }
}

TEST_P(TotemTest, FinalizeInsideItIsTheLastCallback) {
  for (const cs_dispatch_flags_t how : kFlags) {
    seen.clear();
    Open(&OnConfchgWithCalls, &OnTotemWithCalls, kWithTotem);
    Join("totem-finalize");
    const cpg_name name = Named("totem-finalize");
    ASSERT_EQ(cpg_leave(handle_, &name), CS_OK);
    inside_totem = &Finalize;
    if (GetParam() == CPG_MODEL_V1) {  // an event of its own
      ASSERT_EQ(cpg_dispatch(handle_, CS_DISPATCH_ONE), CS_OK);
    }
    EXPECT_EQ(cpg_dispatch(handle_, how), CS_ERR_BAD_HANDLE);
    EXPECT_EQ(seen.size(), 2U);
  }
}

TEST_P(TotemTest, NestedDispatchInsideItDeliversWhatFollows) {
  Open(&OnConfchgWithCalls, &OnTotemWithCalls, kWithTotem);
  Join("totem-nested");
  const cpg_name name = Named("totem-nested");
  ASSERT_EQ(cpg_leave(handle_, &name), CS_OK);
  inside_totem = [](cpg_handle_t handle) {
    EXPECT_EQ(cpg_dispatch(handle, CS_DISPATCH_ONE), CS_OK);
    EXPECT_EQ(seen.size(), 3U);
    EXPECT_EQ(cpg_dispatch(handle, CS_DISPATCH_ALL), CS_OK);
  };
  ASSERT_EQ(cpg_dispatch(handle_, CS_DISPATCH_ALL), CS_OK);
  EXPECT_EQ(seen, (std::vector<std::string>{"view", "totem 1 1 1 1", "view"}));
}

TEST_P(TotemTest, NestedDispatchInsideTheFirstChangeBeginsWithIt) {
  Open(&OnConfchgWithCalls, &OnTotemWithCalls, kWithTotem);
  Join("totem-nested-view");
  const cpg_name name = Named("totem-nested-view");
  ASSERT_EQ(cpg_leave(handle_, &name), CS_OK);
  inside_view = [](cpg_handle_t handle) {
    EXPECT_EQ(cpg_dispatch(handle, CS_DISPATCH_ONE), CS_OK);
    EXPECT_EQ(seen, (std::vector<std::string>{"view", "totem 1 1 1 1"}));
  };
  ASSERT_EQ(cpg_dispatch(handle_, CS_DISPATCH_ALL), CS_OK);
  EXPECT_EQ(seen, (std::vector<std::string>{"view", "totem 1 1 1 1", "view"}));
}

TEST_P(TotemTest, ItComesBeforeTheMessagesThatFollow) {
  Client client(GetParam(), kWithTotem);
  ASSERT_EQ(client.Join("totem-order"), CS_OK);
  ASSERT_EQ(client.Send("x"), CS_OK);
  const auto check = [&] { EXPECT_EQ(client.totem_nodes.size(), 1U); };
  client.on_message = [&](void*, std::size_t) { check(); };
  client.on_message_in_place = [&](const void*) { check(); };
  ASSERT_EQ(client.Dispatch(), CS_OK);
  EXPECT_EQ(client.messages.size(), 1U);
}

TEST_P(TotemTest, ItComesAlsoIfNobodyAskedForChanges) {
  Open(nullptr, &OnTotem, kWithTotem);
  Join("totem-only");
  ASSERT_EQ(cpg_dispatch(handle_, CS_DISPATCH_ONE), CS_OK);
  if (GetParam() == CPG_MODEL_V1) {
    EXPECT_TRUE(seen.empty());
    ASSERT_EQ(cpg_dispatch(handle_, CS_DISPATCH_ONE), CS_OK);
  }
  EXPECT_EQ(seen, std::vector<std::string>{"totem 1 1 1 1"});
  LeaveAndDispatch("totem-only");
  EXPECT_EQ(seen.size(), 1U);
}

TEST_P(TotemTest, WithoutTheFlagItNeverComes) {
  Open(&OnConfchg, &OnTotem, 0);
  Join("totem-never");
  ASSERT_EQ(cpg_dispatch(handle_, CS_DISPATCH_ALL), CS_OK);
  LeaveAndDispatch("totem-never");
  EXPECT_EQ(seen, (std::vector<std::string>{"view", "view"}));
}

TEST_P(TotemTest, FlagWithoutACallbackIsNoEvent) {
  Open(&OnConfchg, nullptr, kWithTotem);
  Join("totem-null");
  ASSERT_EQ(cpg_dispatch(handle_, CS_DISPATCH_ONE), CS_OK);
  EXPECT_EQ(cpg_dispatch(handle_, CS_DISPATCH_ONE_NONBLOCKING),
            CS_ERR_TRY_AGAIN);
  EXPECT_EQ(seen, std::vector<std::string>{"view"});
}

TEST_P(TotemTest, EveryHandleThatAskedGetsItsOwn) {
  Client first(GetParam(), kWithTotem);
  Client second(GetParam(), kWithTotem);
  const Client third(GetParam());
  first.Enter("totem-first");
  second.Enter("totem-second");
  ASSERT_EQ(first.Dispatch(), CS_OK);
  ASSERT_EQ(second.Dispatch(), CS_OK);
  EXPECT_EQ(first.totem_nodes, std::vector<std::uint32_t>{1U});
  EXPECT_EQ(second.totem_nodes, std::vector<std::uint32_t>{1U});
  EXPECT_TRUE(third.totem_nodes.empty());
}

TEST_P(TotemTest, NodeIdOfTheEnvironmentIsInEverythingThatNamesANode) {
  const std::string model = GetParam() == CPG_MODEL_V1 ? "v1" : "zcb";
  for (const std::uint32_t node : {1U, 7U, 4294967295U}) {
    const std::string text = std::to_string(node);
    setenv("ZCB_NODEID", text.c_str(), 1);
    setenv("ZCB_REGION", (model + text).c_str(), 1);
    seen.clear();
    Open(&OnConfchg, &OnTotem, kWithTotem);
    Join("node");
    ASSERT_EQ(cpg_dispatch(handle_, CS_DISPATCH_ALL), CS_OK);
    EXPECT_EQ(seen.back(), "totem " + text + " 1 1 " + text);
    unsigned local = 0;
    EXPECT_EQ(cpg_local_get(handle_, &local), CS_OK);
    EXPECT_EQ(local, node);
    cpg_name name = Named("node");
    cpg_address members[CPG_MEMBERS_MAX];
    int count = 0;
    ASSERT_EQ(cpg_membership_get(handle_, &name, members, &count), CS_OK);
    ASSERT_EQ(count, 1);
    EXPECT_EQ(members[0].nodeid, node);
    EXPECT_EQ(cpg_finalize(handle_), CS_OK);
    Client client(GetParam());
    client.Enter("sender");
    ASSERT_EQ(client.Send("x"), CS_OK);
    client.DispatchUntilMessages(1);
    EXPECT_EQ(client.messages[0].nodeid, node);
  }
}

TEST_P(TotemTest, NodeIdThatIsNoNumberAboveZeroIsRefused) {
  for (const char* text : {"0", "-1", "x", "1x", " 1", "", "4294967296"}) {
    setenv("ZCB_NODEID", text, 1);
    EXPECT_EQ(cpg_model_initialize(&handle_, GetParam(), nullptr, nullptr),
              CS_ERR_INVALID_PARAM)
        << "'" << text << "'";
    EXPECT_EQ(handle_, 0U);
  }
}

TEST_P(TotemTest, LocalIdIsOneUnlessSetAndNeedsNoGroup) {
  Open(nullptr, nullptr, 0);
  unsigned local = 0;
  EXPECT_EQ(cpg_local_get(handle_, &local), CS_OK);
  EXPECT_EQ(local, 1U);
}

INSTANTIATE_TEST_SUITE_P(Models, TotemTest,
                         ::testing::Values(CPG_MODEL_V1, CPG_MODEL_ZCB),
                         [](const auto& model) {
                           return model.param == CPG_MODEL_V1 ? "V1" : "Zcb";
                         });

}  // namespace
}  // namespace zcb::cpg::testing
