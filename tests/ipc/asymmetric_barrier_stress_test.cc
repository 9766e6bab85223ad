// The promise of asymmetric_barrier.h, as a litmus test: of two that each store
// and then look at what the other stores, at least one sees it.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <thread>

#include "ipc/asymmetric_barrier.h"
#include "tests/support/child_process.h"
#include "tests/support/refused_calls.h"

namespace zcb::ipc::testing {
namespace {

using zcb::testing::ChildProcess;

// One side counts `data` up as fast as it can, and after each store notes which
// `flag` it saw. The other one counts `flag` up, step by step.
struct Arena {
  alignas(64) std::atomic<std::uint32_t> data;
  alignas(64) std::atomic<std::uint32_t> flag;
  std::atomic<std::uint32_t> judged;  // the step that is judged now
  std::atomic<bool> stopped;
  // The latest steps of the data side: {data, the flag it saw after it}.
  static constexpr std::uint32_t kNotes = 1U << 16;
  alignas(64) std::atomic<std::uint64_t> notes[kNotes];
};

// The side of the data path.
void RunLight(Arena* arena) {
  for (std::uint32_t step = 1; !arena->stopped.load(std::memory_order_relaxed);
       ++step) {
    // Not so far that a note is lost before it is judged.
    while (step - arena->judged.load(std::memory_order_relaxed) >
               Arena::kNotes / 2 &&
           !arena->stopped.load(std::memory_order_relaxed)) {
      std::this_thread::yield();
    }
    // release: the notes of the steps before are there
    arena->data.store(step, std::memory_order_release);
    LightBarrier();
    const std::uint64_t saw = arena->flag.load(std::memory_order_relaxed);
    arena->notes[step % Arena::kNotes].store(std::uint64_t{step} << 32 | saw,
                                             std::memory_order_relaxed);
  }
}

struct Verdict {
  std::uint32_t judged = 0;
  std::uint32_t missed = 0;  // neither saw the other's store
};

// The other side. It has said `turn` and saw the data of one step: then the
// next step, which it did not see, has seen what it said.
Verdict RunHeavy(Arena* arena) {
  constexpr std::uint32_t kTurns = 300;
  Verdict verdict;
  while (arena->data.load(std::memory_order_relaxed) == 0) {
    std::this_thread::yield();
  }
  for (std::uint32_t turn = 1; turn <= kTurns; ++turn) {
    arena->flag.store(turn, std::memory_order_seq_cst);
    if (!HeavyBarrier()) break;
    const std::uint32_t step = arena->data.load(std::memory_order_relaxed) + 1;
    arena->judged.store(step, std::memory_order_relaxed);
    while (arena->data.load(std::memory_order_acquire) <= step) {
      std::this_thread::yield();
    }
    const std::uint64_t note =
        arena->notes[step % Arena::kNotes].load(std::memory_order_relaxed);
    if (note >> 32 != step) continue;  // long ago, when we were not running
    ++verdict.judged;
    if (static_cast<std::uint32_t>(note) < turn) ++verdict.missed;
  }
  arena->stopped.store(true, std::memory_order_relaxed);
  return verdict;
}

void ExpectNoneMissed(const Verdict& verdict) {
  EXPECT_GT(verdict.judged, 0U);
  EXPECT_EQ(verdict.missed, 0U) << "of " << verdict.judged;
}

// The light side in a child, once it is `ready`.
template <typename Ready>
void ExpectNoneMissedBetweenProcesses(Ready ready) {
  void* const memory = mmap(nullptr, sizeof(Arena), PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  auto* const arena = new (memory) Arena{};
  ChildProcess child([arena, ready] {
    if (!ready()) return 1;
    RunLight(arena);
    return 0;
  });
  ExpectNoneMissed(RunHeavy(arena));
  EXPECT_EQ(child.Join(), 0);
  munmap(memory, sizeof(Arena));
}

// The first test: a child inherits the registration of its parent.
TEST(AsymmetricBarrierTest, WhoMayNotRegisterIsNeverMissedEither) {
  ASSERT_FALSE(internal::is_registered.load(std::memory_order_relaxed));
  ExpectNoneMissedBetweenProcesses([] {
    return zcb::testing::RefuseCalls({{SYS_membarrier, ENOSYS}}) &&
           !EnableHeavyBarriers();
  });
}

TEST(AsymmetricBarrierTest, OfTwoThreadsOneAlwaysSeesTheOther) {
  ASSERT_TRUE(EnableHeavyBarriers());
  const auto arena = std::make_unique<Arena>();
  std::thread light([&] { RunLight(arena.get()); });
  ExpectNoneMissed(RunHeavy(arena.get()));
  light.join();
}

TEST(AsymmetricBarrierTest, OfTwoProcessesOneAlwaysSeesTheOther) {
  ExpectNoneMissedBetweenProcesses([] { return EnableHeavyBarriers(); });
}

}  // namespace
}  // namespace zcb::ipc::testing
