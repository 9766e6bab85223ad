// Messages under CPG_MODEL_V1, Corosync's contract; in one process.
#include <sys/mman.h>

#include <cstring>
#include <numeric>
#include <string>

#include "tests/cpg/client.h"

namespace zcb::cpg::testing {
namespace {

const RegionOfThisTest region_of_this_test;

TEST(MessageTest, SenderGetsItsOwnMessagesInOrderWithItsAddress) {
  Client client;
  client.Enter("own");
  for (const cpg_guarantee_t guarantee :
       {CPG_TYPE_UNORDERED, CPG_TYPE_FIFO, CPG_TYPE_AGREED, CPG_TYPE_SAFE}) {
    const std::string text = "guarantee " + std::to_string(guarantee);
    const iovec piece{const_cast<char*>(text.data()), text.size()};
    ASSERT_EQ(cpg_mcast_joined(client.handle, guarantee, &piece, 1), CS_OK);
  }
  ASSERT_EQ(client.Dispatch(), CS_OK);
  ASSERT_EQ(client.messages.size(), 4U);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(client.messages[i].text, "guarantee " + std::to_string(i));
    EXPECT_EQ(client.messages[i].group, "own");
    EXPECT_EQ(client.messages[i].nodeid, 1U);
    EXPECT_EQ(client.messages[i].pid, OwnPid());
  }
}

TEST(MessageTest, SendWithoutJoinIsRefused) {
  Client client;
  char byte = 0;
  EXPECT_EQ(client.Send("x"), CS_ERR_NOT_EXIST);
  EXPECT_EQ(cpg_zcb_mcast_joined(client.handle, CPG_TYPE_AGREED, &byte, 1),
            CS_ERR_NOT_EXIST);
  cpg_flow_control_state_t state = CPG_FLOW_CONTROL_ENABLED;
  EXPECT_EQ(cpg_flow_control_state_get(client.handle, &state), CS_OK);
  EXPECT_EQ(state, CPG_FLOW_CONTROL_DISABLED);
}

TEST(MessageTest, EmptyMessagesHaveManyForms) {
  Client client;
  client.Enter("empty");
  const iovec nothing{nullptr, 0};
  ASSERT_EQ(cpg_mcast_joined(client.handle, CPG_TYPE_AGREED, nullptr, 0),
            CS_OK);
  ASSERT_EQ(cpg_mcast_joined(client.handle, CPG_TYPE_AGREED, &nothing, 0),
            CS_OK);
  ASSERT_EQ(cpg_mcast_joined(client.handle, CPG_TYPE_AGREED, &nothing, 1),
            CS_OK);
  ASSERT_EQ(cpg_zcb_mcast_joined(client.handle, CPG_TYPE_AGREED, nullptr, 0),
            CS_OK);
  ASSERT_EQ(client.Dispatch(), CS_OK);
  EXPECT_EQ(client.Texts(), std::vector<std::string>(4));
}

TEST(MessageTest, WrongArgumentsAreRefused) {
  Client client;
  client.Enter("wrong");
  char byte = 0;
  EXPECT_EQ(cpg_mcast_joined(client.handle, CPG_TYPE_AGREED, nullptr, 1),
            CS_ERR_INVALID_PARAM);
  const iovec overflow[2] = {{&byte, ~std::size_t{0}}, {&byte, 2}};
  EXPECT_EQ(cpg_mcast_joined(client.handle, CPG_TYPE_AGREED, overflow, 2),
            CS_ERR_INVALID_PARAM);
  EXPECT_EQ(cpg_zcb_mcast_joined(client.handle, CPG_TYPE_AGREED, nullptr, 1),
            CS_ERR_INVALID_PARAM);
  const iovec huge{&byte, std::size_t{1} << 40};
  EXPECT_EQ(cpg_mcast_joined(client.handle, CPG_TYPE_AGREED, &huge, 1),
            CS_ERR_TOO_BIG);
  void* buffer = nullptr;
  EXPECT_EQ(cpg_zcb_alloc(client.handle, std::size_t{1} << 40, &buffer),
            CS_ERR_TOO_BIG);
  EXPECT_EQ(cpg_zcb_alloc(client.handle, ~std::size_t{0}, &buffer),
            CS_ERR_TOO_BIG);
  ASSERT_EQ(client.Dispatch(), CS_OK);
  EXPECT_TRUE(client.messages.empty());
}

TEST(MessageTest, AHundredPiecesMakeOneMessage) {
  Client client;
  client.Enter("pieces");
  std::string whole;
  std::vector<std::string> parts;
  std::vector<iovec> pieces;
  for (std::size_t i = 0; i < 100; ++i) {
    parts.emplace_back(i * 37 % 1000, static_cast<char>('!' + i % 90));
    whole += parts.back();
  }
  for (std::string& part : parts) pieces.push_back({part.data(), part.size()});
  ASSERT_EQ(cpg_mcast_joined(client.handle, CPG_TYPE_AGREED, pieces.data(),
                             static_cast<unsigned>(pieces.size())),
            CS_OK);
  ASSERT_EQ(client.Dispatch(), CS_OK);
  ASSERT_EQ(client.messages.size(), 1U);
  EXPECT_EQ(client.messages[0].text, whole);
}

TEST(MessageTest, EverySizeArrivesWhole) {
  Client client;
  client.Enter("sizes");
  std::vector<std::size_t> sizes{0, 1};
  for (std::size_t size = 2; size <= (std::size_t{64} << 20); size *= 2) {
    sizes.insert(sizes.end(), {size - 1, size, size + 1});
  }
  std::string text(sizes.back(), '\0');
  std::iota(text.begin(), text.end(), '\0');
  for (const std::size_t size : sizes) {
    const std::string_view part = std::string_view(text).substr(0, size);
    ASSERT_EQ(client.Send(part), CS_OK) << size;
    ASSERT_EQ(client.Dispatch(), CS_OK) << size;
    ASSERT_EQ(client.messages.size(), 1U) << size;
    ASSERT_TRUE(client.messages[0].text == part) << size;
    client.messages.clear();
  }
}

TEST(MessageTest, BufferCanBeChangedSentAgainAndFreedAtOnce) {
  Client client;
  client.Enter("reuse");
  void* buffer = nullptr;
  ASSERT_EQ(cpg_zcb_alloc(client.handle, 100, &buffer), CS_OK);
  const auto send = [&](const char* text) {
    std::strcpy(static_cast<char*>(buffer), text);
    return cpg_zcb_mcast_joined(client.handle, CPG_TYPE_AGREED, buffer,
                                std::strlen(text));
  };
  ASSERT_EQ(send("one"), CS_OK);
  ASSERT_EQ(send("two"), CS_OK);
  ASSERT_EQ(cpg_zcb_mcast_joined(client.handle, CPG_TYPE_AGREED,
                                 static_cast<char*>(buffer) + 1, 2),
            CS_OK);
  std::memset(buffer, '?', 100);
  ASSERT_EQ(cpg_zcb_free(client.handle, buffer), CS_OK);
  EXPECT_EQ(cpg_zcb_free(client.handle, buffer), CS_ERR_INVALID_PARAM);
  char on_the_stack[] = "any readable memory";
  ASSERT_EQ(cpg_zcb_mcast_joined(client.handle, CPG_TYPE_AGREED, on_the_stack,
                                 sizeof(on_the_stack) - 1),
            CS_OK);
  ASSERT_EQ(client.Dispatch(), CS_OK);
  EXPECT_EQ(client.Texts(), (std::vector<std::string>{"one", "two", "wo",
                                                      "any readable memory"}));
}

TEST(MessageTest, WhatLiesBehindABufferIsNotSentWithIt) {
  Client client;
  client.Enter("behind");
  void* buffer = nullptr;
  ASSERT_EQ(cpg_zcb_alloc(client.handle, 64, &buffer), CS_OK);
  EXPECT_EQ(
      cpg_zcb_mcast_joined(client.handle, CPG_TYPE_AGREED, buffer, 900'000),
      CS_ERR_TOO_BIG);
  EXPECT_EQ(cpg_zcb_mcast_joined(client.handle, CPG_TYPE_AGREED, buffer, 64),
            CS_OK);
  EXPECT_EQ(cpg_zcb_free(client.handle, buffer), CS_OK);
}

TEST(MessageTest, DeliveredCopyIsWritableAlignedAndOutsideTheRegion) {
  Client client;
  client.Enter("writable");
  void* buffer = nullptr;
  ASSERT_EQ(cpg_zcb_alloc(client.handle, 5000, &buffer), CS_OK);
  std::memset(buffer, 'a', 5000);
  client.on_message = [&](void* msg, std::size_t length_bytes) {
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(msg) % 64, 0U);
    EXPECT_NE(msg, buffer);
    std::memset(msg, 'b', length_bytes);
  };
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(
        cpg_zcb_mcast_joined(client.handle, CPG_TYPE_AGREED, buffer, 5000),
        CS_OK);
  }
  ASSERT_EQ(client.Dispatch(), CS_OK);
  EXPECT_EQ(client.Texts(),
            std::vector<std::string>(3, std::string(5000, 'a')));
  EXPECT_EQ(*static_cast<char*>(buffer), 'a');
  EXPECT_EQ(cpg_zcb_free(client.handle, buffer), CS_OK);
}

