// Threads that keep, keep again, forward and let go, while messages come.
#include <atomic>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "tests/cpg/client.h"
#include "tests/cpg/kept.h"
#include "tests/support/child_process.h"

namespace zcb::cpg::testing {
namespace {

const RegionOfThisTest region_of_this_test;

std::string TextOf(std::size_t number) {
  return std::to_string(number) + std::string(50 + number % 200, '.');
}

TEST(RetainStressTest, WhatWorkersKeepIsWhatTheirCallbackWasGiven) {
  constexpr std::size_t kMessages = 20000;
  Client client(CPG_MODEL_ZCB);
  client.Enter("workers");
  const std::uint64_t out_before = InfoOf(client).out_buffers;
  // A callback hands its message over and waits for the worker to keep it.
  std::atomic<const void*> handed{nullptr};
  std::atomic<std::size_t> kept_count{0};
  client.on_message_in_place = [&](const void* msg) {
    const std::size_t number = client.messages.size();
    client.messages.back() = {};
    handed = msg;
    while (kept_count != number) std::this_thread::yield();
  };
  std::thread worker([&] {
    std::vector<const char*> kept;
    for (std::size_t number = 0; number < kMessages; ++number) {
      const void* msg = nullptr;
      while ((msg = handed.exchange(nullptr)) == nullptr) {
        std::this_thread::yield();
      }
      EXPECT_EQ(cpg_zcb_retain(client.handle, msg), CS_OK);
      kept.push_back(static_cast<const char*>(msg));
      ++kept_count;
      if (kept.size() < 100) continue;
      for (std::size_t i = 0; i < kept.size(); ++i) {
        const std::string text = TextOf(number + 1 - kept.size() + i);
        EXPECT_EQ(std::memcmp(kept[i], text.data(), text.size()), 0);
        EXPECT_EQ(cpg_zcb_release(kept[i]), CS_OK);
      }
      kept.clear();
    }
    for (const char* msg : kept) EXPECT_EQ(cpg_zcb_release(msg), CS_OK);
  });
  for (std::size_t number = 0; number < kMessages; ++number) {
    EXPECT_EQ(client.SendInPlace(TextOf(number)), CS_OK);
    if (number % 16 != 15) continue;
    EXPECT_EQ(client.Dispatch(), CS_OK);
  }
  EXPECT_EQ(client.Dispatch(), CS_OK);
  worker.join();
  EXPECT_EQ(InfoOf(client).kept_messages, 0U);
  EXPECT_EQ(InfoOf(client).kept_bytes, 0U);
  EXPECT_EQ(InfoOf(client).out_buffers, out_before);
}

// Against the rules: a thread that keeps what it has heard of, at any time.
TEST(RetainStressTest, AThreadThatComesTooLateGetsAnErrorAndHarmsNothing) {
  constexpr std::size_t kMessages = 30000;
  Client client(CPG_MODEL_ZCB);
  client.Enter("too-late");
  const std::uint64_t out_before = InfoOf(client).out_buffers;
  std::atomic<const void*> heard{nullptr};
  std::atomic<bool> done{false};
  std::atomic<std::uint64_t> keeps{0};
  client.on_message_in_place = [&](const void* msg) {
    client.messages.clear();
    heard = msg;
  };
  std::thread late([&] {
    while (!done) {
      const void* const msg = heard;
      const cs_error_t error = cpg_zcb_retain(client.handle, msg);
      if (error == CS_OK) {
        ++keeps;
        EXPECT_EQ(cpg_zcb_release(msg), CS_OK);
      } else {
        EXPECT_TRUE(error == CS_ERR_INVALID_PARAM || error == CS_ERR_LIBRARY)
            << error;
      }
    }
  });
  std::vector<const void*> own;
  for (std::size_t number = 0; number < kMessages; ++number) {
    ASSERT_EQ(client.SendInPlace("x"), CS_OK);
    if (number % 3 == 0) {
      cpg_zcb_message message{};
      ASSERT_EQ(cpg_zcb_next(client.handle, &message), CS_OK);
      heard = message.data;
      ASSERT_EQ(cpg_zcb_retain(client.handle, message.data), CS_OK);
      own.push_back(message.data);
    }
    ASSERT_EQ(client.Dispatch(), CS_OK);
    while (own.size() > number % 8) {
      ASSERT_EQ(cpg_zcb_release(own.back()), CS_OK);
      own.pop_back();
    }
  }
  for (const void* msg : own) ASSERT_EQ(cpg_zcb_release(msg), CS_OK);
  done = true;
  late.join();
  EXPECT_EQ(InfoOf(client).kept_messages, 0U);
  EXPECT_EQ(InfoOf(client).kept_bytes, 0U);
  EXPECT_EQ(InfoOf(client).out_buffers, out_before);
}

TEST(RetainStressTest, KeepsAgainForwardsAndReleasesOfManyThreadsAddUp) {
  constexpr int kThreads = 4;
  constexpr int kRounds = 4000;
  Client client(CPG_MODEL_ZCB);
  client.Enter("again");
  const std::uint64_t out_before = InfoOf(client).out_buffers;
  const char* const kept = SendAndKeep(client, "everybody's");
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      const Client own(CPG_MODEL_ZCB);
      EXPECT_EQ(cpg_zcb_retain(own.handle, kept), CS_OK);
      for (int i = 0; i < kRounds; ++i) {
        EXPECT_EQ(cpg_zcb_retain(own.handle, kept), CS_OK);
        EXPECT_EQ(std::memcmp(kept, "everybody's", 11), 0);
        if (i % 8 == thread) {
          const cs_error_t sent =
              cpg_zcb_forward(client.handle, CPG_TYPE_AGREED, kept, 11);
          EXPECT_TRUE(sent == CS_OK || sent == CS_ERR_TRY_AGAIN) << sent;
        }
        EXPECT_EQ(cpg_zcb_release(kept), CS_OK);
      }
      EXPECT_EQ(cpg_zcb_release(kept), CS_OK);
    });
  }
  // Records come and go meanwhile.
  Client other(CPG_MODEL_ZCB);
  other.Enter("again-other");
  for (int i = 0; i < kRounds; ++i) {
    EXPECT_EQ(cpg_zcb_release(SendAndKeep(other, "another")), CS_OK);
  }
  EXPECT_EQ(other.Dispatch(), CS_OK);  // ends what was pulled last
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(InfoOf(client).kept_messages, 1U);
  EXPECT_EQ(cpg_zcb_release(kept), CS_OK);
  EXPECT_EQ(cpg_zcb_release(kept), CS_ERR_INVALID_PARAM);
  ASSERT_EQ(client.Dispatch(), CS_OK);
  for (const Message& message : client.messages) {
    EXPECT_EQ(message.text, "everybody's");
  }
  EXPECT_EQ(InfoOf(client).out_buffers, out_before);
}

}  // namespace
}  // namespace zcb::cpg::testing
