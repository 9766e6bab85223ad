// Kept messages: from any thread, again, within limits, let go anywhere.
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/cpg/client.h"
#include "tests/cpg/kept.h"
#include "tests/support/child_process.h"

namespace zcb::cpg::testing {
namespace {

using zcb::testing::Gate;

const RegionOfThisTest region_of_this_test;

cs_error_t InAnotherThread(const std::function<cs_error_t()>& call) {
  cs_error_t error = CS_OK;
  std::thread([&] { error = call(); }).join();
  return error;
}

TEST(RetainThreadTest, AThreadKeepsAMessageWhoseCallbackWaitsForIt) {
  Client client(CPG_MODEL_ZCB);
  client.Enter("other-thread");
  const void* kept = nullptr;
  client.on_message_in_place = [&](const void* msg) {
    // The callback holds the handle's lock all the while.
    EXPECT_EQ(
        InAnotherThread([&] { return cpg_zcb_retain(client.handle, msg); }),
        CS_OK);
    kept = msg;
  };
  ASSERT_EQ(client.SendInPlace("waiting"), CS_OK);
  ASSERT_EQ(client.Dispatch(), CS_OK);
  client.on_message_in_place = nullptr;
  for (int i = 0; i < 5000; ++i) {
    ASSERT_EQ(client.SendInPlace("over"), CS_OK);
    ASSERT_EQ(client.Dispatch(), CS_OK);
  }
  EXPECT_EQ(std::memcmp(kept, "waiting", 7), 0);
  EXPECT_EQ(cpg_zcb_release(kept), CS_OK);
}

TEST(RetainThreadTest, AThreadKeepsEveryMessageOfNestedCallbacks) {
  constexpr std::size_t kDepth = 20;  // more than one chunk of places
  Client client(CPG_MODEL_ZCB);
  client.Enter("nested");
  std::vector<const void*> open;
  client.on_message_in_place = [&](const void* msg) {
    open.push_back(msg);
    if (open.size() < kDepth) {
      ASSERT_EQ(client.Dispatch(CS_DISPATCH_ONE), CS_OK);
      return;
    }
    std::thread([&] {
      for (const void* each : open) {
        EXPECT_EQ(cpg_zcb_retain(client.handle, each), CS_OK);
      }
    }).join();
  };
  for (std::size_t i = 0; i < kDepth; ++i) {
    ASSERT_EQ(client.SendInPlace(std::to_string(i)), CS_OK);
  }
  ASSERT_EQ(client.Dispatch(CS_DISPATCH_ONE), CS_OK);
  ASSERT_EQ(open.size(), kDepth);
  for (std::size_t i = 0; i < kDepth; ++i) {
    const std::string text = std::to_string(i);
    EXPECT_EQ(std::memcmp(open[i], text.data(), text.size()), 0);
    EXPECT_EQ(cpg_zcb_release(open[i]), CS_OK);
    EXPECT_EQ(cpg_zcb_retain(client.handle, open[i]), CS_ERR_INVALID_PARAM)
        << "ended with its callback";
  }
}

TEST(RetainThreadTest, AThreadKeepsThePulledMessageUntilTheNextOne) {
  Client client(CPG_MODEL_ZCB);
  client.Enter("pulled");
  ASSERT_EQ(client.SendInPlace("first"), CS_OK);
  ASSERT_EQ(client.SendInPlace("second"), CS_OK);
  cpg_zcb_message first{};
  ASSERT_EQ(cpg_zcb_next(client.handle, &first), CS_OK);
  const auto keep = [&] { return cpg_zcb_retain(client.handle, first.data); };
  EXPECT_EQ(InAnotherThread(keep), CS_OK);
  EXPECT_EQ(cpg_zcb_release(first.data), CS_OK);
  cpg_zcb_message second{};
  ASSERT_EQ(cpg_zcb_next(client.handle, &second), CS_OK);
  EXPECT_EQ(InAnotherThread(keep), CS_ERR_INVALID_PARAM);
  cpg_zcb_message none{};
  ASSERT_EQ(cpg_zcb_next(client.handle, &none), CS_ERR_TRY_AGAIN);
  EXPECT_EQ(cpg_zcb_retain(client.handle, second.data), CS_ERR_INVALID_PARAM)
      << "ended by the call, though nothing came in its place";
}

TEST(RetainThreadTest, WhatIsOpenOnOneHandleIsNotOpenOnAnother) {
  Client client(CPG_MODEL_ZCB);
  Client other(CPG_MODEL_ZCB);
  client.Enter("mine");
  other.Enter("others");
  client.on_message_in_place = [&](const void* msg) {
    EXPECT_EQ(cpg_zcb_retain(other.handle, msg), CS_ERR_INVALID_PARAM);
    EXPECT_EQ(cpg_zcb_retain(client.handle, msg), CS_OK);
    EXPECT_EQ(cpg_zcb_retain(other.handle, msg), CS_OK) << "kept: any handle";
    EXPECT_EQ(cpg_zcb_release(msg), CS_OK);
    EXPECT_EQ(cpg_zcb_release(msg), CS_OK);
  };
  ASSERT_EQ(client.SendInPlace("x"), CS_OK);
  ASSERT_EQ(client.Dispatch(), CS_OK);
  ASSERT_EQ(client.messages.size(), 1U);
}

TEST(RetainThreadTest, OfTwoThreadsThatLetOneKeepGoOneSucceeds) {
  Client client(CPG_MODEL_ZCB);
  client.Enter("release-race");
  for (int round = 0; round < 200; ++round) {
    const char* kept = SendAndKeep(client, "once");
    cs_error_t errors[2] = {};
    std::thread first([&] { errors[0] = cpg_zcb_release(kept); });
    errors[1] = cpg_zcb_release(kept);
    first.join();
    const bool first_won = errors[0] == CS_OK;
    EXPECT_EQ(errors[first_won ? 0 : 1], CS_OK);
    EXPECT_EQ(errors[first_won ? 1 : 0], CS_ERR_INVALID_PARAM);
  }
  EXPECT_EQ(InfoOf(client).kept_messages, 0U);
}

// --- again -------------------------------------------------------------------

TEST(RetainAgainTest, AKeptMessageIsKeptAgainAfterItsHandleIsGone) {
  auto client = std::make_unique<Client>(CPG_MODEL_ZCB);
  client->Enter("gone");
  const char* const kept = SendAndKeep(*client, "kept");
  ASSERT_EQ(client->Leave("gone"), CS_OK);
  ASSERT_EQ(client->Dispatch(), CS_OK);
  EXPECT_EQ(cpg_zcb_retain(client->handle, kept), CS_OK) << "after the leave";
  const cpg_handle_t gone = client->handle;
  client.reset();
  EXPECT_EQ(cpg_zcb_retain(gone, kept), CS_ERR_BAD_HANDLE);

  const Client any(CPG_MODEL_ZCB);
  const Client v1(CPG_MODEL_V1);
  EXPECT_EQ(cpg_zcb_retain(v1.handle, kept), CS_ERR_NOT_SUPPORTED);
  EXPECT_EQ(cpg_zcb_retain(any.handle, kept), CS_OK);
  EXPECT_EQ(InfoOf(any).kept_messages, 3U);
  EXPECT_EQ(InfoOf(any).kept_bytes, 12U);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(TextAt(kept, 4), "kept");
    EXPECT_EQ(cpg_zcb_release(kept), CS_OK);
  }
  EXPECT_EQ(InfoOf(any).kept_messages, 0U);
  EXPECT_EQ(InfoOf(any).kept_bytes, 0U);
  EXPECT_EQ(cpg_zcb_retain(any.handle, kept), CS_ERR_INVALID_PARAM);
  EXPECT_EQ(cpg_zcb_release(kept), CS_ERR_INVALID_PARAM);
}

TEST(RetainAgainTest, OnlyItsBeginningNamesAKeptMessage) {
  Client client(CPG_MODEL_ZCB);
  client.Enter("beginning");
  void* aligned = nullptr;
  ASSERT_EQ(cpg_zcb_alloc_aligned(client.handle, 8192, 4096, &aligned), CS_OK);
  ASSERT_EQ(cpg_zcb_mcast_joined(client.handle, CPG_TYPE_AGREED, aligned, 8192),
            CS_OK);
  ASSERT_EQ(client.SendInPlace(std::string(8192, 'x')), CS_OK);
  for (int i = 0; i < 2; ++i) {
    cpg_zcb_message message{};
    ASSERT_EQ(cpg_zcb_next(client.handle, &message), CS_OK);
    const char* const begin = static_cast<const char*>(message.data);
    // Open, then kept as well.
    for (int round = 0; round < 2; ++round) {
      for (const std::ptrdiff_t offset : {-4096, -64, -1, 1, 8, 64, 4096}) {
        const char* const wrong = begin + offset;
        EXPECT_EQ(cpg_zcb_retain(client.handle, wrong), CS_ERR_INVALID_PARAM);
        EXPECT_EQ(cpg_zcb_release(wrong), CS_ERR_INVALID_PARAM);
        EXPECT_EQ(cpg_zcb_forward(client.handle, CPG_TYPE_AGREED, wrong, 1),
                  CS_ERR_INVALID_PARAM);
      }
      if (round == 1) break;
      ASSERT_EQ(cpg_zcb_retain(client.handle, begin), CS_OK);
    }
    EXPECT_EQ(cpg_zcb_release(begin), CS_OK);
  }
}

// --- limits ------------------------------------------------------------------

class RetainLimitTest : public ::testing::Test {
 protected:
  void SetUp() override { client_.Enter("limit"); }
  void TearDown() override {
    unsetenv("ZCB_RETAIN_BYTES");
    EXPECT_EQ(SetLimit(0), CS_OK);
    EXPECT_EQ(InfoOf(client_).kept_messages, 0U);
  }
  cs_error_t SetLimit(std::uint64_t bytes) {
    return cpg_zcb_option_set(client_.handle, CPG_ZCB_OPTION_RETAIN_BYTES,
                              bytes);
  }
  std::uint64_t LimitOf(const Client& client) {
    std::uint64_t bytes = 77;
    EXPECT_EQ(
        cpg_zcb_option_get(client.handle, CPG_ZCB_OPTION_RETAIN_BYTES, &bytes),
        CS_OK);
    return bytes;
  }
  // The next message of that length, pulled but not kept.
  const void* Pull(std::size_t length_bytes) {
    EXPECT_EQ(client_.SendInPlace(std::string(length_bytes, 'x')), CS_OK);
    cpg_zcb_message message{};
    EXPECT_EQ(cpg_zcb_next(client_.handle, &message), CS_OK);
    return message.data;
  }
  cs_error_t Keep(const void* msg) {
    return cpg_zcb_retain(client_.handle, msg);
  }

