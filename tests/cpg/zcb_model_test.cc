// Messages under CPG_MODEL_ZCB: moved, read in place, kept, pulled.
#include <cstring>
#include <string>

#include "tests/cpg/client.h"

namespace zcb::cpg::testing {
namespace {

const RegionOfThisTest region_of_this_test;

std::uint64_t OutBuffers(const Client& client) {
  struct cpg_zcb_region_info info{};
  info.size = sizeof(info);
  EXPECT_EQ(cpg_zcb_collect(client.handle), CS_OK);
  EXPECT_EQ(cpg_zcb_region_info(client.handle, &info), CS_OK);
  return info.out_buffers;
}

TEST(ZcbModelTest, ReceiverReadsTheSendersOwnBytes) {
  Client client(CPG_MODEL_ZCB);
  client.Enter("in-place");
  const void* sent = nullptr;
  ASSERT_EQ(client.SendInPlace("hello", &sent), CS_OK);
  ASSERT_EQ(client.Dispatch(), CS_OK);
  ASSERT_EQ(client.messages.size(), 1U);
  EXPECT_EQ(client.messages[0].text, "hello");
  EXPECT_EQ(client.messages[0].address, sent);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(sent) % 64, 0U);
}

TEST(ZcbModelTest, APageAlignedBufferIsReadInPlaceAtItsPage) {
  Client client(CPG_MODEL_ZCB);
  client.Enter("pages");
  void* buffer = nullptr;
  ASSERT_EQ(cpg_zcb_alloc_aligned(client.handle, 4096, 4096, &buffer), CS_OK);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer) % 4096, 0U);
  std::memset(buffer, 'p', 4096);
  ASSERT_EQ(cpg_zcb_mcast_joined(client.handle, CPG_TYPE_AGREED, buffer, 4096),
            CS_OK);
  ASSERT_EQ(client.Dispatch(), CS_OK);
  ASSERT_EQ(client.messages.size(), 1U);
  EXPECT_EQ(client.messages[0].address, buffer);
  EXPECT_EQ(client.messages[0].text, std::string(4096, 'p'));
  EXPECT_EQ(cpg_zcb_alloc_aligned(client.handle, 1, 3, &buffer),
            CS_ERR_INVALID_PARAM);
  EXPECT_EQ(cpg_zcb_alloc_aligned(client.handle, 1, 64, nullptr),
            CS_ERR_INVALID_PARAM);
}

TEST(ZcbModelTest, SentBufferIsNoLongerTheCallers) {
  Client client(CPG_MODEL_ZCB);
  client.Enter("moved");
  void* buffer = nullptr;
  ASSERT_EQ(cpg_zcb_alloc(client.handle, 10, &buffer), CS_OK);
  ASSERT_EQ(cpg_zcb_mcast_joined(client.handle, CPG_TYPE_AGREED, buffer, 10),
            CS_OK);
  EXPECT_EQ(cpg_zcb_mcast_joined(client.handle, CPG_TYPE_AGREED, buffer, 10),
            CS_ERR_INVALID_PARAM);
  EXPECT_EQ(cpg_zcb_free(client.handle, buffer), CS_ERR_INVALID_PARAM);
}

TEST(ZcbModelTest, OnAnyErrorTheBufferIsStillTheCallers) {
  Client client(CPG_MODEL_ZCB);
  void* buffer = nullptr;
  ASSERT_EQ(cpg_zcb_alloc(client.handle, 10, &buffer), CS_OK);
  const auto send = [&](std::size_t length_bytes) {
    return cpg_zcb_mcast_joined(client.handle, CPG_TYPE_AGREED, buffer,
                                length_bytes);
  };
  EXPECT_EQ(send(10), CS_ERR_NOT_EXIST);
  client.Enter("errors");
  EXPECT_EQ(send(std::size_t{1} << 20), CS_ERR_TOO_BIG);
  EXPECT_EQ(send(~std::size_t{0}), CS_ERR_TOO_BIG);
  std::size_t sent = 0;
  while (client.SendInPlace("x") == CS_OK) ++sent;
  EXPECT_GT(sent, 100U);
  EXPECT_EQ(send(10), CS_ERR_TRY_AGAIN);
  std::memset(buffer, 'y', 10);
  ASSERT_EQ(client.Dispatch(), CS_OK);
  ASSERT_EQ(client.messages.size(), sent);
  EXPECT_EQ(send(10), CS_OK);
  ASSERT_EQ(client.Dispatch(), CS_OK);
  EXPECT_EQ(client.messages.back().text, std::string(10, 'y'));
}

