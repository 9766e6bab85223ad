// Many handles in many threads: each keeps what is its own.
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/cpg/client.h"

namespace zcb::cpg::testing {
namespace {

const RegionOfThisTest region_of_this_test;

TEST(HandlesStressTest, EachThreadsHandleHasItsOwnGroupContextAndMessages) {
  constexpr int kThreads = 6;
  constexpr int kRounds = 60;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([i] {
      const std::string group = "thread-" + std::to_string(i);
      const cpg_model_t model = i % 2 == 0 ? CPG_MODEL_V1 : CPG_MODEL_ZCB;
      cpg_handle_t stale = 0;
      for (int round = 0; round < kRounds; ++round) {
        Client client(model);
        ASSERT_EQ(client.status, CS_OK);
        EXPECT_NE(client.handle, 0U);
        EXPECT_NE(client.handle, stale);
        void* context = nullptr;
        EXPECT_EQ(cpg_context_get(client.handle, &context), CS_OK);
        EXPECT_EQ(context, &client);
        client.Enter(group);
        for (int n = 0; n < 20; ++n) {
          ASSERT_EQ(client.Send(group + "." + std::to_string(n)), CS_OK);
        }
        client.DispatchUntilMessages(20);
        for (int n = 0; n < 20; ++n) {
          ASSERT_EQ(client.messages[static_cast<std::size_t>(n)].text,
                    group + "." + std::to_string(n));
        }
        EXPECT_EQ(client.changes.size(), 1U);
        if (round % 2 == 0) {
          ASSERT_EQ(client.Leave(group), CS_OK);
          client.DispatchUntilChanges(2);
        }
        // What was finalized stays dead, however often its place is reused.
        if (stale != 0) {
          EXPECT_EQ(cpg_context_get(stale, &context), CS_ERR_BAD_HANDLE);
          EXPECT_EQ(cpg_mcast_joined(stale, CPG_TYPE_AGREED, nullptr, 0),
                    CS_ERR_BAD_HANDLE);
        }
        stale = client.handle;
        EXPECT_EQ(cpg_finalize(client.handle), CS_OK);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(HandlesStressTest, OneThreadMayServeHandlesThatOthersOpenedAndEnd) {
  constexpr std::size_t kHandles = 8;
  std::vector<std::unique_ptr<Client>> clients(kHandles);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < kHandles; ++i) {
    threads.emplace_back([&clients, i] {
      clients[i] = std::make_unique<Client>();
      ASSERT_EQ(clients[i]->Join("served-" + std::to_string(i)), CS_OK);
    });
  }
  for (std::thread& thread : threads) thread.join();
  threads.clear();
  for (std::size_t i = 0; i < kHandles; ++i) {
    threads.emplace_back([&clients, i] {
      for (int n = 0; n < 100; ++n) {
        ASSERT_EQ(clients[i]->Send(std::to_string(i)), CS_OK);
      }
    });
  }
  const auto all_read = [&] {
    for (const auto& client : clients) {
      if (client->messages.size() != 100) return false;
    }
    return true;
  };
  while (!all_read()) {
    for (const auto& client : clients) ASSERT_EQ(client->Dispatch(), CS_OK);
  }
  for (std::thread& thread : threads) thread.join();
  threads.clear();
  for (std::size_t i = 0; i < kHandles; ++i) {
    EXPECT_EQ(clients[i]->messages.back().text, std::to_string(i));
    threads.emplace_back([&clients, i] { clients[i].reset(); });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace zcb::cpg::testing
