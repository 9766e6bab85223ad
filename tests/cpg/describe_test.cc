// Sequence numbers and send times: cpg_zcb_describe(), cpg_zcb_next().
#include <time.h>

#include <string>
#include <vector>

#include "tests/cpg/client.h"
#include "tests/cpg/kept.h"

namespace zcb::cpg::testing {
namespace {

const RegionOfThisTest region_of_this_test;

std::uint64_t NowNs() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec);
}

// Records what is known of each message while its callback runs.
class Describer {
 public:
  explicit Describer(Client* client) : client_(client) {
    client->on_message = [this](const void* msg, std::size_t) { Look(msg); };
    client->on_message_in_place = [this](const void* msg) { Look(msg); };
  }
  std::vector<cpg_zcb_message> seen;

 private:
  void Look(const void* msg) {
    cpg_zcb_message message{};
    ASSERT_EQ(cpg_zcb_describe(client_->handle, msg, &message), CS_OK);
    EXPECT_EQ(message.data, msg);
    seen.push_back(message);
  }
  Client* client_;
};

TEST(DescribeTest, ACallbackLearnsWhatNextWouldHaveTold) {
  for (const cpg_model_t model : {CPG_MODEL_V1, CPG_MODEL_ZCB}) {
    Client client(model);
    client.Enter("callback");
    const Describer described(&client);
    ASSERT_EQ(client.Send("one"), CS_OK);
    ASSERT_EQ(client.Send(""), CS_OK);
    ASSERT_EQ(client.Send("three"), CS_OK);
    ASSERT_EQ(client.Dispatch(), CS_OK);
    ASSERT_EQ(described.seen.size(), 3U);
    for (std::size_t i = 0; i < 3; ++i) {
      const cpg_zcb_message& message = described.seen[i];
      EXPECT_EQ(message.data, client.messages[i].address);
      EXPECT_EQ(message.length, client.messages[i].text.size());
      EXPECT_EQ(message.nodeid, 1U);
      EXPECT_EQ(message.pid, OwnPid());
      EXPECT_EQ(message.kind, std::uint32_t{CPG_ZCB_MESSAGE});
      EXPECT_EQ(message.reason, 0U);
      EXPECT_EQ(message.send_time_ns, 0U) << "nobody asked for it";
      EXPECT_EQ(message.sequence, described.seen[0].sequence + i);
    }
  }
}

TEST(DescribeTest, NextAndDescribeSayTheSame) {
  Client client(CPG_MODEL_ZCB, CPG_MODEL_ZCB_SEND_TIME);
  client.Enter("same");
  ASSERT_EQ(client.SendInPlace("text"), CS_OK);
  cpg_zcb_message pulled{};
  ASSERT_EQ(cpg_zcb_next(client.handle, &pulled), CS_OK);
  cpg_zcb_message described{};
  ASSERT_EQ(cpg_zcb_describe(client.handle, pulled.data, &described), CS_OK);
  EXPECT_EQ(described.data, pulled.data);
  EXPECT_EQ(described.length, pulled.length);
  EXPECT_EQ(described.sequence, pulled.sequence);
  EXPECT_EQ(described.pid, pulled.pid);
  EXPECT_EQ(described.kind, pulled.kind);
  EXPECT_EQ(described.send_time_ns, pulled.send_time_ns);
  EXPECT_NE(described.send_time_ns, 0U);
}