TEST(ZcbModelTest, AnythingButALiveBuffersStartIsRefused) {
  Client client(CPG_MODEL_ZCB);
  client.Enter("strict");
  char foreign[64] = {};
  void* buffer = nullptr;
  ASSERT_EQ(cpg_zcb_alloc(client.handle, 1000, &buffer), CS_OK);
  for (void* wrong : {static_cast<void*>(nullptr), static_cast<void*>(foreign),
                      static_cast<void*>(static_cast<char*>(buffer) + 1),
                      static_cast<void*>(static_cast<char*>(buffer) + 64)}) {
    EXPECT_EQ(cpg_zcb_mcast_joined(client.handle, CPG_TYPE_AGREED, wrong, 0),
              CS_ERR_INVALID_PARAM);
  }
  ASSERT_EQ(cpg_zcb_free(client.handle, buffer), CS_OK);
  EXPECT_EQ(cpg_zcb_mcast_joined(client.handle, CPG_TYPE_AGREED, buffer, 1),
            CS_ERR_INVALID_PARAM);
}

TEST(ZcbModelTest, EmptyBufferCanBeSentAndFreed) {
  Client client(CPG_MODEL_ZCB);
  client.Enter("zero");
  void* buffer = nullptr;
  ASSERT_EQ(cpg_zcb_alloc(client.handle, 0, &buffer), CS_OK);
  ASSERT_NE(buffer, nullptr);
  EXPECT_EQ(cpg_zcb_free(client.handle, buffer), CS_OK);
  ASSERT_EQ(client.SendInPlace(""), CS_OK);
  ASSERT_EQ(client.Dispatch(), CS_OK);
  EXPECT_EQ(client.Texts(), std::vector<std::string>{""});
}

TEST(ZcbModelTest, BufferOfOneHandleGoesToTheGroupOfTheHandleThatSends) {
  Client first(CPG_MODEL_ZCB);
  Client second(CPG_MODEL_ZCB);
  second.Enter("second");
  void* buffer = nullptr;
  ASSERT_EQ(cpg_zcb_alloc(first.handle, 5, &buffer), CS_OK);
  std::memcpy(buffer, "cross", 5);
  ASSERT_EQ(cpg_zcb_mcast_joined(second.handle, CPG_TYPE_AGREED, buffer, 5),
            CS_OK);
  ASSERT_EQ(second.Dispatch(), CS_OK);
  EXPECT_EQ(second.Texts(), std::vector<std::string>{"cross"});
}

TEST(ZcbModelTest, GatheredSendWorksHereToo) {
  Client client(CPG_MODEL_ZCB);
  client.Enter("gather");
  ASSERT_EQ(client.Send("copied"), CS_OK);
  ASSERT_EQ(client.Dispatch(), CS_OK);
  EXPECT_EQ(client.Texts(), std::vector<std::string>{"copied"});
}

// --- kept messages -----------------------------------------------------------

TEST(RetainTest, KeptMessageStaysAcrossLeaveAndFinalize) {
  const Client witness;
  const std::uint64_t out_before = OutBuffers(witness);
  const char* kept = nullptr;
  {
    Client client(CPG_MODEL_ZCB);
    client.Enter("keep");
    client.on_message_in_place = [&](const void* msg) {
      EXPECT_EQ(cpg_zcb_retain(client.handle, msg), CS_OK);
      kept = static_cast<const char*>(msg);
    };
    ASSERT_EQ(client.SendInPlace("kept"), CS_OK);
    ASSERT_EQ(client.Dispatch(), CS_OK);
    client.on_message_in_place = nullptr;
    // Whatever is allocated now must not lie there.
    for (int i = 0; i < 10000; ++i) {
      ASSERT_EQ(client.SendInPlace("over"), CS_OK);
      ASSERT_EQ(client.Dispatch(), CS_OK);
    }
    EXPECT_EQ(std::memcmp(kept, "kept", 4), 0);
    ASSERT_EQ(client.Leave("keep"), CS_OK);
    ASSERT_EQ(client.Dispatch(), CS_OK);
    EXPECT_EQ(std::memcmp(kept, "kept", 4), 0);
  }
  EXPECT_EQ(std::memcmp(kept, "kept", 4), 0);
  EXPECT_EQ(OutBuffers(witness), out_before + 1);
  EXPECT_EQ(cpg_zcb_release(kept), CS_OK);
  EXPECT_EQ(OutBuffers(witness), out_before);
  EXPECT_EQ(cpg_zcb_release(kept), CS_ERR_INVALID_PARAM);
}