TEST(MessageTest, ForeignInnerAndFreedBuffersAreRefused) {
  const Client client;
  char foreign[64];
  void* buffer = nullptr;
  ASSERT_EQ(cpg_zcb_alloc(client.handle, 1000, &buffer), CS_OK);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer) % 64, 0U);
  char* const inside = static_cast<char*>(buffer);
  for (void* wrong :
       {static_cast<void*>(nullptr), static_cast<void*>(foreign),
        static_cast<void*>(inside + 1), static_cast<void*>(inside + 64),
        static_cast<void*>(inside - 64), reinterpret_cast<void*>(64),
        reinterpret_cast<void*>(~std::uintptr_t{63})}) {
    EXPECT_EQ(cpg_zcb_free(client.handle, wrong), CS_ERR_INVALID_PARAM)
        << wrong;
  }
  EXPECT_EQ(cpg_zcb_free(client.handle, buffer), CS_OK);
  EXPECT_EQ(cpg_zcb_free(client.handle, buffer), CS_ERR_INVALID_PARAM);
}

// A buffer that begins at a page is still no page-aligned payload: in front of
// its payload lies its header, which is nobody's to send or to free by.
TEST(MessageTest, HeaderOfABufferIsNoBuffer) {
  Client client(CPG_MODEL_ZCB);
  client.Enter("headers");
  for (const std::size_t bytes :
       {4032U, 16U << 10, 64U << 10, 1U << 20, 4U << 20}) {
    void* buffer = nullptr;
    ASSERT_EQ(cpg_zcb_alloc(client.handle, bytes, &buffer), CS_OK) << bytes;
    void* const header = static_cast<char*>(buffer) - 64;
    EXPECT_EQ(cpg_zcb_free(client.handle, header), CS_ERR_INVALID_PARAM)
        << bytes;
    EXPECT_EQ(cpg_zcb_mcast_joined(client.handle, CPG_TYPE_AGREED, header, 128),
              CS_ERR_INVALID_PARAM)
        << bytes;
    EXPECT_EQ(cpg_zcb_free(client.handle, buffer), CS_OK) << bytes;
  }
}

