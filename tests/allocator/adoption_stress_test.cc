// Threads that adopt units while others of them dissolve what was adopted.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "tests/allocator/allocator_testing.h"

namespace zcb::alloc {
namespace {

constexpr std::uint32_t kUnits = 4;
constexpr int kRounds = 40;
constexpr int kAdopters = 2;

class AdoptionStressTest : public testing::AllocatorTest {
 protected:
  AdoptionStressTest() : AllocatorTest(kUnits) { EndAllocator(); }

  // Every unit is Abandoned, and every buffer in it free for who adopts it.
  void LeaveEverything(std::uint64_t bytes) {
    NewAllocator();
    AllocAll(bytes);
    EndAllocator();
    for (std::uint32_t u = 0; u < kUnits; ++u) {
      ASSERT_EQ(unit(u).kind(), UnitWord::Kind::kAbandoned);
    }
  }
};

// A slab of an adopted unit can be used, and dissolved, by any thread as soon
// as it is there: the unit must be in the table before.
TEST_F(AdoptionStressTest, AUnitIsKnownBeforeItsSlabsCanBeDissolved) {
  for (int round = 0; round < kRounds; ++round) {
    LeaveEverything(round % 2 == 0 ? 64 : 40'000);
    const std::unique_ptr<Allocator> mine = testing::MakeAllocator(region());
    std::atomic<int> adopting{kAdopters};
    std::vector<std::thread> threads;
    for (int i = 0; i < kAdopters; ++i) {
      threads.emplace_back([&] {
        EXPECT_TRUE(mine->Trim(~std::uint64_t{0}).ok());
        adopting.fetch_sub(1, std::memory_order_relaxed);  // it ends, some time
      });
    }
    threads.emplace_back([&] {
      // relaxed: as above
      while (adopting.load(std::memory_order_relaxed) != 0) {
        // Others want memory: whoever goes to the slabs dissolves what is empty
        // of them, and gives units back.
        region()->pressure().fetch_add(1, std::memory_order_relaxed);
        const auto extent = mine->Alloc(2 * kUnitBytes);
        if (extent) {
          EXPECT_TRUE(mine->Free(*extent).ok());
        }
      }
    });
    for (std::thread& thread : threads) thread.join();
    EXPECT_TRUE(mine->Trim(~std::uint64_t{0}).ok());
    testing::ExpectOwnSound(*mine);
    for (std::uint32_t u = 0; u < kUnits; ++u) {
      ASSERT_EQ(unit(u).kind(), UnitWord::Kind::kFree) << "round " << round;
    }
  }
}

}  // namespace
}  // namespace zcb::alloc