TEST(DescribeTest, OnlyAnOpenMessageIsDescribed) {
  for (const cpg_model_t model : {CPG_MODEL_V1, CPG_MODEL_ZCB}) {
    Client client(model);
    cpg_zcb_message message{};
    const auto describe = [&](const void* msg) {
      return cpg_zcb_describe(client.handle, msg, &message);
    };
    int local = 0;
    client.on_change = [&] {
      EXPECT_EQ(describe(nullptr), CS_ERR_INVALID_PARAM) << "a view";
    };
    client.Enter("open");
    const auto look = [&](const void* msg) {
      const char* const text = static_cast<const char*>(msg);
      EXPECT_EQ(describe(msg), CS_OK);
      EXPECT_EQ(describe(text + 1), CS_ERR_INVALID_PARAM);
      EXPECT_EQ(describe(text + 64), CS_ERR_INVALID_PARAM);
      EXPECT_EQ(describe(&local), CS_ERR_INVALID_PARAM);
      EXPECT_EQ(describe(nullptr), CS_ERR_INVALID_PARAM);
      EXPECT_EQ(cpg_zcb_describe(client.handle, msg, nullptr),
                CS_ERR_INVALID_PARAM);
    };
    client.on_message = [&](const void* msg, std::size_t) { look(msg); };
    client.on_message_in_place = look;
    ASSERT_EQ(client.Send("x"), CS_OK);
    ASSERT_EQ(client.Dispatch(), CS_OK);
    ASSERT_EQ(client.messages.size(), 1U);
    const void* const past = client.messages[0].address;
    EXPECT_EQ(describe(past), CS_ERR_INVALID_PARAM);
    client.on_change = [&] { EXPECT_EQ(describe(past), CS_ERR_INVALID_PARAM); };
    ASSERT_EQ(client.Leave("open"), CS_OK);
    ASSERT_EQ(client.Dispatch(), CS_OK);
    ASSERT_EQ(client.changes.size(), 2U);
    ASSERT_EQ(cpg_finalize(client.handle), CS_OK);
    EXPECT_EQ(describe(client.messages[0].address), CS_ERR_BAD_HANDLE);
  }
}

TEST(DescribeTest, APulledViewIsNoMessage) {
  Client client(CPG_MODEL_ZCB);
  ASSERT_EQ(client.Join("view"), CS_OK);
  cpg_zcb_message view{};
  ASSERT_EQ(cpg_zcb_next(client.handle, &view), CS_OK);
  ASSERT_EQ(view.kind, std::uint32_t{CPG_ZCB_VIEW});
  cpg_zcb_message message{};
  EXPECT_EQ(cpg_zcb_describe(client.handle, view.data, &message),
            CS_ERR_INVALID_PARAM);
  EXPECT_EQ(cpg_zcb_retain(client.handle, view.data), CS_ERR_INVALID_PARAM);
}

TEST(DescribeTest, TheOuterMessageIsDescribedInsideTheInnerCallback) {
  for (const cpg_model_t model : {CPG_MODEL_V1, CPG_MODEL_ZCB}) {
    Client client(model);
    client.Enter("nested");
    std::vector<const void*> open;
    std::vector<std::uint64_t> sequences;
    const auto nest = [&](const void* msg) {
      open.push_back(msg);
      if (open.size() < 3) {
        ASSERT_EQ(client.Dispatch(CS_DISPATCH_ONE), CS_OK);
        return;
      }
      for (const void* each : open) {
        cpg_zcb_message message{};
        ASSERT_EQ(cpg_zcb_describe(client.handle, each, &message), CS_OK);
        sequences.push_back(message.sequence);
      }
    };
    client.on_message = [&](const void* msg, std::size_t) { nest(msg); };
    client.on_message_in_place = nest;
    for (const char* text : {"1", "2", "3"}) {
      ASSERT_EQ(client.Send(text), CS_OK);
    }
    ASSERT_EQ(client.Dispatch(CS_DISPATCH_ONE), CS_OK);
    ASSERT_EQ(sequences.size(), 3U);
    EXPECT_EQ(sequences[1], sequences[0] + 1);
    EXPECT_EQ(sequences[2], sequences[0] + 2);
  }
}

// --- time --------------------------------------------------------------------

