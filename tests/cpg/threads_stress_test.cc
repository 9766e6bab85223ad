// Several threads on one handle.
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "tests/cpg/client.h"
#include "tests/support/child_process.h"

namespace zcb::cpg::testing {
namespace {

using zcb::testing::Gate;

const RegionOfThisTest region_of_this_test;

TEST(ThreadsStressTest, FinalizeWakesEveryThreadThatWaits) {
  for (int round = 0; round < 400; ++round) {
    Client client;
    client.Enter("wake");
    int fd = -1;
    if (round % 4 != 0) {
      ASSERT_EQ(cpg_fd_get(client.handle, &fd), CS_OK);
    }
    std::atomic<int> waiting{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i) {
      threads.emplace_back([&, i] {
        ++waiting;
        EXPECT_EQ(
            client.Dispatch(i == 0 ? CS_DISPATCH_ONE : CS_DISPATCH_BLOCKING),
            CS_ERR_BAD_HANDLE);
      });
    }
    while (waiting != 3) std::this_thread::yield();
    // Some are asleep by now, some are just going to: all must come back.
    for (int i = 0; i < round % 40; ++i) std::this_thread::yield();
    EXPECT_EQ(cpg_finalize(client.handle), CS_OK);
    for (std::thread& thread : threads) thread.join();
  }
}

TEST(ThreadsStressTest, BlockedHandleCanStillJoinSendAndLeave) {
  Client client;
  std::thread dispatcher([&] {
    EXPECT_EQ(client.Dispatch(CS_DISPATCH_BLOCKING), CS_ERR_BAD_HANDLE);
  });
  Gate received;
  Gate left;
  client.on_message = [&](void*, std::size_t) { received.Signal(); };
  client.on_change = [&] {
    if (!client.changes.back().left.empty()) left.Signal();
  };
  for (int round = 0; round < 20; ++round) {
    cs_error_t joined = CS_ERR_TRY_AGAIN;
    while (joined == CS_ERR_TRY_AGAIN) joined = client.Join("blocked");
    ASSERT_EQ(joined, CS_OK);
    for (int i = 0; i < 20; ++i) {
      ASSERT_EQ(client.Send("x"), CS_OK);
      received.Wait();
    }
    ASSERT_EQ(client.Leave("blocked"), CS_OK);
    left.Wait();
  }
  EXPECT_EQ(cpg_finalize(client.handle), CS_OK);
  dispatcher.join();
  EXPECT_EQ(client.messages.size(), 400U);
}

TEST(ThreadsStressTest, ThreadsThatDispatchOneHandleTakeTurns) {
  constexpr std::size_t kMessages = 2000;
  constexpr int kThreads = 3;
  Client client;
  client.Enter("turns");
  std::atomic<int> inside{0};
  client.on_message = [&](void*, std::size_t) {
    EXPECT_EQ(++inside, 1);
    --inside;
    if (client.messages.size() == kMessages) {
      EXPECT_EQ(cpg_finalize(client.handle), CS_OK);
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      cs_error_t error = CS_OK;
      while (error == CS_OK) {
        error =
            client.Dispatch(i == 0 ? CS_DISPATCH_BLOCKING : CS_DISPATCH_ONE);
      }
      EXPECT_EQ(error, CS_ERR_BAD_HANDLE);
    });
  }
  for (std::size_t i = 0; i < kMessages; ++i) {
    cs_error_t error = CS_ERR_TRY_AGAIN;
    while (error == CS_ERR_TRY_AGAIN) error = client.Send(std::to_string(i));
    ASSERT_EQ(error, CS_OK);
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_EQ(client.messages.size(), kMessages);
  for (std::size_t i = 0; i < kMessages; ++i) {
    ASSERT_EQ(client.messages[i].text, std::to_string(i));
  }
}

// One takes its events itself, the other by callbacks: each event comes once.
// What is pulled ends with the next call of either, so only what is said about
// it is read.
TEST(ThreadsStressTest, OneMayPullWhileAnotherDispatches) {
  constexpr std::size_t kMessages = 3000;
  for (const bool by_batch : {false, true}) {
    Client client(CPG_MODEL_ZCB);
    client.Enter("pull-beside");
    std::atomic<std::size_t> count{0};
    std::vector<std::uint64_t> dispatched;
    client.on_message_in_place = [&](const void* msg) {
      cpg_zcb_message message{};
      EXPECT_EQ(cpg_zcb_describe(client.handle, msg, &message), CS_OK);
      EXPECT_EQ(client.messages.back().text, "text");
      client.messages.clear();
      dispatched.push_back(message.sequence);
      ++count;
    };
    std::thread dispatcher([&] {
      while (count < kMessages) {
        const cs_error_t error =
            cpg_zcb_dispatch_timed(client.handle, CS_DISPATCH_ONE, 1);
        EXPECT_TRUE(error == CS_OK || error == CS_ERR_TIMEOUT) << error;
      }
    });
    std::vector<std::uint64_t> pulled;
    std::thread puller([&] {
      while (count < kMessages) {
        cpg_zcb_message messages[4];
        unsigned got = 1;
        const cs_error_t error =
            by_batch ? cpg_zcb_next_batch(client.handle, messages, 4, &got)
                     : cpg_zcb_next_timed(client.handle, messages, 1);
        if (error != CS_OK) {
          EXPECT_TRUE(error == CS_ERR_TRY_AGAIN || error == CS_ERR_TIMEOUT);
          continue;
        }
        for (unsigned i = 0; i < got; ++i) {
          pulled.push_back(messages[i].sequence);
          ++count;
        }
      }
    });
    for (std::size_t i = 0; i < kMessages; ++i) {
      cs_error_t error = CS_ERR_TRY_AGAIN;
      while (error == CS_ERR_TRY_AGAIN) error = client.Send("text");
      ASSERT_EQ(error, CS_OK);
    }
    dispatcher.join();
    puller.join();
    EXPECT_EQ(dispatched.size() + pulled.size(), kMessages);
    for (auto* sequences : {&dispatched, &pulled}) {
      EXPECT_TRUE(std::is_sorted(sequences->begin(), sequences->end()));
    }
    dispatched.insert(dispatched.end(), pulled.begin(), pulled.end());
    std::sort(dispatched.begin(), dispatched.end());
    EXPECT_EQ(std::adjacent_find(dispatched.begin(), dispatched.end()),
              dispatched.end());
  }
}

TEST(ThreadsStressTest, ThreadsThatSendOnOneHandleLoseNothing) {
  constexpr std::size_t kPerThread = 3000;
  Client client;
  client.Enter("senders");
  std::vector<std::thread> threads;
  for (char name : {'a', 'b', 'c'}) {
    threads.emplace_back([&client, name] {
      for (std::size_t i = 0; i < kPerThread; ++i) {
        cs_error_t error = CS_ERR_TRY_AGAIN;
        while (error == CS_ERR_TRY_AGAIN) {
          error = client.Send(name + std::to_string(i));
          if (error != CS_OK) std::this_thread::yield();
        }
        EXPECT_EQ(error, CS_OK);
      }
    });
  }
  client.DispatchUntilMessages(3 * kPerThread);
  for (std::thread& thread : threads) thread.join();
  std::size_t next[3] = {};
  for (const Message& message : client.messages) {
    const auto sender = static_cast<std::size_t>(message.text[0] - 'a');
    ASSERT_EQ(message.text.substr(1), std::to_string(next[sender]++));
  }
}

TEST(ThreadsStressTest, SendersMayMeetALeaveAndTheNextJoin) {
  Client client(CPG_MODEL_ZCB);
  std::atomic<bool> stop{false};
  std::atomic<std::size_t> sent{0};
  std::vector<std::thread> senders;
  for (int i = 0; i < 2; ++i) {
    senders.emplace_back([&] {
      while (!stop) {
        const cs_error_t error = client.Send("x");
        if (error == CS_OK) ++sent;
        EXPECT_TRUE(error == CS_OK || error == CS_ERR_NOT_EXIST ||
                    error == CS_ERR_TRY_AGAIN)
            << error;
        cpg_flow_control_state_t state{};
        EXPECT_EQ(cpg_flow_control_state_get(client.handle, &state), CS_OK);
      }
    });
  }
  for (int round = 0; round < 2000; ++round) {
    cs_error_t joined = CS_ERR_TRY_AGAIN;
    while (joined == CS_ERR_TRY_AGAIN) joined = client.Join("revolving");
    ASSERT_EQ(joined, CS_OK);
    ASSERT_EQ(client.Dispatch(), CS_OK);
    ASSERT_EQ(client.Leave("revolving"), CS_OK);
    client.DispatchUntil([&] {
      return client.changes.size() == 2 * static_cast<std::size_t>(round + 1);
    });
  }
  stop = true;
  for (std::thread& thread : senders) thread.join();
  EXPECT_EQ(client.messages.size(), sent);
}

void* DispatchAllOnThisThread(void* client) {
  EXPECT_EQ(static_cast<Client*>(client)->Dispatch(), CS_OK);
  return nullptr;
}

TEST(ThreadsStressTest, SixtyFourKibibytesOfStackAreEnough) {
  for (const cpg_model_t model : {CPG_MODEL_V1, CPG_MODEL_ZCB}) {
    Client client(model);
    ASSERT_EQ(client.Join("stack"), CS_OK);
    ASSERT_EQ(client.Send(std::string(1 << 20, 's')), CS_OK);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    ASSERT_EQ(pthread_attr_setstacksize(&attributes, 64 << 10), 0);
    pthread_t thread{};
    ASSERT_EQ(
        pthread_create(&thread, &attributes, &DispatchAllOnThisThread, &client),
        0);
    pthread_join(thread, nullptr);
    pthread_attr_destroy(&attributes);
    EXPECT_EQ(client.changes.size(), 1U);
    EXPECT_EQ(client.messages.size(), 1U);
  }
}

void* DispatchUntilCancelled(void* client) {
  (void)static_cast<Client*>(client)->Dispatch(CS_DISPATCH_BLOCKING);
  return nullptr;
}

TEST(ThreadsStressTest, CancelledThreadLeavesTheHandleInOrder) {
  for (int round = 0; round < 10; ++round) {
    Client client;
    client.Enter("cancel");
    Gate received;
    client.on_message = [&](void*, std::size_t) { received.Signal(); };
    pthread_t thread{};
    ASSERT_EQ(
        pthread_create(&thread, nullptr, &DispatchUntilCancelled, &client), 0);
    ASSERT_EQ(client.Send("x"), CS_OK);
    received.Wait();
    // Inside the callback, between two events or asleep: as it comes.
    for (int i = 0; i < round * 20; ++i) std::this_thread::yield();
    ASSERT_EQ(pthread_cancel(thread), 0);
    void* result = nullptr;
    ASSERT_EQ(pthread_join(thread, &result), 0);
    EXPECT_EQ(result, PTHREAD_CANCELED);
    client.on_message = nullptr;
    ASSERT_EQ(client.Send("y"), CS_OK);
    client.DispatchUntilMessages(2);
    EXPECT_EQ(cpg_finalize(client.handle), CS_OK);
  }
}

TEST(ThreadsStressTest, ExceptionOfACallbackPassesAndLeavesTheHandleInOrder) {
  for (const cpg_model_t model : {CPG_MODEL_V1, CPG_MODEL_ZCB}) {
    Client client(model);
    client.Enter("throw");
    client.on_message = [](void*, std::size_t) { throw 7; };
    client.on_message_in_place = [](const void*) { throw 7; };
    ASSERT_EQ(client.Send("1"), CS_OK);
    ASSERT_EQ(client.Send("2"), CS_OK);
    EXPECT_THROW((void)client.Dispatch(), int);
    client.on_message = nullptr;
    client.on_message_in_place = nullptr;
    // From another thread: no lock was left behind.
    std::thread([&] { EXPECT_EQ(client.Dispatch(), CS_OK); }).join();
    EXPECT_EQ(client.Texts(), (std::vector<std::string>{"1", "2"}));
  }
}

}  // namespace
}  // namespace zcb::cpg::testing
