// cpg_zcb_forward(): one copy of a kept or open message, to another group.
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "tests/cpg/client.h"
#include "tests/cpg/kept.h"

namespace zcb::cpg::testing {
namespace {

const RegionOfThisTest region_of_this_test;

cs_error_t Forward(const Client& to, const void* msg,
                   std::size_t length_bytes) {
  return cpg_zcb_forward(to.handle, CPG_TYPE_AGREED, msg, length_bytes);
}

TEST(ForwardTest, AKeptMessageGoesToAnotherGroupAndStaysKept) {
  Client from(CPG_MODEL_ZCB);
  Client to(CPG_MODEL_ZCB);
  from.Enter("from");
  to.Enter("to");
  const char* const kept = SendAndKeep(from, "forward me");
  ASSERT_EQ(Forward(to, kept, 10), CS_OK);
  ASSERT_EQ(to.Dispatch(), CS_OK);
  ASSERT_EQ(to.messages.size(), 1U);
  EXPECT_EQ(to.messages[0].text, "forward me");
  EXPECT_EQ(to.messages[0].group, "to");
  EXPECT_NE(to.messages[0].address, kept) << "a copy";
  EXPECT_EQ(InfoOf(from).kept_messages, 1U);
  EXPECT_EQ(TextAt(kept, 10), "forward me");
  EXPECT_EQ(cpg_zcb_release(kept), CS_OK);
  EXPECT_EQ(Forward(to, kept, 10), CS_ERR_INVALID_PARAM);
}

TEST(ForwardTest, AKeptMessageIsForwardedAfterItsHandleIsGone) {
  auto from = std::make_unique<Client>(CPG_MODEL_ZCB);
  from->Enter("gone");
  const char* const kept = SendAndKeep(*from, "still here");
  from.reset();
  for (const cpg_model_t model : {CPG_MODEL_V1, CPG_MODEL_ZCB}) {
    Client to(model);
    to.Enter("later");
    ASSERT_EQ(Forward(to, kept, 10), CS_OK);
    ASSERT_EQ(to.Dispatch(), CS_OK);
    EXPECT_EQ(to.Texts(), std::vector<std::string>{"still here"});
  }
  EXPECT_EQ(cpg_zcb_release(kept), CS_OK);
}

TEST(ForwardTest, AnOpenMessageIsForwardedFromItsCallback) {
  for (const cpg_model_t model : {CPG_MODEL_V1, CPG_MODEL_ZCB}) {
    Client client(model);
    client.Enter("echo");
    const auto echo = [&](const void* msg, std::size_t length_bytes) {
      if (client.messages.size() > 1) return;
      EXPECT_EQ(Forward(client, msg, length_bytes + 1), CS_ERR_TOO_BIG);
      EXPECT_EQ(Forward(client, msg, length_bytes), CS_OK);
    };
    client.on_message = echo;
    client.on_message_in_place = [&](const void* msg) { echo(msg, 4); };
    ASSERT_EQ(client.Send("echo"), CS_OK);
    client.DispatchUntilMessages(2);
    EXPECT_EQ(client.Texts(), (std::vector<std::string>{"echo", "echo"}));
    EXPECT_EQ(Forward(client, client.messages[1].address, 4),
              CS_ERR_INVALID_PARAM)
        << "its callback has returned";
  }
}

TEST(ForwardTest, ThePulledMessageIsForwardedUntilTheNextOne) {
  Client client(CPG_MODEL_ZCB);
  client.Enter("pull");
  ASSERT_EQ(client.SendInPlace("pulled"), CS_OK);
  cpg_zcb_message message{};
  ASSERT_EQ(cpg_zcb_next(client.handle, &message), CS_OK);
  const void* const first = message.data;
  EXPECT_EQ(Forward(client, first, 7), CS_ERR_TOO_BIG);
  EXPECT_EQ(Forward(client, first, 6), CS_OK);
  ASSERT_EQ(cpg_zcb_next(client.handle, &message), CS_OK);
  EXPECT_EQ(TextAt(static_cast<const char*>(message.data), message.length),
            "pulled");
  EXPECT_EQ(Forward(client, first, 6), CS_ERR_INVALID_PARAM);
}

TEST(ForwardTest, ABeginningIsForwardedButNoMoreThanThereIs) {
  Client client(CPG_MODEL_ZCB);
  client.Enter("parts");
  const char* const kept = SendAndKeep(client, "0123456789");
  for (int round = 0; round < 2; ++round) {  // open and kept, then kept
    EXPECT_EQ(Forward(client, kept, 11), CS_ERR_TOO_BIG)
        << "the buffer is larger, the message is not";
    EXPECT_EQ(Forward(client, kept, ~std::size_t{0}), CS_ERR_TOO_BIG);
    ASSERT_EQ(client.Dispatch(), CS_OK);  // ends what was pulled
  }
  EXPECT_EQ(Forward(client, kept, 4), CS_OK);
  EXPECT_EQ(Forward(client, kept, 0), CS_OK);
  ASSERT_EQ(client.Dispatch(), CS_OK);
  EXPECT_EQ(client.Texts(), (std::vector<std::string>{"0123", ""}));
  EXPECT_EQ(cpg_zcb_release(kept), CS_OK);
}

TEST(ForwardTest, OnlyMessagesAreForwarded) {
  Client client(CPG_MODEL_ZCB);
  client.Enter("only");
  int local = 0;
  void* buffer = nullptr;
  ASSERT_EQ(cpg_zcb_alloc(client.handle, 64, &buffer), CS_OK);
  EXPECT_EQ(Forward(client, nullptr, 0), CS_ERR_INVALID_PARAM);
  EXPECT_EQ(Forward(client, &local, 1), CS_ERR_INVALID_PARAM);
  EXPECT_EQ(Forward(client, buffer, 1), CS_ERR_INVALID_PARAM)
      << "a buffer is no message before it is sent";
  EXPECT_EQ(cpg_zcb_free(client.handle, buffer), CS_OK);
  EXPECT_EQ(Forward(client, buffer, 1), CS_ERR_INVALID_PARAM);
}

TEST(ForwardTest, SendersErrorsAreForwardsErrors) {
  Client from(CPG_MODEL_ZCB);
  Client to(CPG_MODEL_ZCB);
  from.Enter("errors");
  const char* const kept = SendAndKeep(from, "x");
  EXPECT_EQ(Forward(to, kept, 1), CS_ERR_NOT_EXIST);
  to.Enter("errors-to");
  while (Forward(to, kept, 1) == CS_OK) {
  }
  EXPECT_EQ(Forward(to, kept, 1), CS_ERR_TRY_AGAIN);
  EXPECT_EQ(InfoOf(from).live_buffers, 0U) << "the copy was given back";
  EXPECT_EQ(InfoOf(from).kept_messages, 1U);
  ASSERT_EQ(to.Dispatch(), CS_OK);
  EXPECT_EQ(Forward(to, kept, 1), CS_OK);
  ASSERT_EQ(cpg_finalize(to.handle), CS_OK);
  EXPECT_EQ(Forward(to, kept, 1), CS_ERR_BAD_HANDLE);
  EXPECT_EQ(cpg_zcb_release(kept), CS_OK);
}

TEST(ForwardTest, APageAlignedMessageIsForwarded) {
  Client client(CPG_MODEL_ZCB);
  client.Enter("aligned");
  void* buffer = nullptr;
  ASSERT_EQ(cpg_zcb_alloc_aligned(client.handle, 4096, 4096, &buffer), CS_OK);
  std::memset(buffer, 'a', 4096);
  ASSERT_EQ(cpg_zcb_mcast_joined(client.handle, CPG_TYPE_AGREED, buffer, 4096),
            CS_OK);
  cpg_zcb_message message{};
  ASSERT_EQ(cpg_zcb_next(client.handle, &message), CS_OK);
  ASSERT_EQ(message.data, buffer);
  EXPECT_EQ(Forward(client, buffer, 4096), CS_OK) << "open";
  ASSERT_EQ(cpg_zcb_retain(client.handle, buffer), CS_OK);
  EXPECT_EQ(Forward(client, buffer, 4096), CS_OK) << "kept";
  ASSERT_EQ(client.Dispatch(), CS_OK);
  const std::string text(4096, 'a');
  EXPECT_EQ(client.Texts(), (std::vector<std::string>{text, text}));
  EXPECT_EQ(cpg_zcb_release(buffer), CS_OK);
}

}  // namespace
}  // namespace zcb::cpg::testing