TEST(RetainTest, EachRetainWantsOneRelease) {
  Client client(CPG_MODEL_ZCB);
  client.Enter("twice");
  const void* kept = nullptr;
  client.on_message_in_place = [&](const void* msg) {
    EXPECT_EQ(cpg_zcb_retain(client.handle, msg), CS_OK);
    EXPECT_EQ(cpg_zcb_retain(client.handle, msg), CS_OK);
    kept = msg;
  };
  ASSERT_EQ(client.SendInPlace("x"), CS_OK);
  ASSERT_EQ(client.Dispatch(), CS_OK);
  EXPECT_EQ(cpg_zcb_release(kept), CS_OK);
  EXPECT_EQ(cpg_zcb_release(kept), CS_OK);
  EXPECT_EQ(cpg_zcb_release(kept), CS_ERR_INVALID_PARAM);
}

TEST(RetainTest, OnlyAnOpenMessageCanBeKept) {
  Client client(CPG_MODEL_ZCB);
  client.Enter("open");
  const void* past = nullptr;
  ASSERT_EQ(client.SendInPlace("x", &past), CS_OK);
  ASSERT_EQ(client.Dispatch(), CS_OK);
  int local = 0;
  EXPECT_EQ(cpg_zcb_retain(client.handle, past), CS_ERR_INVALID_PARAM);
  EXPECT_EQ(cpg_zcb_retain(client.handle, &local), CS_ERR_INVALID_PARAM);
  EXPECT_EQ(cpg_zcb_retain(client.handle, nullptr), CS_ERR_INVALID_PARAM);
  EXPECT_EQ(cpg_zcb_release(past), CS_ERR_INVALID_PARAM);
  EXPECT_EQ(cpg_zcb_release(&local), CS_ERR_INVALID_PARAM);
  EXPECT_EQ(cpg_zcb_release(nullptr), CS_ERR_INVALID_PARAM);
}

TEST(RetainTest, TooManyKeptMessagesAreRefusedAndComeBack) {
  Client client(CPG_MODEL_ZCB);
  client.Enter("many");
  const std::uint64_t out_before = OutBuffers(client);
  std::vector<const void*> kept;
  cs_error_t last = CS_OK;
  client.on_message_in_place = [&](const void* msg) {
    last = cpg_zcb_retain(client.handle, msg);
    if (last == CS_OK) kept.push_back(msg);
  };
  while (last == CS_OK) {
    ASSERT_EQ(client.SendInPlace("x"), CS_OK);
    ASSERT_EQ(client.Dispatch(), CS_OK);
    ASSERT_LT(kept.size(), 100000U);
  }
  EXPECT_EQ(last, CS_ERR_NO_RESOURCES);
  EXPECT_GT(kept.size(), 100U);
  for (const void* msg : kept) EXPECT_EQ(cpg_zcb_release(msg), CS_OK);
  EXPECT_EQ(OutBuffers(client), out_before);
}

// --- pulled messages ---------------------------------------------------------

TEST(NextTest, EventsComeInOrderWithGrowingSequence) {
  Client client(CPG_MODEL_ZCB);
  cpg_zcb_message message{};
  EXPECT_EQ(cpg_zcb_next(client.handle, &message), CS_ERR_NOT_EXIST);
  EXPECT_EQ(cpg_zcb_next(client.handle, nullptr), CS_ERR_INVALID_PARAM);
  ASSERT_EQ(client.Join("pull"), CS_OK);
  const void* sent = nullptr;
  ASSERT_EQ(client.SendInPlace("a", &sent), CS_OK);
  ASSERT_EQ(client.SendInPlace(""), CS_OK);
  ASSERT_EQ(client.Leave("pull"), CS_OK);

  ASSERT_EQ(cpg_zcb_next(client.handle, &message), CS_OK);
  EXPECT_EQ(message.kind, std::uint32_t{CPG_ZCB_VIEW});
  EXPECT_EQ(message.reason, std::uint32_t{CPG_REASON_JOIN});
  EXPECT_EQ(message.nodeid, 1U);
  EXPECT_EQ(message.pid, OwnPid());
  ASSERT_EQ(message.length, sizeof(cpg_address));
  EXPECT_EQ(static_cast<const cpg_address*>(message.data)->pid, OwnPid());
  std::uint64_t sequence = message.sequence;

  ASSERT_EQ(cpg_zcb_next(client.handle, &message), CS_OK);
  EXPECT_EQ(message.kind, std::uint32_t{CPG_ZCB_MESSAGE});
  EXPECT_EQ(message.reason, 0U);
  EXPECT_EQ(message.data, sent);
  EXPECT_EQ(message.length, 1U);
  EXPECT_EQ(message.pid, OwnPid());
  EXPECT_GT(message.sequence, sequence);
  sequence = message.sequence;

  ASSERT_EQ(cpg_zcb_next(client.handle, &message), CS_OK);
  EXPECT_EQ(message.length, 0U);
  EXPECT_NE(message.data, nullptr);
  EXPECT_GT(message.sequence, sequence);

  ASSERT_EQ(cpg_zcb_next(client.handle, &message), CS_OK);
  EXPECT_EQ(message.kind, std::uint32_t{CPG_ZCB_VIEW});
  EXPECT_EQ(message.reason, std::uint32_t{CPG_REASON_LEAVE});
  EXPECT_EQ(message.length, 0U);
  EXPECT_NE(message.data, nullptr);
  EXPECT_EQ(cpg_zcb_next(client.handle, &message), CS_ERR_NOT_EXIST);
}

