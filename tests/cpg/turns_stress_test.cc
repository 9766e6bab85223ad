// A handle whose events never end: whoever wants it besides gets its turn.
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "tests/cpg/client.h"

namespace zcb::cpg::testing {
namespace {

const RegionOfThisTest region_of_this_test;

// Messages that are sent again inside their callbacks: there is always a next
// event, until the end.
class Endless {
 public:
  static constexpr int kMessages = 3;

  Endless(cpg_model_t model, const char* group) : client(model) {
    client.Enter(group);
    client.on_message = [this](void*, std::size_t) { Again(); };
    client.on_message_in_place = [this](const void*) { Again(); };
    client.on_change = [this] { ended_ = kMessages; };
    for (int i = 0; i < kMessages; ++i) EXPECT_EQ(client.Send("x"), CS_OK);
  }
  ~Endless() {
    stop_ = true;
    while (ended_ < kMessages) std::this_thread::yield();
    EXPECT_EQ(cpg_finalize(client.handle), CS_OK);
    dispatcher_.join();
  }
  Endless(const Endless&) = delete;
  Endless& operator=(const Endless&) = delete;

  // A thread that goes on until the end.
  void Start(cs_dispatch_flags_t how) {
    dispatcher_ = std::thread([this, how] {
      cs_error_t error = CS_OK;
      while (error == CS_OK) error = client.Dispatch(how);
      EXPECT_EQ(error, CS_ERR_BAD_HANDLE);
    });
    WaitForMore();
  }
  void WaitForMore() const {
    const int before = delivered_;
    while (delivered_ < before + 10) std::this_thread::yield();
  }
  bool left() const { return ended_ == kMessages; }

  Client client;

 private:
  void Again() {
    client.messages.clear();  // there would be many
    ++delivered_;
    if (stop_) {
      ++ended_;
      return;
    }
    const cs_error_t error = client.Send("x");
    EXPECT_TRUE(error == CS_OK || error == CS_ERR_NOT_EXIST) << error;
  }

  std::atomic<int> delivered_{0};
  std::atomic<bool> stop_{false};
  std::atomic<int> ended_{0};
  std::thread dispatcher_;
};

class TurnsStressTest : public ::testing::TestWithParam<cpg_model_t> {};

TEST_P(TurnsStressTest, EveryCallGetsItsTurnBesideADispatchWithoutEnd) {
  for (const cs_dispatch_flags_t how :
       {CS_DISPATCH_BLOCKING, CS_DISPATCH_ALL, CS_DISPATCH_ONE}) {
    SCOPED_TRACE(how);
    Endless endless(GetParam(), "endless");
    endless.Start(how);
    for (int i = 0; i < 20; ++i) {
      EXPECT_EQ(endless.client.Join("another"), CS_ERR_EXIST);
      EXPECT_EQ(endless.client.Dispatch(CS_DISPATCH_ONE), CS_OK);
      EXPECT_EQ(
          cpg_zcb_dispatch_timed(endless.client.handle, CS_DISPATCH_ONE, -1),
          CS_OK);
      cpg_zcb_message message{};
      EXPECT_EQ(cpg_zcb_describe(endless.client.handle, &message, &message),
                CS_ERR_INVALID_PARAM);
      int fd = -1;
      EXPECT_EQ(cpg_fd_get(endless.client.handle, &fd), CS_OK);
    }
    endless.WaitForMore();
  }
}

TEST_P(TurnsStressTest, LeaveGetsThroughADispatchWithoutEnd) {
  for (const cs_dispatch_flags_t how :
       {CS_DISPATCH_BLOCKING, CS_DISPATCH_ALL, CS_DISPATCH_ONE}) {
    SCOPED_TRACE(how);
    Endless endless(GetParam(), "endless-leave");
    endless.Start(how);
    EXPECT_EQ(endless.client.Leave("endless-leave"), CS_OK);
    while (!endless.left()) std::this_thread::yield();
  }
}

// Those that have had their turn announce that the handle sleeps; the dispatch
// that goes on may meet the own leave next.
TEST_P(TurnsStressTest, DispatchThatHasGivenWayIsAwakeAgain) {
  Client client(GetParam());
  int fd = -1;
  ASSERT_EQ(cpg_fd_get(client.handle, &fd), CS_OK);
  std::atomic<bool> left{false};
  client.on_change = [&] {
    if (!client.changes.back().left.empty()) left = true;
    client.changes.clear();
  };
  std::atomic<bool> comes{false};
  const auto until_it_is_wanted = [&] {
    while (!comes) std::this_thread::yield();
    for (int i = 0; i < 50; ++i) std::this_thread::yield();
  };
  client.on_message = [&](void*, std::size_t) { until_it_is_wanted(); };
  client.on_message_in_place = [&](const void*) { until_it_is_wanted(); };
  std::thread dispatcher([&] {
    EXPECT_EQ(client.Dispatch(CS_DISPATCH_BLOCKING), CS_ERR_BAD_HANDLE);
  });
  for (int round = 0; round < 300; ++round) {
    left = false;
    cs_error_t joined = CS_ERR_TRY_AGAIN;
    while (joined == CS_ERR_TRY_AGAIN) joined = client.Join("awake");
    ASSERT_EQ(joined, CS_OK);
    comes = false;
    ASSERT_EQ(client.Send("x"), CS_OK);
    comes = true;
    EXPECT_EQ(client.Join("awake"), CS_ERR_EXIST);
    ASSERT_EQ(client.Leave("awake"), CS_OK);
    while (!left) std::this_thread::yield();
  }
  EXPECT_EQ(cpg_finalize(client.handle), CS_OK);
  dispatcher.join();
}

TEST_P(TurnsStressTest, ThreadsThatDispatchWithoutEndAllGetEvents) {
  constexpr int kEach = 200;
  Endless endless(GetParam(), "endless-all");
  endless.Start(CS_DISPATCH_BLOCKING);
  std::atomic<int> satisfied{0};
  std::vector<std::thread> threads;
  for (const cs_dispatch_flags_t how :
       {CS_DISPATCH_ONE, CS_DISPATCH_ONE_NONBLOCKING, CS_DISPATCH_ONE}) {
    threads.emplace_back([&, how] {
      for (int got = 0; satisfied != 3;) {
        if (endless.client.Dispatch(how) == CS_OK && ++got == kEach) {
          ++satisfied;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

INSTANTIATE_TEST_SUITE_P(Models, TurnsStressTest,
                         ::testing::Values(CPG_MODEL_V1, CPG_MODEL_ZCB),
                         [](const auto& model) {
                           return model.param == CPG_MODEL_V1 ? "V1" : "Zcb";
                         });

}  // namespace
}  // namespace zcb::cpg::testing