TEST(MessageTest, FullRingSaysTryAgainAndFlowControlSaidSoBefore) {
  Client client;
  client.Enter("full");
  cpg_flow_control_state_t state{};
  const auto flow = [&] {
    EXPECT_EQ(cpg_flow_control_state_get(client.handle, &state), CS_OK);
    return state;
  };
  EXPECT_EQ(flow(), CPG_FLOW_CONTROL_DISABLED);
  std::size_t sent = 0;
  cs_error_t error = CS_OK;
  while ((error = client.Send(std::to_string(sent))) == CS_OK) {
    ++sent;
    ASSERT_LT(sent, 100000U);
  }
  EXPECT_EQ(error, CS_ERR_TRY_AGAIN);
  EXPECT_EQ(flow(), CPG_FLOW_CONTROL_ENABLED);
  // Half way down it still says so, from habit; below the half no more.
  while (client.messages.size() < sent * 4 / 10) {
    ASSERT_EQ(client.Dispatch(CS_DISPATCH_ONE), CS_OK);
  }
  EXPECT_EQ(cpg_zcb_collect(client.handle), CS_OK);
  EXPECT_EQ(flow(), CPG_FLOW_CONTROL_ENABLED);
  ASSERT_EQ(client.Dispatch(), CS_OK);
  EXPECT_EQ(cpg_zcb_collect(client.handle), CS_OK);
  EXPECT_EQ(flow(), CPG_FLOW_CONTROL_DISABLED);
  ASSERT_EQ(client.messages.size(), sent);
  for (std::size_t i = 0; i < sent; ++i) {
    ASSERT_EQ(client.messages[i].text, std::to_string(i));
  }
  EXPECT_EQ(client.Send("goes again"), CS_OK);
}