TEST(NextTest, EmptyRingIsTryAgain) {
  Client client(CPG_MODEL_ZCB);
  client.Enter("pull-empty");
  cpg_zcb_message message{};
  EXPECT_EQ(cpg_zcb_next(client.handle, &message), CS_ERR_TRY_AGAIN);
}

TEST(NextTest, PulledMessageCanBeKept) {
  Client client(CPG_MODEL_ZCB);
  client.Enter("pull-keep");
  ASSERT_EQ(client.SendInPlace("kept"), CS_OK);
  ASSERT_EQ(client.SendInPlace("next"), CS_OK);
  cpg_zcb_message message{};
  ASSERT_EQ(cpg_zcb_next(client.handle, &message), CS_OK);
  const void* const kept = message.data;
  EXPECT_EQ(cpg_zcb_retain(client.handle, kept), CS_OK);
  ASSERT_EQ(cpg_zcb_next(client.handle, &message), CS_OK);
  EXPECT_EQ(std::memcmp(kept, "kept", 4), 0);
  EXPECT_EQ(cpg_zcb_release(kept), CS_OK);
  EXPECT_EQ(cpg_zcb_retain(client.handle, kept), CS_ERR_INVALID_PARAM);
}

TEST(NextTest, PulledMessageIsNotReusedBeforeTheNextCall) {
  Client client(CPG_MODEL_ZCB);
  client.Enter("pull-hold");
  ASSERT_EQ(client.SendInPlace("hold"), CS_OK);
  cpg_zcb_message message{};
  ASSERT_EQ(cpg_zcb_next(client.handle, &message), CS_OK);
  std::size_t sent = 0;
  while (client.SendInPlace("over") == CS_OK) ++sent;
  EXPECT_EQ(std::memcmp(message.data, "hold", 4), 0);
  // Dispatch ends it, and goes on behind it.
  ASSERT_EQ(client.Dispatch(), CS_OK);
  EXPECT_EQ(client.messages.size(), sent);
  EXPECT_EQ(client.SendInPlace("more"), CS_OK);
}

TEST(NextTest, PullInsideACallbackTakesWhatFollows) {
  Client client(CPG_MODEL_ZCB);
  client.Enter("pull-inside");
  ASSERT_EQ(client.SendInPlace("1"), CS_OK);
  ASSERT_EQ(client.SendInPlace("2"), CS_OK);
  ASSERT_EQ(client.SendInPlace("3"), CS_OK);
  std::string pulled;
  client.on_message_in_place = [&](const void* msg) {
    if (*static_cast<const char*>(msg) != '1') return;
    cpg_zcb_message message{};
    ASSERT_EQ(cpg_zcb_next(client.handle, &message), CS_OK);
    pulled.assign(static_cast<const char*>(message.data), message.length);
    EXPECT_EQ(cpg_zcb_retain(client.handle, msg), CS_OK);
    EXPECT_EQ(cpg_zcb_release(msg), CS_OK);
  };
  ASSERT_EQ(client.Dispatch(), CS_OK);
  EXPECT_EQ(pulled, "2");
  EXPECT_EQ(client.Texts(), (std::vector<std::string>{"1", "3"}));
}

}  // namespace
}  // namespace zcb::cpg::testing
