// The words of an eviction, set by hand: each step, and a late hand at each.
#include <gtest/gtest.h>

#include "ipc/eviction.h"
#include "ipc/member_table.h"
#include "tests/ipc/fake_group.h"

namespace zcb::ipc {
namespace {

using testing::FakeGroup;
using Control = SlotWord::Control;
using Phase = EntryWord::Phase;

constexpr alloc::LeaseId kLease{3, 17};

EntryWord WordOf(FakeGroup& group, std::uint16_t entry) {
  return EntryWord(group.entries_[entry].word.load());
}

// Claims an entry and publishes its JOIN, applied.
ClaimedEntry EnterFake(FakeGroup& group) {
  const auto claimed = ClaimEntry(group.view(), kLease, {1, 4711}, 0);
  EXPECT_TRUE(claimed.ok());
  const std::uint64_t at =
      group.PublishRecord(Control::kJoin, claimed->index, claimed->generation);
  ApplyUpTo(group.view(), at);
  group.entries_[claimed->index].word.store(
      WordOf(group, claimed->index).Become(Phase::kMember).raw());
  return *claimed;
}

TEST(EvictionWordsTest, EvictionStopsTheGatingAndPublishesOneRecord) {
  FakeGroup group;
  const ClaimedEntry one = EnterFake(group);
  const EntryWord before = WordOf(group, one.index);
  EXPECT_TRUE(Evict(group.view(), one.index, before));
  const EntryWord after = WordOf(group, one.index);
  EXPECT_EQ(after.phase(), Phase::kEvicted);
  EXPECT_FALSE(after.gates());
  EXPECT_EQ(after.lease(), kLease) << "it is still its own";
  EXPECT_EQ(group.header_.tail.load(), 2U);
  EXPECT_FALSE(Evict(group.view(), one.index, before)) << "a second evictor";
  EXPECT_TRUE(PublishDown(group.view(), one.index, one.generation));
  EXPECT_EQ(group.header_.tail.load(), 2U);
  EXPECT_EQ(group.header_.evictions.load(), 1U);
}

TEST(EvictionWordsTest, LeaverThatIsPutOutNeedsNoSecondRecord) {
  FakeGroup group;
  const ClaimedEntry one = EnterFake(group);
  group.PublishRecord(Control::kLeave, one.index, one.generation);
  EXPECT_TRUE(Evict(group.view(), one.index, WordOf(group, one.index)));
  EXPECT_EQ(group.header_.tail.load(), 2U);
}

TEST(EvictionWordsTest, ReclaimerOfTheRecordLeavesAnEvictedEntryItsOwner) {
  FakeGroup group;
  const ClaimedEntry one = EnterFake(group);
  Evict(group.view(), one.index, WordOf(group, one.index));
  group.ReclaimTo(1);
  FreeEntry(group.view(), one.index, one.generation, 1);
  EXPECT_EQ(WordOf(group, one.index).phase(), Phase::kEvicted);
}

TEST(EvictionWordsTest, DownEntryIsFreedByAnyoneOnceItsRecordHasPassed) {
  FakeGroup group;
  const ClaimedEntry one = EnterFake(group);
  Evict(group.view(), one.index, WordOf(group, one.index));
  GiveUpEntry(group.view(), one, kLease, false);
  EXPECT_EQ(WordOf(group, one.index), EntryWord(0).Down());
  group.ReclaimTo(1);  // the record, at 1, stands
  FreeIfPassed(group.view(), one.index, one.generation);
  EXPECT_EQ(WordOf(group, one.index).phase(), Phase::kDown)
      << "or a joiner could have it before everybody read of its end";
  group.ReclaimTo(2);
  FreeIfPassed(group.view(), one.index, one.generation);
  EXPECT_EQ(WordOf(group, one.index), EntryWord(0).Free());
  FreeIfPassed(group.view(), one.index, one.generation);  // a late hand
  EXPECT_EQ(WordOf(group, one.index), EntryWord(0).Free());
}

TEST(EvictionWordsTest, DownEntryWithoutARecordIsNotFreed) {
  FakeGroup group;
  const ClaimedEntry one = EnterFake(group);
  group.entries_[one.index].word.store(WordOf(group, one.index).Down().raw());
  group.ReclaimTo(1);
  FreeIfPassed(group.view(), one.index, one.generation);
  EXPECT_EQ(WordOf(group, one.index).phase(), Phase::kDown);
}

TEST(EvictionWordsTest, LateRecordsOfTheEvictedDoNotTouchTheNextLife) {
  FakeGroup group;
  const ClaimedEntry one = EnterFake(group);
  Evict(group.view(), one.index, WordOf(group, one.index));
  // It had passed its check before it was put out.
  const auto late =
      group.PublishRecord(Control::kLeave, one.index, one.generation);
  GiveUpEntry(group.view(), one, kLease, false);
  group.ReclaimTo(2);
  FreeIfPassed(group.view(), one.index, one.generation);
  const ClaimedEntry next = EnterFake(group);
  ASSERT_EQ(next.index, one.index);
  SlotWord slot;
  ASSERT_EQ(ReadSlot(group.view(), late, &slot), RingAnswer::kOk);
  ApplyRecord(group.view(), slot, late);
  EXPECT_FALSE(RecordCounts(group.view(), slot, late));
  View view(FakeGroup::kEntries);
  ReadViewAt(group.view(), group.header_.tail.load(), &view);
  EXPECT_EQ(view.items().size(), 1U);
}

TEST(EvictionWordsTest, JoinerThatIsPutOutNeverWasAMember) {
  FakeGroup group;
  const auto claimed = ClaimEntry(group.view(), kLease, {1, 4711}, 0);
  Evict(group.view(), claimed->index, WordOf(group, claimed->index));
  const auto join =
      group.PublishRecord(Control::kJoin, claimed->index, claimed->generation);
  ApplyUpTo(group.view(), join);
  View view(FakeGroup::kEntries);
  ReadViewAt(group.view(), join, &view);
  EXPECT_TRUE(view.items().empty());
  UnclaimEntry(group.view(), *claimed, kLease);
  EXPECT_EQ(WordOf(group, claimed->index).phase(), Phase::kDown)
      << "what was put out is given up, not freed under its record";
}

// The evictor came between the joiner's claim and its other words, which a
// first life finds right already.
TEST(EvictionWordsTest, JoinerDoesNotWipeOutThatItWasPutOut) {
  FakeGroup group;
  const auto claimed = ClaimEntry(group.view(), kLease, {1, 4711}, 0);
  UnclaimEntry(group.view(), *claimed, kLease);
  // A life whose words say more than the claim knows.
  group.entries_[0].leave.store(OrderWord::At(1, 77).raw());
  ASSERT_TRUE(ClaimEntry(group.view(), kLease, {1, 4711}, 0).ok());
  EXPECT_EQ(OrderWord(group.entries_[0].leave.load()), OrderWord::At(1, 77));
}

}  // namespace
}  // namespace zcb::ipc