// It may be tried as often as it likes: nothing is copied in vain.
TEST(MessageTest, LongMessageIsNotTouchedWhileTheRingIsFull) {
  constexpr std::size_t kBytes = 1 << 20;
  void* const nowhere =
      mmap(nullptr, kBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(nowhere, MAP_FAILED);
  Client client;
  client.Enter("untouched");
  while (client.Send("x") == CS_OK) {
  }
  const iovec piece{nowhere, kBytes};
  EXPECT_EQ(cpg_mcast_joined(client.handle, CPG_TYPE_AGREED, &piece, 1),
            CS_ERR_TRY_AGAIN);
  EXPECT_EQ(munmap(nowhere, kBytes), 0);
  ASSERT_EQ(client.Dispatch(), CS_OK);
}

void ExpectTwoLimitsAndAJoinThatBeginsAnew() {
  Client client;
  client.Enter("limits");
  cpg_flow_control_state_t state{};
  const auto is_enabled = [&] {
    EXPECT_EQ(cpg_flow_control_state_get(client.handle, &state), CS_OK);
    return state == CPG_FLOW_CONTROL_ENABLED;
  };
  struct cpg_zcb_group_stats stats{};
  stats.size = sizeof(stats);
  ASSERT_EQ(cpg_zcb_group_stats_get(client.handle, nullptr, &stats), CS_OK);
  const std::uint64_t room = stats.ring_messages;
  const auto fill_to = [&](std::uint64_t percent) {
    do {
      ASSERT_EQ(client.Send("x"), CS_OK);
      stats.size = sizeof(stats);
      ASSERT_EQ(cpg_zcb_group_stats_get(client.handle, nullptr, &stats), CS_OK);
    } while (stats.ring_used * 100 < room * percent);
  };
  fill_to(74);
  EXPECT_FALSE(is_enabled());
  fill_to(77);
  EXPECT_TRUE(is_enabled());
  const auto read_to = [&](std::uint64_t percent) {
    do {
      ASSERT_EQ(client.Dispatch(CS_DISPATCH_ONE), CS_OK);
      stats.size = sizeof(stats);
      ASSERT_EQ(cpg_zcb_group_stats_get(client.handle, nullptr, &stats), CS_OK);
    } while (stats.ring_used * 100 > room * percent);
  };
  read_to(51);
  EXPECT_TRUE(is_enabled());
  read_to(48);
  EXPECT_FALSE(is_enabled());
  // Enabled, then out and in again, and between the limits.
  fill_to(77);
  EXPECT_TRUE(is_enabled());
  ASSERT_EQ(client.Leave("limits"), CS_OK);
  client.DispatchUntilChanges(2);
  ASSERT_EQ(client.Join("limits"), CS_OK);
  fill_to(60);
  EXPECT_FALSE(is_enabled());
  ASSERT_EQ(client.Dispatch(), CS_OK);
}

TEST(MessageTest, FlowControlHasTwoLimitsAndAJoinBeginsAnew) {
  ExpectTwoLimitsAndAJoinThatBeginsAnew();
  // Half of a small ring is for joins and ends: the limits are parts of the
  // rest.
  setenv("ZCB_REGION", "small-ring", 1);
  setenv("ZCB_RING_SLOTS", "1024", 1);
  ExpectTwoLimitsAndAJoinThatBeginsAnew();
  unsetenv("ZCB_REGION");
  unsetenv("ZCB_RING_SLOTS");
}

TEST(MessageTest, FullRegionSaysTryAgainToASendAndNoMemoryToAnAlloc) {
  Client client;
  client.Enter("memory");
  std::vector<void*> buffers;
  void* buffer = nullptr;
  cs_error_t error = CS_OK;
  while ((error = cpg_zcb_alloc(client.handle, 8 << 20, &buffer)) == CS_OK) {
    buffers.push_back(buffer);
  }
  EXPECT_EQ(error, CS_ERR_NO_MEMORY);
  EXPECT_GT(buffers.size(), 10U);
  const std::string large(8 << 20, 'x');
  EXPECT_EQ(client.Send(large), CS_ERR_TRY_AGAIN);
  EXPECT_EQ(cpg_zcb_mcast_joined(client.handle, CPG_TYPE_AGREED,
                                 const_cast<char*>(large.data()), large.size()),
            CS_ERR_TRY_AGAIN);
  for (void* each : buffers) {
    EXPECT_EQ(cpg_zcb_free(client.handle, each), CS_OK);
  }
  EXPECT_EQ(client.Send(large), CS_OK);
  ASSERT_EQ(client.Dispatch(), CS_OK);
  ASSERT_EQ(client.messages.size(), 1U);
  EXPECT_TRUE(client.messages[0].text == large);
}

TEST(MessageTest, ManyMessagesThroughASmallWindowLeakNothing) {
  Client client;
  client.Enter("window");
  struct cpg_zcb_region_info info{};
  info.size = sizeof(info);
  const std::string text(3000, 'w');
  std::uint64_t out_before = 0;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 20000; ++i) {
      ASSERT_EQ(client.Send(text), CS_OK);
      ASSERT_EQ(client.Dispatch(), CS_OK);
      client.messages.clear();
    }
    ASSERT_EQ(cpg_zcb_collect(client.handle), CS_OK);
    ASSERT_EQ(cpg_zcb_region_info(client.handle, &info), CS_OK);
    if (round == 0) out_before = info.out_buffers;
    EXPECT_EQ(info.out_buffers, out_before);
  }
}