class SendTimeTest : public ::testing::Test {
 protected:
  // Sends one message through an entered client; its time as its receivers see
  // it. It lies between the two clocks, or is 0.
  static std::uint64_t TimeOfOne(Client* client) {
    const Describer described(client);
    const std::uint64_t before = NowNs();
    EXPECT_EQ(client->Send("when"), CS_OK);
    const std::uint64_t after = NowNs();
    EXPECT_EQ(client->Dispatch(), CS_OK);
    EXPECT_EQ(described.seen.size(), 1U);
    const std::uint64_t sent = described.seen.at(0).send_time_ns;
    if (sent != 0) {
      EXPECT_GE(sent, before);
      EXPECT_LE(sent, after);
    }
    return sent;
  }
  static cs_error_t SetOption(const Client& client, std::uint64_t value) {
    return cpg_zcb_option_set(client.handle, CPG_ZCB_OPTION_SEND_TIME, value);
  }
};

TEST_F(SendTimeTest, TheFlagAndTheOptionStampMessages) {
  Client client(CPG_MODEL_ZCB, CPG_MODEL_ZCB_SEND_TIME);
  client.Enter("flag");
  std::uint64_t value = 7;
  ASSERT_EQ(cpg_zcb_option_get(client.handle, CPG_ZCB_OPTION_SEND_TIME, &value),
            CS_OK);
  EXPECT_EQ(value, 1U);
  EXPECT_NE(TimeOfOne(&client), 0U);
  ASSERT_EQ(SetOption(client, 0), CS_OK);
  EXPECT_EQ(TimeOfOne(&client), 0U);
  ASSERT_EQ(SetOption(client, 1), CS_OK);
  EXPECT_NE(TimeOfOne(&client), 0U);
  EXPECT_EQ(SetOption(client, 2), CS_ERR_INVALID_PARAM);
}

TEST_F(SendTimeTest, BothModelsStampIfAsked) {
  Client client(CPG_MODEL_V1);
  client.Enter("v1");
  EXPECT_EQ(TimeOfOne(&client), 0U);
  ASSERT_EQ(SetOption(client, 1), CS_OK);
  EXPECT_NE(TimeOfOne(&client), 0U);
}

TEST_F(SendTimeTest, TheEnvironmentAsksForAllHandles) {
  setenv("ZCB_SEND_TIME", "1", 1);
  Client client(CPG_MODEL_V1);
  unsetenv("ZCB_SEND_TIME");
  client.Enter("environment");
  EXPECT_NE(TimeOfOne(&client), 0U);
  Client later(CPG_MODEL_V1);
  later.Enter("environment-later");
  EXPECT_EQ(TimeOfOne(&later), 0U);
}

TEST_F(SendTimeTest, AForwardedMessageHasTheTimeOfTheForward) {
  Client from(CPG_MODEL_ZCB, CPG_MODEL_ZCB_SEND_TIME);
  Client to(CPG_MODEL_ZCB, CPG_MODEL_ZCB_SEND_TIME);
  from.Enter("time-from");
  to.Enter("time-to");
  const char* const kept = SendAndKeep(from, "x");
  const std::uint64_t before = NowNs();
  ASSERT_EQ(cpg_zcb_forward(to.handle, CPG_TYPE_AGREED, kept, 1), CS_OK);
  cpg_zcb_message message{};
  ASSERT_EQ(cpg_zcb_next(to.handle, &message), CS_OK);
  EXPECT_GE(message.send_time_ns, before);
  EXPECT_EQ(cpg_zcb_release(kept), CS_OK);
}

TEST_F(SendTimeTest, TimesOfOneSenderGrowWithTheSequence) {
  Client client(CPG_MODEL_ZCB, CPG_MODEL_ZCB_SEND_TIME);
  client.Enter("grow");
  cpg_zcb_message last{};
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(client.SendInPlace("x"), CS_OK);
    cpg_zcb_message message{};
    ASSERT_EQ(cpg_zcb_next(client.handle, &message), CS_OK);
    EXPECT_GT(message.sequence, last.sequence);
    EXPECT_GE(message.send_time_ns, last.send_time_ns);
    last = message;
  }
}

}  // namespace
}  // namespace zcb::cpg::testing
