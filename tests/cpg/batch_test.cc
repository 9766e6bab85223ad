// Several messages by one call, in one process: cpg_zcb_mcast_batch and
// cpg_zcb_next_batch.
#include <poll.h>

#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "tests/cpg/client.h"

namespace zcb::cpg::testing {
namespace {

const RegionOfThisTest region_of_this_test;
using Texts = std::vector<std::string>;

std::vector<iovec> Numbered(cpg_handle_t handle, std::size_t count,
                            std::size_t first = 0) {
  std::vector<iovec> messages;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string text = std::to_string(first + i);
    void* buffer = nullptr;
    EXPECT_EQ(cpg_zcb_alloc(handle, text.size(), &buffer), CS_OK);
    text.copy(static_cast<char*>(buffer), text.size());
    messages.push_back({buffer, text.size()});
  }
  return messages;
}
Texts NumberedTexts(std::size_t count, std::size_t first = 0) {
  Texts texts;
  for (std::size_t i = 0; i < count; ++i) {
    texts.push_back(std::to_string(first + i));
  }
  return texts;
}

cs_error_t SendBatch(cpg_handle_t handle, const std::vector<iovec>& messages,
                     unsigned int* sent) {
  return cpg_zcb_mcast_batch(handle, CPG_TYPE_AGREED, messages.data(),
                             static_cast<unsigned int>(messages.size()), sent);
}
void MustSend(cpg_handle_t handle, std::size_t count, std::size_t first = 0) {
  unsigned int sent = 0;
  ASSERT_EQ(SendBatch(handle, Numbered(handle, count, first), &sent), CS_OK);
  ASSERT_EQ(sent, count);
}

// A batch of at most that many, in words; and what it was.
struct Taken {
  cs_error_t error = CS_OK;
  Texts texts;
  std::vector<cpg_zcb_message> messages;
};
Taken Take(cpg_handle_t handle, unsigned int capacity) {
  Taken taken;
  taken.messages.resize(capacity);
  unsigned int count = 0;
  taken.error =
      cpg_zcb_next_batch(handle, taken.messages.data(), capacity, &count);
  taken.messages.resize(count);
  for (const cpg_zcb_message& message : taken.messages) {
    taken.texts.push_back(
        message.kind == CPG_ZCB_VIEW
            ? "view"
            : std::string(static_cast<const char*>(message.data),
                          message.length));
  }
  return taken;
}

std::uint64_t OutBuffers(cpg_handle_t handle) {
  EXPECT_EQ(cpg_zcb_collect(handle), CS_OK);
  struct cpg_zcb_region_info info{};
  info.size = sizeof(info);
  EXPECT_EQ(cpg_zcb_region_info(handle, &info), CS_OK);
  return info.out_buffers;
}

TEST(BatchTest, MessagesOfABatchComeInItsOrderInPlace) {
  Client client(CPG_MODEL_ZCB);
  client.Enter("order");
  const auto messages = Numbered(client.handle, 70);
  unsigned int sent = 0;
  ASSERT_EQ(SendBatch(client.handle, messages, &sent), CS_OK);
  EXPECT_EQ(sent, 70U);
  ASSERT_EQ(client.Dispatch(), CS_OK);
  EXPECT_EQ(client.Texts(), NumberedTexts(70));
  EXPECT_EQ(client.messages[69].address, messages[69].iov_base);
  EXPECT_EQ(cpg_zcb_free(client.handle, messages[0].iov_base),
            CS_ERR_INVALID_PARAM)
      << "no longer the caller's";
}

TEST(BatchTest, UnderV1BuffersAreCopiedAndStayTheCallers) {
  Client client;
  client.Enter("copied");
  char same[] = "same";
  const std::vector<iovec> messages = {{same, 4}, {same, 4}, {nullptr, 0}};
  unsigned int sent = 0;
  ASSERT_EQ(SendBatch(client.handle, messages, &sent), CS_OK);
  EXPECT_EQ(sent, 3U);
  std::memcpy(same, "gone", 4);
  ASSERT_EQ(client.Dispatch(), CS_OK);
  EXPECT_EQ(client.Texts(), (Texts{"same", "same", ""}));
}

TEST(BatchTest, ErrorIsAboutTheFirstThatWasNotSent) {
  Client client(CPG_MODEL_ZCB);
  client.Enter("error");
  auto messages = Numbered(client.handle, 4);
  messages[2].iov_len = 100'000;
  unsigned int sent = 99;
  EXPECT_EQ(SendBatch(client.handle, messages, &sent), CS_ERR_TOO_BIG);
  EXPECT_EQ(sent, 2U);
  EXPECT_EQ(SendBatch(client.handle, messages, &sent), CS_ERR_INVALID_PARAM)
      << "the first has gone";
  EXPECT_EQ(sent, 0U);
  for (const std::size_t i : {2U, 3U}) {
    EXPECT_EQ(cpg_zcb_free(client.handle, messages[i].iov_base), CS_OK);
  }
  ASSERT_EQ(client.Dispatch(), CS_OK);
  EXPECT_EQ(client.Texts(), NumberedTexts(2));
}

TEST(BatchTest, WhoIsInNoGroupSendsNotEvenNothing) {
  Client client(CPG_MODEL_ZCB);
  unsigned int sent = 99;
  EXPECT_EQ(SendBatch(client.handle, {}, &sent), CS_ERR_NOT_EXIST);
  EXPECT_EQ(sent, 0U);
  client.Enter("nothing");
  EXPECT_EQ(SendBatch(client.handle, {}, &sent), CS_OK);
}

TEST(BatchTest, FullRingTakesWhatGoes) {
  Client client(CPG_MODEL_ZCB);
  client.Enter("full");
  cpg_zcb_group_stats stats{};
  stats.size = sizeof(stats);
  ASSERT_EQ(cpg_zcb_group_stats_get(client.handle, nullptr, &stats), CS_OK);
  const auto messages = Numbered(client.handle, stats.ring_messages + 50);
  unsigned int sent = 0;
  EXPECT_EQ(SendBatch(client.handle, messages, &sent), CS_ERR_TRY_AGAIN);
  EXPECT_GT(sent, 0U);
  EXPECT_LT(sent, messages.size());
  EXPECT_EQ(cpg_zcb_wait(client.handle, 0, 0), CS_ERR_BUSY)
      << "full of what this very thread has not read";
  ASSERT_EQ(client.Dispatch(), CS_OK);
  EXPECT_EQ(client.Texts(), NumberedTexts(sent));
  unsigned int rest = 0;
  ASSERT_EQ(SendBatch(client.handle, {messages.begin() + sent, messages.end()},
                      &rest),
            CS_OK);
  ASSERT_EQ(client.Dispatch(), CS_OK);
  EXPECT_EQ(client.Texts(), NumberedTexts(messages.size()));
}

TEST(BatchTest, SendDescriptorKnowsOfARefusedBatch) {
  Client client(CPG_MODEL_ZCB);
  client.Enter("refused");
  int descriptor = -1;
  ASSERT_EQ(cpg_zcb_send_fd_get(client.handle, &descriptor), CS_OK);
  cpg_zcb_group_stats stats{};
  stats.size = sizeof(stats);
  ASSERT_EQ(cpg_zcb_group_stats_get(client.handle, nullptr, &stats), CS_OK);
  const auto messages = Numbered(client.handle, stats.ring_messages + 1);
  const auto is_readable = [&] {
    pollfd entry{descriptor, POLLIN, 0};
    return poll(&entry, 1, 0) == 1;
  };
  EXPECT_TRUE(is_readable());
  unsigned int sent = 0;
  ASSERT_EQ(SendBatch(client.handle, messages, &sent), CS_ERR_TRY_AGAIN);
  EXPECT_FALSE(is_readable());
  ASSERT_EQ(client.Dispatch(), CS_OK);
  EXPECT_TRUE(is_readable());
  for (std::size_t i = sent; i < messages.size(); ++i) {
    EXPECT_EQ(cpg_zcb_free(client.handle, messages[i].iov_base), CS_OK);
  }
}

// --- receive -----------------------------------------------------------------

TEST(BatchTest, BatchIsWhatIsThereAndAViewComesAlone) {
  Client client(CPG_MODEL_ZCB);
  ASSERT_EQ(client.Join("take"), CS_OK);
  MustSend(client.handle, 5);
  const Taken view = Take(client.handle, 8);
  EXPECT_EQ(view.texts, Texts{"view"});
  ASSERT_EQ(view.messages.size(), 1U);
  EXPECT_EQ(view.messages[0].length, sizeof(cpg_address));
  const Taken some = Take(client.handle, 3);
  EXPECT_EQ(some.texts, NumberedTexts(3));
  EXPECT_EQ(some.messages[1].sequence, some.messages[0].sequence + 1);
  EXPECT_EQ(some.messages[0].pid, OwnPid());
  EXPECT_EQ(Take(client.handle, 8).texts, NumberedTexts(2, 3));
  EXPECT_EQ(Take(client.handle, 8).error, CS_ERR_TRY_AGAIN);
  EXPECT_EQ(Take(client.handle, 8).error, CS_ERR_TRY_AGAIN) << "quiet";
  EXPECT_EQ(OutBuffers(client.handle), 0U);
}

TEST(BatchTest, NoBatchIsLargerThanTheLargest) {
  Client client(CPG_MODEL_ZCB);
  client.Enter("largest");
  MustSend(client.handle, CPG_ZCB_MAX_BATCH + 10);
  EXPECT_EQ(Take(client.handle, CPG_ZCB_MAX_BATCH + 5).texts,
            NumberedTexts(CPG_ZCB_MAX_BATCH));
  EXPECT_EQ(Take(client.handle, CPG_ZCB_MAX_BATCH + 5).texts,
            NumberedTexts(10, CPG_ZCB_MAX_BATCH));
}

TEST(BatchTest, BatchIsOpenUntilTheNextCall) {
  Client client(CPG_MODEL_ZCB);
  client.Enter("open");
  const auto next = [&] {
    cpg_zcb_message message{};
    return cpg_zcb_next(client.handle, &message);
  };
  for (const int way : {0, 1, 2}) {
    MustSend(client.handle, 20);
    const Taken batch = Take(client.handle, 20);
    ASSERT_EQ(batch.texts, NumberedTexts(20));
    EXPECT_EQ(OutBuffers(client.handle), 20U);
    // Each of them, also from another thread: more than one chunk of places.
    std::thread([&] {
      for (const cpg_zcb_message& message : batch.messages) {
        EXPECT_EQ(cpg_zcb_retain(client.handle, message.data), CS_OK);
        EXPECT_EQ(cpg_zcb_release(message.data), CS_OK);
      }
    }).join();
    cpg_zcb_message known{};
    ASSERT_EQ(cpg_zcb_describe(client.handle, batch.messages[7].data, &known),
              CS_OK);
    EXPECT_EQ(known.sequence, batch.messages[7].sequence);
    switch (way) {
      case 0:
        EXPECT_EQ(Take(client.handle, 4).error, CS_ERR_TRY_AGAIN);
        break;
      case 1:
        EXPECT_EQ(next(), CS_ERR_TRY_AGAIN);
        break;
      default:
        EXPECT_EQ(client.Dispatch(), CS_OK);
    }
    EXPECT_EQ(cpg_zcb_retain(client.handle, batch.messages[7].data),
              CS_ERR_INVALID_PARAM);
    EXPECT_EQ(cpg_zcb_describe(client.handle, batch.messages[7].data, &known),
              CS_ERR_INVALID_PARAM);
    EXPECT_EQ(OutBuffers(client.handle), 0U);
  }
}

TEST(BatchTest, MessageOfABatchIsKeptAndForwarded) {
  Client client(CPG_MODEL_ZCB);
  client.Enter("kept");
  MustSend(client.handle, 3);
  const Taken batch = Take(client.handle, 3);
  ASSERT_EQ(cpg_zcb_retain(client.handle, batch.messages[1].data), CS_OK);
  EXPECT_EQ(cpg_zcb_forward(client.handle, CPG_TYPE_AGREED,
                            batch.messages[2].data, 1),
            CS_OK);
  EXPECT_EQ(Take(client.handle, 8).texts, Texts{"2"});
  EXPECT_EQ(Take(client.handle, 8).error, CS_ERR_TRY_AGAIN);
  EXPECT_EQ(OutBuffers(client.handle), 1U);
  EXPECT_EQ(std::memcmp(batch.messages[1].data, "1", 1), 0);
  EXPECT_EQ(cpg_zcb_release(batch.messages[1].data), CS_OK);
  EXPECT_EQ(OutBuffers(client.handle), 0U);
}

TEST(BatchTest, BatchInsideACallbackEndsWithIt) {
  Client client(CPG_MODEL_ZCB);
  client.Enter("nested");
  MustSend(client.handle, 4);
  const void* inner = nullptr;
  client.on_message_in_place = [&](const void*) {
    if (inner != nullptr) return;
    const Taken batch = Take(client.handle, 2);
    EXPECT_EQ(batch.texts, NumberedTexts(2, 1));
    inner = batch.messages[1].data;
    EXPECT_EQ(cpg_zcb_retain(client.handle, inner), CS_OK);
    EXPECT_EQ(cpg_zcb_release(inner), CS_OK);
    EXPECT_EQ(OutBuffers(client.handle), 4U)
        << "the message further out is not over";
  };
  ASSERT_EQ(client.Dispatch(), CS_OK);
  EXPECT_EQ(client.Texts(), (Texts{"0", "3"}));
  EXPECT_EQ(cpg_zcb_retain(client.handle, inner), CS_ERR_INVALID_PARAM);
  EXPECT_EQ(OutBuffers(client.handle), 0U);
}

TEST(BatchTest, FinalizeEndsABatch) {
  Client other(CPG_MODEL_ZCB);
  {
    Client client(CPG_MODEL_ZCB);
    client.Enter("finalized");
    MustSend(client.handle, 3);
    EXPECT_EQ(Take(client.handle, 8).texts, NumberedTexts(3));
  }
  EXPECT_EQ(OutBuffers(other.handle), 0U);
}

TEST(BatchTest, OwnLeaveComesAloneAndThenNothing) {
  Client client(CPG_MODEL_ZCB);
  client.Enter("left");
  MustSend(client.handle, 2);
  ASSERT_EQ(client.Leave("left"), CS_OK);
  unsigned int sent = 99;
  const auto messages = Numbered(client.handle, 1);
  EXPECT_EQ(SendBatch(client.handle, messages, &sent), CS_ERR_NOT_EXIST);
  EXPECT_EQ(cpg_zcb_free(client.handle, messages[0].iov_base), CS_OK);
  EXPECT_EQ(Take(client.handle, 8).texts, NumberedTexts(2));
  EXPECT_EQ(Take(client.handle, 8).texts, Texts{"view"});
  EXPECT_EQ(Take(client.handle, 8).error, CS_ERR_NOT_EXIST);
  EXPECT_EQ(client.Join("again"), CS_OK);
}

TEST(BatchTest, DescriptorIsReadableWhileABatchLeavesSomething) {
  Client client(CPG_MODEL_ZCB);
  client.Enter("polled");
  int descriptor = -1;
  ASSERT_EQ(cpg_fd_get(client.handle, &descriptor), CS_OK);
  const auto is_readable = [&] {
    pollfd entry{descriptor, POLLIN, 0};
    return poll(&entry, 1, 0) == 1;
  };
  EXPECT_FALSE(is_readable());
  MustSend(client.handle, 5);
  EXPECT_TRUE(is_readable());
  EXPECT_EQ(Take(client.handle, 3).texts, NumberedTexts(3));
  EXPECT_TRUE(is_readable());
  EXPECT_EQ(Take(client.handle, 3).texts, NumberedTexts(2, 3));
  EXPECT_FALSE(is_readable());
}

}  // namespace
}  // namespace zcb::cpg::testing
