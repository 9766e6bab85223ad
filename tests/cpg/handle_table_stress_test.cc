// Threads that look up, use and close the same handles at once.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "cpg/handle_table.h"

namespace zcb::cpg {
namespace {

constexpr std::uint64_t kAlive = 0x600dcafe;

struct Probe {
  ~Probe() { value = 0; }
  std::uint64_t value = kAlive;
  std::uint64_t handle = 0;
};

TEST(HandleTableStressTest, NobodySeesAnObjectThatIsGone) {
  constexpr int kThreads = 3;
  constexpr int kRounds = 20000;
  constexpr std::size_t kHandles = 4;
  HandleTable<Probe> table;
  std::atomic<std::uint64_t> handles[kHandles] = {};
  std::atomic<int> at_the_gate{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      ++at_the_gate;
      while (at_the_gate != kThreads) std::this_thread::yield();
      for (int i = 0; i < kRounds; ++i) {
        auto& place = handles[static_cast<std::size_t>(i + t) % kHandles];
        // relaxed, here and below: what orders the rest is the table
        const std::uint64_t handle = place.load(std::memory_order_relaxed);
        switch ((i * 7 + t) % 4) {
          case 0: {
            const auto closing = table.Close(handle);
            if (closing) {
              EXPECT_EQ(closing->value, kAlive);
            }
            break;
          }
          case 1: {
            const std::uint64_t fresh = table.Open(
                std::make_unique<Probe>(),
                [](Probe* probe, std::uint64_t id) { probe->handle = id; });
            ASSERT_NE(fresh, 0U);
            (void)table.Close(place.exchange(fresh, std::memory_order_relaxed));
            break;
          }
          default: {
            const auto pin =
                table.Find(handle, i % 2 == 0 ? PinWord::Kind::kCall
                                              : PinWord::Kind::kSender);
            if (pin) {
              EXPECT_EQ(pin->value, kAlive);
              EXPECT_EQ(pin->handle, handle);
            }
          }
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (auto& handle : handles) (void)table.Close(handle);
  EXPECT_TRUE(table.Empty());
}

}  // namespace
}  // namespace zcb::cpg
