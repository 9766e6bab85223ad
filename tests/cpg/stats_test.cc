// cpg_zcb_group_stats_get(), and cpg_flow_control_state_get() in earnest.
#include <cstddef>
#include <cstring>
#include <string>
#include <vector>

#include "tests/cpg/client.h"

namespace zcb::cpg::testing {
namespace {

const RegionOfThisTest region_of_this_test;

using GroupStats = struct cpg_zcb_group_stats;

GroupStats Stats(const Client& client, const char* group = nullptr) {
  GroupStats stats{};
  stats.size = sizeof(stats);
  const cpg_name name = Named(group == nullptr ? "" : group);
  EXPECT_EQ(cpg_zcb_group_stats_get(client.handle,
                                    group == nullptr ? nullptr : &name, &stats),
            CS_OK);
  EXPECT_EQ(stats.size, sizeof(stats));
  return stats;
}

cpg_flow_control_state_t Flow(const Client& client) {
  cpg_flow_control_state_t state{};
  EXPECT_EQ(cpg_flow_control_state_get(client.handle, &state), CS_OK);
  return state;
}

TEST(StatsTest, HandleCountsWhatItSentAndReceived) {
  Client client;
  client.Enter("counts");
  ASSERT_EQ(client.Send("12345"), CS_OK);
  ASSERT_EQ(client.Send("678"), CS_OK);
  GroupStats stats = Stats(client);
  EXPECT_EQ(stats.members, 1U);
  EXPECT_EQ(stats.ordered, 3U);
  EXPECT_EQ(stats.ring_used, 2U);
  EXPECT_EQ(stats.slowest_behind, 2U);
  EXPECT_EQ(stats.slowest_nodeid, 1U);
  EXPECT_EQ(stats.slowest_pid, OwnPid());
  EXPECT_EQ(stats.sent_messages, 2U);
  EXPECT_EQ(stats.sent_bytes, 8U);
  EXPECT_EQ(stats.received_messages, 0U);
  EXPECT_EQ(stats.received_views, 1U);
  ASSERT_EQ(client.Dispatch(), CS_OK);
  stats = Stats(client);
  EXPECT_EQ(stats.ring_used, 0U);
  EXPECT_EQ(stats.slowest_behind, 0U);
  EXPECT_EQ(stats.received_messages, 2U);
  EXPECT_EQ(stats.received_bytes, 8U);
  while (client.Send("x") == CS_OK) {
  }
  EXPECT_EQ(Stats(client).refused_sends, 1U);
  EXPECT_EQ(Stats(client).ring_used, Stats(client).ring_messages);
}

TEST(StatsTest, CountersAreThoseOfTheHandlesOwnGroupAlone) {
  Client client;
  client.Enter("own");
  ASSERT_EQ(client.Send("x"), CS_OK);
  EXPECT_EQ(Stats(client, "own").sent_messages, 1U);
  const GroupStats other = Stats(client, "unheard-of");
  EXPECT_EQ(other.members, 0U);
  EXPECT_EQ(other.ordered, 0U);
  EXPECT_EQ(other.sent_messages, 0U);
  EXPECT_GT(other.ring_messages, 0U);
  const Client outsider;
  EXPECT_EQ(Stats(outsider, "own").members, 1U);
  EXPECT_EQ(Stats(outsider, "own").sent_messages, 0U);
}

TEST(StatsTest, WrongArgumentsAreRefused) {
  Client client;
  GroupStats stats{};
  stats.size = sizeof(stats);
  EXPECT_EQ(cpg_zcb_group_stats_get(client.handle, nullptr, &stats),
            CS_ERR_NOT_EXIST);
  EXPECT_EQ(cpg_zcb_group_stats_get(0, nullptr, &stats), CS_ERR_BAD_HANDLE);
  client.Enter("arguments");
  EXPECT_EQ(cpg_zcb_group_stats_get(client.handle, nullptr, nullptr),
            CS_ERR_INVALID_PARAM);
  stats.size = offsetof(GroupStats, ordered) - 1;
  EXPECT_EQ(cpg_zcb_group_stats_get(client.handle, nullptr, &stats),
            CS_ERR_INVALID_PARAM);
  cpg_name name = Named("x");
  name.length = CPG_MAX_NAME_LENGTH + 1;
  EXPECT_EQ(cpg_zcb_group_stats_get(client.handle, &name, &stats),
            CS_ERR_NAME_TOO_LONG);
}

TEST(StatsTest, ShorterStructOfAnOlderProgramIsFilledAsFarAsItGoes) {
  Client client;
  client.Enter("short");
  GroupStats stats{};
  std::memset(&stats, 0xaa, sizeof(stats));
  stats.size = offsetof(GroupStats, ring_messages);
  ASSERT_EQ(cpg_zcb_group_stats_get(client.handle, nullptr, &stats), CS_OK);
  EXPECT_EQ(stats.size, offsetof(GroupStats, ring_messages));
  EXPECT_EQ(stats.members, 1U);
  EXPECT_EQ(stats.ordered, 1U);
  EXPECT_EQ(stats.ring_messages, 0xaaaaaaaaaaaaaaaaU) << "not touched";
}

TEST(StatsTest, CanBeHadInsideACallback) {
  Client client;
  client.Enter("inside");
  std::uint64_t received = 0;
  client.on_message = [&](void*, std::size_t) {
    received = Stats(client).received_messages;
  };
  ASSERT_EQ(client.Send("x"), CS_OK);
  ASSERT_EQ(client.Dispatch(), CS_OK);
  EXPECT_EQ(received, 1U);
}

// A program that stops sending as long as it is told to reclaims nothing by
// itself, and would wait for ever for what all have read already.
TEST(FlowControlTest, ProgramThatStopsSendingIsToldToGoOn) {
  Client client;
  client.Enter("stops");
  while (client.Send("x") == CS_OK) {
  }
  EXPECT_EQ(Flow(client), CPG_FLOW_CONTROL_ENABLED);
  ASSERT_EQ(client.Dispatch(), CS_OK);
  EXPECT_EQ(Flow(client), CPG_FLOW_CONTROL_DISABLED);
}

TEST(FlowControlTest, SenderIsNeverSlowedDownByWhatAllHaveRead) {
  Client client;
  client.Enter("never");
  for (int i = 0; i < 5000; ++i) {
    ASSERT_EQ(client.Send("x"), CS_OK);
    ASSERT_EQ(client.Dispatch(), CS_OK);
    ASSERT_EQ(Flow(client), CPG_FLOW_CONTROL_DISABLED) << i;
  }
}

// What has failed is not tried again at every call.
void ExpectDisabledSoon(const Client& client) {
  while (Flow(client) != CPG_FLOW_CONTROL_DISABLED) {
  }
}

// All but less than `bytes` of the region.
std::vector<void*> TakeAllMemory(const Client& client, std::size_t bytes) {
  std::vector<void*> buffers;
  void* buffer = nullptr;
  while (cpg_zcb_alloc(client.handle, bytes, &buffer) == CS_OK) {
    buffers.push_back(buffer);
  }
  return buffers;
}

void FreeOne(const Client& client, std::vector<void*>* buffers) {
  ASSERT_EQ(cpg_zcb_free(client.handle, buffers->back()), CS_OK);
  buffers->pop_back();
}

TEST(FlowControlTest, EnabledAfterASendWithoutMemoryUntilThereIsEnough) {
  Client holder;  // in no group: what it lacks slows nobody down
  std::vector<void*> buffers = TakeAllMemory(holder, 8 << 20);
  EXPECT_EQ(Flow(holder), CPG_FLOW_CONTROL_DISABLED);
  Client client;
  client.Enter("memory");
  EXPECT_EQ(Flow(client), CPG_FLOW_CONTROL_DISABLED) << "no send was refused";
  const std::string large(20 << 20, 'x');
  ASSERT_EQ(client.Send(large), CS_ERR_TRY_AGAIN);
  EXPECT_EQ(Stats(client).refused_sends, 1U);
  EXPECT_EQ(Flow(client), CPG_FLOW_CONTROL_ENABLED);
  FreeOne(holder, &buffers);
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(Flow(client), CPG_FLOW_CONTROL_ENABLED) << "8 of 20 MiB";
  }
  while (!buffers.empty()) FreeOne(holder, &buffers);
  ExpectDisabledSoon(client);
  EXPECT_EQ(client.Send(large), CS_OK);
  ASSERT_EQ(client.Dispatch(), CS_OK);
}

TEST(FlowControlTest, AllocationThatIsRefusedIsASendThatIs) {
  for (const cpg_model_t model : {CPG_MODEL_V1, CPG_MODEL_ZCB}) {
    Client client(model);
    client.Enter("allocation");
    std::vector<void*> buffers = TakeAllMemory(client, 8 << 20);
    EXPECT_EQ(Flow(client), CPG_FLOW_CONTROL_ENABLED);
    EXPECT_EQ(Stats(client).refused_sends, 1U);
    void* aligned = nullptr;
    EXPECT_EQ(cpg_zcb_alloc_aligned(client.handle, 8 << 20, 2 << 20, &aligned),
              CS_ERR_NO_MEMORY);
    EXPECT_EQ(Stats(client).refused_sends, 2U);
    while (!buffers.empty()) FreeOne(client, &buffers);
    ExpectDisabledSoon(client);
    ASSERT_EQ(client.Leave("allocation"), CS_OK);
    client.DispatchUntilChanges(2);
  }
}

// The largest counts, and once it was sent, it lacks no more: though all memory
// may be in use again.
TEST(FlowControlTest, LargestMessageThatWasRefusedCountsUntilOneLikeItIsSent) {
  Client client;
  client.Enter("largest");
  Client holder;
  std::vector<void*> buffers = TakeAllMemory(holder, 8 << 20);
  const std::string large(40 << 20, 'x');
  const std::string small(10 << 20, 'x');
  ASSERT_EQ(client.Send(large), CS_ERR_TRY_AGAIN);
  ASSERT_EQ(client.Send(small), CS_ERR_TRY_AGAIN);
  FreeOne(holder, &buffers);
  FreeOne(holder, &buffers);
  ASSERT_EQ(client.Send(small), CS_OK);
  ASSERT_EQ(client.Dispatch(), CS_OK);
  EXPECT_EQ(Flow(client), CPG_FLOW_CONTROL_ENABLED);
  while (client.Send(large) != CS_OK) FreeOne(holder, &buffers);
  std::vector<void*> again = TakeAllMemory(holder, 1 << 20);
  EXPECT_EQ(Flow(client), CPG_FLOW_CONTROL_DISABLED);
  while (!buffers.empty()) FreeOne(holder, &buffers);
  while (!again.empty()) FreeOne(holder, &again);
  ASSERT_EQ(client.Dispatch(), CS_OK);
}

}  // namespace
}  // namespace zcb::cpg::testing