TEST(MessageTest, NullCallbacksSwallowEvents) {
  cpg_handle_t handle = 0;
  ASSERT_EQ(cpg_initialize(&handle, nullptr), CS_OK);
  const cpg_name name = Named("swallow");
  ASSERT_EQ(cpg_join(handle, &name), CS_OK);
  ASSERT_EQ(cpg_mcast_joined(handle, CPG_TYPE_AGREED, nullptr, 0), CS_OK);
  EXPECT_EQ(cpg_dispatch(handle, CS_DISPATCH_ONE), CS_OK);
  EXPECT_EQ(cpg_dispatch(handle, CS_DISPATCH_ONE_NONBLOCKING), CS_OK);
  EXPECT_EQ(cpg_dispatch(handle, CS_DISPATCH_ONE_NONBLOCKING),
            CS_ERR_TRY_AGAIN);
  EXPECT_EQ(cpg_finalize(handle), CS_OK);
}

TEST(MessageTest, ZcbCallsOfOurOwnAreNotForThisModel) {
  Client client;
  client.Enter("not-v1");
  cpg_zcb_message message{};
  EXPECT_EQ(cpg_zcb_next(client.handle, &message), CS_ERR_NOT_SUPPORTED);
  cs_error_t retained = CS_OK;
  client.on_message = [&](void* msg, std::size_t) {
    retained = cpg_zcb_retain(client.handle, msg);
  };
  ASSERT_EQ(client.Send("x"), CS_OK);
  ASSERT_EQ(client.Dispatch(), CS_OK);
  EXPECT_EQ(retained, CS_ERR_NOT_SUPPORTED);
}

}  // namespace
}  // namespace zcb::cpg::testing
