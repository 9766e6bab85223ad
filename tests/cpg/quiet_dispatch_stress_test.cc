// Threads that dispatch one handle without waiting: whoever is told that there
// is nothing finds everything done that he sent.
#include <atomic>
#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

#include "tests/cpg/client.h"

namespace zcb::cpg::testing {
namespace {

const RegionOfThisTest region_of_this_test;

struct Text {
  std::uint32_t thread = 0;
  std::uint32_t number = 0;
};

// No atomics: a callback's writes are seen by whom the dispatch returns to.
constexpr std::uint32_t kThreads = 3;
std::uint32_t delivered[kThreads] = {};

void Deliver(cpg_handle_t, const cpg_name*, std::uint32_t, std::uint32_t,
             void* msg, std::size_t) {
  Text text;
  std::memcpy(&text, msg, sizeof(text));
  delivered[text.thread] = text.number;
}

TEST(QuietDispatchStressTest, WhoIsToldNothingFindsHisMessagesDelivered) {
  constexpr std::uint32_t kRounds = 20000;
  cpg_callbacks_t callbacks{&Deliver, nullptr};
  cpg_handle_t handle = 0;
  ASSERT_EQ(cpg_initialize(&handle, &callbacks), CS_OK);
  const cpg_name group = Named("quiet-stress");
  ASSERT_EQ(cpg_join(handle, &group), CS_OK);
  std::atomic<std::uint32_t> at_the_gate{0};
  std::vector<std::thread> threads;
  for (std::uint32_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      ++at_the_gate;
      while (at_the_gate != kThreads) std::this_thread::yield();
      for (std::uint32_t i = 1; i <= kRounds; ++i) {
        Text text{t, i};
        const iovec piece{&text, sizeof(text)};
        ASSERT_EQ(cpg_mcast_joined(handle, CPG_TYPE_AGREED, &piece, 1), CS_OK);
        if (i % 2 == 0) {
          ASSERT_EQ(cpg_dispatch(handle, CS_DISPATCH_ALL), CS_OK);
        } else {
          while (cpg_dispatch(handle, CS_DISPATCH_ONE_NONBLOCKING) == CS_OK) {
          }
        }
        ASSERT_EQ(delivered[t], i);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(cpg_finalize(handle), CS_OK);
}

}  // namespace
}  // namespace zcb::cpg::testing