  Client client_{CPG_MODEL_ZCB};
};

TEST_F(RetainLimitTest, BytesBeyondTheLimitAreRefusedUntilSomeComeBack) {
  EXPECT_EQ(LimitOf(client_), 0U);
  ASSERT_EQ(SetLimit(1000), CS_OK);
  EXPECT_EQ(LimitOf(client_), 1000U);
  EXPECT_EQ(Keep(Pull(1001)), CS_ERR_NO_RESOURCES);
  const void* const most = Pull(600);
  ASSERT_EQ(Keep(most), CS_OK);
  EXPECT_EQ(Keep(most), CS_ERR_NO_RESOURCES) << "a keep again counts again";
  const void* const rest = Pull(400);
  ASSERT_EQ(Keep(rest), CS_OK);
  EXPECT_EQ(InfoOf(client_).kept_bytes, 1000U);
  const void* const empty = Pull(0);
  EXPECT_EQ(Keep(empty), CS_OK) << "nothing fits, too";
  EXPECT_EQ(Keep(Pull(1)), CS_ERR_NO_RESOURCES);
  EXPECT_EQ(cpg_zcb_release(rest), CS_OK);
  EXPECT_EQ(InfoOf(client_).kept_bytes, 600U);
  const void* const fits = Pull(400);
  EXPECT_EQ(Keep(fits), CS_OK);
  for (const void* msg : {most, empty, fits}) {
    EXPECT_EQ(cpg_zcb_release(msg), CS_OK);
  }
}

TEST_F(RetainLimitTest, ALoweredLimitLeavesWhatIsKept) {
  const void* const kept = Pull(5000);
  ASSERT_EQ(Keep(kept), CS_OK);
  ASSERT_EQ(SetLimit(100), CS_OK);
  EXPECT_EQ(Keep(Pull(0)), CS_ERR_NO_RESOURCES);
  EXPECT_EQ(InfoOf(client_).kept_bytes, 5000U);
  EXPECT_EQ(cpg_zcb_release(kept), CS_OK);
  const void* const small = Pull(100);
  EXPECT_EQ(Keep(small), CS_OK);
  EXPECT_EQ(cpg_zcb_release(small), CS_OK);
}

TEST_F(RetainLimitTest, TheLargestLimitIsNone) {
  ASSERT_EQ(SetLimit(~std::uint64_t{0}), CS_OK);
  const void* const kept = Pull(100);
  EXPECT_EQ(Keep(kept), CS_OK);
  EXPECT_EQ(Keep(kept), CS_OK);
  EXPECT_EQ(cpg_zcb_release(kept), CS_OK);
  EXPECT_EQ(cpg_zcb_release(kept), CS_OK);
}

TEST_F(RetainLimitTest, AMessageKeptTooOftenIsRefused) {
  const void* const kept = Pull(1);
  std::uint64_t keeps = 0;
  cs_error_t last = CS_OK;
  while ((last = Keep(kept)) == CS_OK) ++keeps;
  EXPECT_EQ(last, CS_ERR_NO_RESOURCES);
  EXPECT_EQ(InfoOf(client_).kept_messages, keeps);
  // Forwarding borrows, whatever the limits.
  EXPECT_EQ(cpg_zcb_forward(client_.handle, CPG_TYPE_AGREED, kept, 1), CS_OK);
  for (; keeps > 0; --keeps) ASSERT_EQ(cpg_zcb_release(kept), CS_OK);
}

TEST_F(RetainLimitTest, TheEnvironmentSetsItForTheProcess) {
  setenv("ZCB_RETAIN_BYTES", "2k", 1);
  const Client second(CPG_MODEL_ZCB);
  ASSERT_EQ(second.status, CS_OK);
  EXPECT_EQ(LimitOf(second), 2048U);
  EXPECT_EQ(LimitOf(client_), 2048U) << "of this process, not of a handle";
  EXPECT_EQ(Keep(Pull(2049)), CS_ERR_NO_RESOURCES);
  unsetenv("ZCB_RETAIN_BYTES");
  const Client third(CPG_MODEL_ZCB);
  EXPECT_EQ(LimitOf(third), 2048U) << "nothing said, nothing changed";
  setenv("ZCB_RETAIN_BYTES", "0", 1);
  const Client fourth(CPG_MODEL_ZCB);
  EXPECT_EQ(LimitOf(fourth), 0U);
  for (const char* wrong : {"", "x", "-1", "1t", "99999999999999999999"}) {
    setenv("ZCB_RETAIN_BYTES", wrong, 1);
    EXPECT_EQ(Client(CPG_MODEL_ZCB).status, CS_ERR_INVALID_PARAM) << wrong;
  }
}

}  // namespace
}  // namespace zcb::cpg::testing
