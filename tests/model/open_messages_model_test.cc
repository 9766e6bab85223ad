// A model of cpg/open_messages.h under Relacy: open.begin, open.write. One
// writer opens, closes and opens the same place at the same address again; a
// reader finds one opening whole, or nothing.
#include <gtest/gtest.h>

// Last: it makes keywords into macros.
#include "tests/model/model.h"

namespace {

template <typename Model>
bool Holds() {
  return zcb::testing::ModelHolds<Model>(50'000);
}

template <rl::memory_order kFieldStore, rl::memory_order kFieldLoad,
          rl::memory_order kTurnStore, rl::memory_order kTurnLoad,
          bool kHasOddTurn = true, bool kComparesTurns = true>
struct PlaceModel
    : rl::test_suite<PlaceModel<kFieldStore, kFieldLoad, kTurnStore, kTurnLoad,
                                kHasOddTurn, kComparesTurns>,
                     2> {
  rl::atomic<int> turn;
  rl::atomic<int> payload;
  rl::atomic<int> position;
  rl::atomic<int> length;

  void before() {
    turn($) = 0;
    payload($) = 0;
    position($) = 0;
    length($) = 0;
  }
  void Open(int number) {
    const int before = turn($).load(rl::mo_relaxed);
    if (kHasOddTurn) turn($).store(before + 1, rl::mo_relaxed);
    position($).store(number, kFieldStore);
    length($).store(number, kFieldStore);
    payload($).store(1, kFieldStore);
    turn($).store(before + 2, kTurnStore);
  }
  void thread(unsigned index) {
    if (index == 0) {
      for (int number = 1; number <= 3; ++number) {
        Open(number);
        payload($).store(0, rl::mo_relaxed);  // Close
      }
      Open(4);
      return;
    }
    for (int tries = 0; tries < 3; ++tries) {
      if (payload($).load(rl::mo_relaxed) != 1) continue;
      const int seen = turn($).load(kTurnLoad);
      if (seen % 2 != 0) continue;
      const int read_position = position($).load(kFieldLoad);
      const int read_length = length($).load(kFieldLoad);
      if (payload($).load(kFieldLoad) != 1) continue;
      if (kComparesTurns && turn($).load(rl::mo_relaxed) != seen) continue;
      RL_ASSERT(read_position == read_length);
      RL_ASSERT(read_position * 2 == seen);
    }
  }
};

constexpr auto kRelaxed = rl::mo_relaxed;
constexpr auto kAcquire = rl::mo_acquire;
constexpr auto kRelease = rl::mo_release;

TEST(OpenMessagesModelTest, AReaderFindsOneOpeningWholeOrNothing) {
  EXPECT_TRUE((Holds<PlaceModel<kRelease, kAcquire, kRelease, kAcquire>>()));
}
TEST(OpenMessagesModelTest, FieldsAreWrittenWithRelease) {
  EXPECT_FALSE((Holds<PlaceModel<kRelaxed, kAcquire, kRelease, kAcquire>>()));
}
TEST(OpenMessagesModelTest, FieldsAreReadWithAcquire) {
  EXPECT_FALSE((Holds<PlaceModel<kRelease, kRelaxed, kRelease, kAcquire>>()));
}
TEST(OpenMessagesModelTest, TheTurnIsWrittenWithRelease) {
  EXPECT_FALSE((Holds<PlaceModel<kRelease, kAcquire, kRelaxed, kAcquire>>()));
}
TEST(OpenMessagesModelTest, TheTurnIsReadWithAcquire) {
  EXPECT_FALSE((Holds<PlaceModel<kRelease, kAcquire, kRelease, kRelaxed>>()));
}
TEST(OpenMessagesModelTest, WithoutTheOddTurnAMixtureIsRead) {
  EXPECT_FALSE(
      (Holds<PlaceModel<kRelease, kAcquire, kRelease, kAcquire, false>>()));
}
TEST(OpenMessagesModelTest, WithoutASecondLookAtTheTurnAMixtureIsRead) {
  EXPECT_FALSE(
      (Holds<
          PlaceModel<kRelease, kAcquire, kRelease, kAcquire, true, false>>()));
}

}  // namespace
