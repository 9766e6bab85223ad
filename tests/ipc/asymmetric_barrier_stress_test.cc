// The promise of asymmetric_barrier.h, as a litmus test: of two that each store
// and then look at what the other stores, at least one sees it.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <atomic>
#include <cstdint>
#include <thread>

#include "ipc/asymmetric_barrier.h"
#include "tests/support/child_process.h"

namespace zcb::ipc::testing {
namespace {

using zcb::testing::ChildProcess;

// Two that go through their rounds side by side.
struct Arena {
  alignas(64) std::atomic<std::uint32_t> data[2];  // by parity of the round
  alignas(64) std::atomic<std::uint32_t> flag[2];
  alignas(64) std::atomic<std::uint32_t> light_done;
  std::atomic<std::uint32_t> light_saw;
  alignas(64) std::atomic<std::uint32_t> heavy_done;
  std::atomic<std::uint32_t> started;
};

constexpr std::uint32_t kRounds = 4'000;

// Waits for the other side without going to sleep, unless it does not run.
void Await(const std::atomic<std::uint32_t>& word, std::uint32_t round) {
  for (std::uint32_t i = 0; word.load(std::memory_order_acquire) < round; ++i) {
    if (i % 1024 == 1023) std::this_thread::yield();
  }
}

// The side of the data path: round by round, stores and looks.
void RunLight(Arena* arena) {
  for (std::uint32_t round = 1; round <= kRounds; ++round) {
    Await(arena->started, round);
    const std::uint32_t side = round % 2;
    arena->data[side].store(round, std::memory_order_release);
    LightBarrier();
    arena->light_saw.store(arena->flag[side].load(std::memory_order_relaxed),
                           std::memory_order_relaxed);
    arena->light_done.store(round, std::memory_order_release);
  }
}

// The other side; how often neither saw the other's store.
std::uint32_t RunHeavy(Arena* arena) {
  std::uint32_t missed = 0;
  for (std::uint32_t round = 1; round <= kRounds; ++round) {
    const std::uint32_t side = round % 2;
    arena->started.store(round, std::memory_order_release);
    // At a different moment of the other side's each time.
    for (std::uint32_t i = 0; i < round % 97; ++i) LightBarrier();
    arena->flag[side].store(round, std::memory_order_seq_cst);
    if (!HeavyBarrier()) return kRounds;
    const bool saw = arena->data[side].load(std::memory_order_relaxed) == round;
    Await(arena->light_done, round);
    if (!saw && arena->light_saw.load(std::memory_order_relaxed) != round) {
      ++missed;
    }
  }
  return missed;
}

TEST(AsymmetricBarrierTest, OfTwoThreadsOneAlwaysSeesTheOther) {
  ASSERT_TRUE(EnableHeavyBarriers());
  Arena arena{};
  std::thread light([&] { RunLight(&arena); });
  EXPECT_EQ(RunHeavy(&arena), 0U);
  light.join();
}

TEST(AsymmetricBarrierTest, OfTwoProcessesOneAlwaysSeesTheOther) {
  void* const memory = mmap(nullptr, sizeof(Arena), PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  auto* const arena = new (memory) Arena{};
  ChildProcess child([arena] {
    if (!EnableHeavyBarriers()) return 1;
    RunLight(arena);
    return 0;
  });
  EXPECT_EQ(RunHeavy(arena), 0U);
  EXPECT_EQ(child.Join(), 0);
  munmap(memory, sizeof(Arena));
}

}  // namespace
}  // namespace zcb::ipc::testing
