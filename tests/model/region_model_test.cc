// Models of the region's two agreements between processes, under Relacy, which
// tries the interleavings and what weaker memory orders would allow.
//
// region.close, lease.free: a remover and attachers keep out of each other's
// way (allocator/region_lifecycle.h). lease.attach: who sees an Alive word
// sees its record.
#include <gtest/gtest.h>

// Last: it makes keywords into macros.
#include "tests/model/model.h"

namespace {

enum State { kOpen = 1, kClosing = 2, kClosed = 3 };
enum Word { kFree = 0, kAlive = 1 };

template <typename Model>
bool Holds() {
  return zcb::testing::ModelHolds<Model>(20'000);
}

// A lock that is held whenever the word is Alive needs no model of its own.
template <rl::memory_order kOrder>
struct RemovalModel : rl::test_suite<RemovalModel<kOrder>, 3> {
  rl::atomic<int> state;
  rl::atomic<int> high_water;
  rl::atomic<int> words[2];
  bool is_attached[2];
  bool is_removed;

  void before() {
    state($) = kOpen;
    high_water($) = 0;
    words[0]($) = kFree;
    words[1]($) = kFree;
    is_attached[0] = is_attached[1] = is_removed = false;
  }
  void Attach(unsigned slot) {
    int seen = high_water($).load(kOrder);
    while (seen < int(slot) + 1 &&
           !high_water($).compare_exchange_weak(seen, int(slot) + 1, kOrder)) {
    }
    words[slot]($).store(kAlive, kOrder);
    if (state($).load(kOrder) == kOpen) {
      is_attached[slot] = true;
    } else {
      words[slot]($).store(kFree, kOrder);
    }
  }
  void Remove() {
    state($).store(kClosing, kOrder);
    const int limit = high_water($).load(kOrder);
    for (int slot = 0; slot < limit; ++slot) {
      if (words[slot]($).load(kOrder) == kAlive) {
        state($).store(kOpen, kOrder);
        return;
      }
    }
    state($).store(kClosed, kOrder);
    is_removed = true;
  }
  void thread(unsigned index) {
    if (index == 2) {
      Remove();
    } else {
      Attach(index);
    }
  }
  void after() {
    RL_ASSERT(!is_removed || (!is_attached[0] && !is_attached[1]));
  }
};

// Two last ones leave; the lifecycle lock is the kernel's, an atomic flag here.
template <rl::memory_order kOrder>
struct LeavingModel : rl::test_suite<LeavingModel<kOrder>, 2> {
  rl::atomic<int> words[2];
  rl::atomic<int> lock;
  bool is_removed;

  void before() {
    words[0]($) = kAlive;
    words[1]($) = kAlive;
    lock($) = 0;
    is_removed = false;
  }
  void thread(unsigned index) {
    words[index]($).store(kFree, kOrder);
    while (words[1 - index]($).load(kOrder) != kAlive) {
      int expected = 0;
      if (!lock($).compare_exchange_strong(expected, 1, kOrder)) return;
      // What a look under the lock may still find is the other one, Alive.
      const bool is_alone = words[1 - index]($).load(kOrder) != kAlive;
      if (is_alone) is_removed = true;
      lock($).store(0, kOrder);
      if (is_alone) return;
    }
  }
  void after() { RL_ASSERT(is_removed); }
};

template <rl::memory_order kRelease, rl::memory_order kAcquire>
struct RecordModel : rl::test_suite<RecordModel<kRelease, kAcquire>, 2> {
  rl::atomic<int> word;
  rl::var<int> record;  // plain: Relacy reports a race on it

  void before() { word($) = kFree; }
  void thread(unsigned index) {
    if (index == 0) {
      record($) = 42;
      word($).store(kAlive, kRelease);
    } else if (word($).load(kAcquire) == kAlive) {
      RL_ASSERT(record($) == 42);
    }
  }
};

TEST(RegionModelTest, NobodyKeepsARegionThatIsRemoved) {
  EXPECT_TRUE(Holds<RemovalModel<rl::mo_seq_cst>>());
}
TEST(RegionModelTest, RemovalNeedsSequentialConsistency) {
  EXPECT_FALSE(Holds<RemovalModel<rl::mo_relaxed>>());
}
TEST(RegionModelTest, OfTheLastTwoOneRemovesTheFiles) {
  EXPECT_TRUE(Holds<LeavingModel<rl::mo_seq_cst>>());
}
TEST(RegionModelTest, LeavingNeedsSequentialConsistency) {
  EXPECT_FALSE(Holds<LeavingModel<rl::mo_relaxed>>());
}
TEST(RegionModelTest, RecordIsWholeWhenTheWordIsAlive) {
  EXPECT_TRUE((Holds<RecordModel<rl::mo_release, rl::mo_acquire>>()));
  EXPECT_FALSE((Holds<RecordModel<rl::mo_relaxed, rl::mo_acquire>>()));
  EXPECT_FALSE((Holds<RecordModel<rl::mo_release, rl::mo_relaxed>>()));
}

}  // namespace
