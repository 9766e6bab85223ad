// The words of groups: pure transitions, no memory shared with anybody.
#include <gtest/gtest.h>

#include "ipc/entry_word.h"
#include "ipc/keep_record.h"
#include "ipc/sleep_word.h"
#include "ipc/slot_word.h"

namespace zcb::ipc {
namespace {

TEST(SlotWordTest, MessageKeepsLapAndReference) {
  const SlotWord word =
      SlotWord::Message(0xfedc'ba98, alloc::BufferRef(0x7654'3210));
  EXPECT_EQ(word.lap(), 0xfedc'ba98U);
  EXPECT_FALSE(word.is_control());
  EXPECT_EQ(word.ref(), alloc::BufferRef(0x7654'3210));
}

TEST(SlotWordTest, RecordKeepsKindEntryAndGeneration) {
  const SlotWord word =
      SlotWord::Record(7, SlotWord::Control::kProcessDown, 0xabc, 0xffff);
  EXPECT_TRUE(word.is_control());
  EXPECT_EQ(word.lap(), 7U);
  EXPECT_EQ(word.control(), SlotWord::Control::kProcessDown);
  EXPECT_EQ(word.entry(), 0xabc);
  EXPECT_EQ(word.entry_generation(), 0xffff);
}

TEST(SlotWordTest, LapIsNeverZeroAndDiffersBetweenNeighbouringTurns) {
  constexpr unsigned kShift = 10;
  EXPECT_EQ(SlotWord::LapOf(0, kShift), 1U);
  EXPECT_EQ(SlotWord::LapOf(1023, kShift), 1U);
  EXPECT_EQ(SlotWord::LapOf(1024, kShift), 2U);
  const std::uint64_t last_lap = (std::uint64_t{0xffff'fffe} << kShift);
  EXPECT_EQ(SlotWord::LapOf(last_lap, kShift), 0xffff'ffffU);
  EXPECT_EQ(SlotWord::LapOf(last_lap + 1024, kShift), 1U) << "wraps past 0";
}

TEST(EntryWordTest, AllZeroIsFreeAndALifeRaisesTheGenerationByOne) {
  const EntryWord free;
  EXPECT_EQ(free.phase(), EntryWord::Phase::kFree);
  EXPECT_FALSE(free.gates());
  const alloc::LeaseId lease{4095, (1U << 30) - 1};
  const EntryWord joining = free.Join(lease);
  EXPECT_TRUE(joining.gates());
  EXPECT_EQ(joining.lease(), lease);
  const EntryWord member = joining.Become(EntryWord::Phase::kMember);
  EXPECT_TRUE(member.gates());
  EXPECT_EQ(member.lease(), lease);
  const EntryWord down = member.Down();
  EXPECT_FALSE(down.gates());
  EXPECT_EQ(down.lease(), (alloc::LeaseId{0, 0})) << "names no lease";
  EXPECT_EQ(down.generation(), free.generation());
  EXPECT_EQ(down.Free().generation(), free.generation() + 1);
}

TEST(EntryWordTest, GenerationWrapsWithoutTouchingItsNeighbours) {
  EntryWord word;
  for (int i = 0; i < 65536; ++i) word = word.Free();
  EXPECT_EQ(word.raw(), 0U);
}

TEST(OrderWordTest, PositionZeroIsNotTheSameAsUnset) {
  EXPECT_FALSE(OrderWord::Unset(3).is_set());
  const OrderWord at = OrderWord::At(3, 0);
  EXPECT_TRUE(at.is_set());
  EXPECT_EQ(at.position(), 0U);
  EXPECT_EQ(at.generation(), 3);
}

TEST(SleepWordTest, RungKeepsTheEpochSoThatALateMarkMissesTheNextSleep) {
  const SleepWord sleeping = SleepWord::Of(9, SleepWord::State::kSleeping);
  EXPECT_EQ(sleeping.Rung(), SleepWord::Of(9, SleepWord::State::kRung));
  EXPECT_NE(sleeping, SleepWord::Of(10, SleepWord::State::kSleeping));
}

TEST(GroupSleepWordTest, ANewSleeperChangesTheWordEvenIfMaybeStoodAlready) {
  const GroupSleepWord first = GroupSleepWord().SomebodySleeps();
  EXPECT_TRUE(first.maybe());
  const GroupSleepWord second = first.SomebodySleeps();
  EXPECT_TRUE(second.maybe());
  EXPECT_NE(first, second);
  EXPECT_FALSE(second.NobodySleeps().maybe());
}

TEST(KeepRecordTest, LettingGoNoLongerHolds) {
  const alloc::BufferRef ref(77);
  const KeepRecord record = KeepRecord::Hold(12, ref);
  EXPECT_TRUE(record.holds(ref));
  EXPECT_FALSE(record.holds(alloc::BufferRef(78)));
  EXPECT_FALSE(record.LetGo().holds(ref));
  EXPECT_FALSE(record.LetGo().is_empty());
  EXPECT_EQ(record.LetGo().lease_generation(), 12U);
  EXPECT_EQ(record.LetGo().ref(), ref);
}

}  // namespace
}  // namespace zcb::ipc
