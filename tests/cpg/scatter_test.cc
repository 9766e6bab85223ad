// One buffer is one message: what CPG_MODEL_ZCB refuses, and what it copies.
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "tests/cpg/client.h"
#include "tests/cpg/kept.h"

namespace zcb::cpg::testing {
namespace {

const RegionOfThisTest region_of_this_test;

cs_error_t SendFrom(const Client& client, const void* where,
                    std::size_t length_bytes) {
  return cpg_zcb_mcast_joined(client.handle, CPG_TYPE_AGREED,
                              const_cast<void*>(where), length_bytes);
}

TEST(ScatterTest, SendingFromInsideABufferIsRefusedAndTheBufferStaysWhole) {
  Client client(CPG_MODEL_ZCB);
  client.Enter("inside");
  for (const std::size_t bytes :
       {std::size_t{64}, std::size_t{1000}, std::size_t{4096},
        std::size_t{100'000}, std::size_t{5 << 20}}) {
    for (const std::size_t alignment : {std::size_t{64}, std::size_t{4096}}) {
      void* buffer = nullptr;
      ASSERT_EQ(cpg_zcb_alloc_aligned(client.handle, bytes, alignment, &buffer),
                CS_OK);
      auto* const text = static_cast<char*>(buffer);
      std::memset(text, 'w', bytes);
      const std::size_t step = bytes > 100'000 ? 65536 : 64;
      for (std::size_t inside = step; inside < bytes; inside += step) {
        ASSERT_EQ(SendFrom(client, text + inside, 1), CS_ERR_INVALID_PARAM)
            << inside << " of " << bytes;
      }
      EXPECT_EQ(SendFrom(client, text + 1, 1), CS_ERR_INVALID_PARAM);
      EXPECT_EQ(SendFrom(client, text + bytes - 1, 1), CS_ERR_INVALID_PARAM);
      ASSERT_EQ(SendFrom(client, text, bytes), CS_OK);
      ASSERT_EQ(client.Dispatch(), CS_OK);
      EXPECT_EQ(client.messages.back().text, std::string(bytes, 'w'));
    }
  }
  EXPECT_EQ(InfoOf(client).live_buffers, 0U);
}

TEST(ScatterTest, TheSameBufferIsNotSentTwice) {
  Client client(CPG_MODEL_ZCB);
  Client other(CPG_MODEL_ZCB);
  client.Enter("twice");
  other.Enter("twice-other");
  void* buffer = nullptr;
  ASSERT_EQ(cpg_zcb_alloc(client.handle, 100, &buffer), CS_OK);
  ASSERT_EQ(SendFrom(client, buffer, 50), CS_OK);
  EXPECT_EQ(SendFrom(client, buffer, 50), CS_ERR_INVALID_PARAM);
  EXPECT_EQ(SendFrom(other, buffer, 50), CS_ERR_INVALID_PARAM);
  // Nor while it is read, nor while it is kept.
  client.on_message_in_place = [&](const void* msg) {
    EXPECT_EQ(msg, buffer);
    EXPECT_EQ(SendFrom(client, msg, 50), CS_ERR_INVALID_PARAM);
    EXPECT_EQ(cpg_zcb_free(client.handle, buffer), CS_ERR_INVALID_PARAM);
    EXPECT_EQ(cpg_zcb_retain(client.handle, msg), CS_OK);
  };
  ASSERT_EQ(client.Dispatch(), CS_OK);
  ASSERT_EQ(client.messages.size(), 1U);
  EXPECT_EQ(SendFrom(client, buffer, 50), CS_ERR_INVALID_PARAM);
  EXPECT_EQ(SendFrom(other, buffer, 50), CS_ERR_INVALID_PARAM);
  EXPECT_EQ(cpg_zcb_free(client.handle, buffer), CS_ERR_INVALID_PARAM);
  EXPECT_EQ(cpg_zcb_release(buffer), CS_OK);
}

TEST(ScatterTest, OfTwoThreadsThatSendOneBufferOneWins) {
  Client client(CPG_MODEL_ZCB);
  Client other(CPG_MODEL_ZCB);
  client.Enter("race");
  other.Enter("race-other");
  for (std::size_t round = 0; round < 500; ++round) {
    void* buffer = nullptr;
    ASSERT_EQ(cpg_zcb_alloc(client.handle, 8, &buffer), CS_OK);
    std::memcpy(buffer, "one only", 8);
    cs_error_t errors[2] = {};
    std::thread first([&] { errors[0] = SendFrom(client, buffer, 8); });
    errors[1] = SendFrom(other, buffer, 8);
    first.join();
    const bool first_won = errors[0] == CS_OK;
    ASSERT_EQ(errors[first_won ? 0 : 1], CS_OK);
    ASSERT_EQ(errors[first_won ? 1 : 0], CS_ERR_INVALID_PARAM);
    ASSERT_EQ(client.Dispatch(), CS_OK);
    ASSERT_EQ(other.Dispatch(), CS_OK);
    ASSERT_EQ(client.messages.size() + other.messages.size(), round + 1);
  }
}

TEST(ScatterTest, PiecesOfALiveBufferAreGatheredAndItStaysTheCallers) {
  Client client(CPG_MODEL_ZCB);
  client.Enter("gather");
  void* buffer = nullptr;
  ASSERT_EQ(cpg_zcb_alloc(client.handle, 100, &buffer), CS_OK);
  auto* const text = static_cast<char*>(buffer);
  std::memcpy(text, "head tail", 9);
  const iovec pieces[] = {{text, 5}, {text + 5, 4}, {text, 4}};
  ASSERT_EQ(cpg_mcast_joined(client.handle, CPG_TYPE_AGREED, pieces, 3), CS_OK);
  ASSERT_EQ(cpg_mcast_joined(client.handle, CPG_TYPE_AGREED, pieces + 1, 1),
            CS_OK);
  std::memcpy(text, "changed now", 11);
  ASSERT_EQ(SendFrom(client, buffer, 11), CS_OK) << "still the caller's";
  ASSERT_EQ(client.Dispatch(), CS_OK);
  EXPECT_EQ(client.Texts(),
            (std::vector<std::string>{"head tailhead", "tail", "changed now"}));
  EXPECT_EQ(client.messages[2].address, buffer);
  EXPECT_NE(client.messages[0].address, buffer);
}

TEST(ScatterTest, ManyMessagesFromOneBufferAreCopiesUnderV1) {
  Client client(CPG_MODEL_V1);
  client.Enter("v1");
  void* buffer = nullptr;
  ASSERT_EQ(cpg_zcb_alloc(client.handle, 100, &buffer), CS_OK);
  auto* const text = static_cast<char*>(buffer);
  std::memcpy(text, "abc", 3);
  for (int i = 0; i < 3; ++i) ASSERT_EQ(SendFrom(client, text + i, 1), CS_OK);
  ASSERT_EQ(client.Dispatch(), CS_OK);
  EXPECT_EQ(client.Texts(), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(cpg_zcb_free(client.handle, buffer), CS_OK);
}

}  // namespace
}  // namespace zcb::cpg::testing
