// Who came and went, in the group's order: each rule on words set by hand.
#include "ipc/member_table.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/ipc/fake_group.h"

namespace zcb::ipc {
namespace {

using testing::FakeGroup;
using Control = SlotWord::Control;
using Phase = EntryWord::Phase;

constexpr alloc::LeaseId kLease{3, 17};
constexpr MemberAddress kAddress{1, 4711};

EntryWord WordOf(FakeGroup& group, std::uint16_t entry) {
  return EntryWord(group.entries_[entry].word.load(std::memory_order_relaxed));
}

// Claims, publishes the JOIN, applies it.
ClaimedEntry JoinOne(FakeGroup& group, MemberAddress address = kAddress) {
  const auto claimed = ClaimEntry(group.view(), kLease, address, 0);
  EXPECT_TRUE(claimed.ok());
  const std::uint64_t at =
      group.PublishRecord(Control::kJoin, claimed->index, claimed->generation);
  ApplyUpTo(group.view(), at);
  return *claimed;
}

TEST(MemberTableTest, ClaimGatesAtTheTailAndFillsInTheRest) {
  FakeGroup group;
  group.PublishMessage(1);
  const auto claimed = ClaimEntry(group.view(), kLease, kAddress, 9);
  ASSERT_TRUE(claimed.ok());
  const EntryState& entry = group.entries_[claimed->index];
  EXPECT_TRUE(WordOf(group, claimed->index).gates());
  EXPECT_EQ(WordOf(group, claimed->index).lease(), kLease);
  EXPECT_EQ(entry.cursor.load(), 1U);
  EXPECT_EQ(entry.pid.load(), kAddress.pid);
  EXPECT_EQ(entry.bell_number.load(), 9U);
  EXPECT_EQ(group.view().EntryHigh(), claimed->index + 1U);
}

TEST(MemberTableTest, FullTableIsNoResources) {
  FakeGroup group;
  for (std::uint32_t i = 0; i < FakeGroup::kEntries; ++i) {
    ASSERT_TRUE(ClaimEntry(group.view(), kLease, kAddress, 0).ok());
  }
  const auto refused = ClaimEntry(group.view(), kLease, kAddress, 0);
  EXPECT_EQ(refused.status(), Status::kNoResources);
}

TEST(MemberTableTest, UnclaimedEntryIsFreeInTheNextGeneration) {
  FakeGroup group;
  const auto claimed = ClaimEntry(group.view(), kLease, kAddress, 0);
  UnclaimEntry(group.view(), *claimed, kLease);
  EXPECT_EQ(WordOf(group, 0), EntryWord().Free());
}

TEST(MemberTableTest, FirstOfSeveralRecordsCountsForEverybody) {
  FakeGroup group;
  const ClaimedEntry one = JoinOne(group);
  const auto first =
      group.PublishRecord(Control::kLeave, one.index, one.generation);
  const auto second =
      group.PublishRecord(Control::kProcessDown, one.index, one.generation);
  ApplyUpTo(group.view(), second);
  ApplyUpTo(group.view(), second);  // a second reader
  SlotWord slot;
  ReadSlot(group.view(), first, &slot);
  EXPECT_TRUE(RecordCounts(group.view(), slot, first));
  ReadSlot(group.view(), second, &slot);
  EXPECT_FALSE(RecordCounts(group.view(), slot, second));
}

TEST(MemberTableTest, JoinAfterItsOwnDeathIsIgnored) {
  FakeGroup group;
  const auto claimed = ClaimEntry(group.view(), kLease, kAddress, 0);
  group.PublishRecord(Control::kProcessDown, claimed->index,
                      claimed->generation);
  const auto join =
      group.PublishRecord(Control::kJoin, claimed->index, claimed->generation);
  ApplyUpTo(group.view(), join);
  View view(FakeGroup::kEntries);
  ReadViewAt(group.view(), join, &view);
  EXPECT_TRUE(view.items().empty());
  SlotWord slot;
  ReadSlot(group.view(), join, &slot);
  EXPECT_FALSE(RecordCounts(group.view(), slot, join))
      << "or its readers would have a ghost";
}

TEST(MemberTableTest, RecordOfAnotherGenerationIsIgnored) {
  FakeGroup group;
  const ClaimedEntry one = JoinOne(group);
  const auto stale =
      group.PublishRecord(Control::kLeave, one.index,
                          static_cast<std::uint16_t>(one.generation - 1));
  ApplyUpTo(group.view(), stale);
  View view(FakeGroup::kEntries);
  ReadViewAt(group.view(), stale, &view);
  EXPECT_EQ(view.items().size(), 1U);
}

TEST(MemberTableTest, ViewAtAPositionHasWhoJoinedBeforeAndNotWhoLeft) {
  FakeGroup group;
  const ClaimedEntry a = JoinOne(group, {1, 30});
  const ClaimedEntry b = JoinOne(group, {1, 20});
  JoinOne(group, {1, 10});
  const auto leave =
      group.PublishRecord(Control::kLeave, a.index, a.generation);
  ApplyUpTo(group.view(), leave);
  View view(FakeGroup::kEntries);
  ReadViewAt(group.view(), leave - 1, &view);
  ASSERT_EQ(view.items().size(), 3U);
  EXPECT_EQ(view.items()[0].address.pid, 10U) << "sorted by node and pid";
  EXPECT_EQ(view.items()[2].address.pid, 30U);
  ReadViewAt(group.view(), leave, &view);
  ASSERT_EQ(view.items().size(), 2U);
  EXPECT_TRUE(view.Contains(b.index, b.generation));
  EXPECT_FALSE(view.Contains(a.index, a.generation));
}

TEST(MemberTableTest, FirstMembersAreThoseOfTheViewHoweverFewFit) {
  FakeGroup group;
  std::uint64_t now = 0;
  for (const std::uint32_t pid : {30U, 10U, 40U, 20U}) {
    const auto claimed = ClaimEntry(group.view(), kLease, {1, pid}, 0);
    ASSERT_TRUE(claimed.ok());
    now = group.PublishRecord(Control::kJoin, claimed->index,
                              claimed->generation);
  }
  ApplyUpTo(group.view(), now);
  for (std::size_t room = 0; room <= 5; ++room) {
    std::vector<MemberAddress> members(room);
    std::vector<MemberAddress> expected{{1, 10}, {1, 20}, {1, 30}, {1, 40}};
    if (room < expected.size()) expected.resize(room);
    members.resize(ReadFirstMembersAt(group.view(), now, members));
    EXPECT_EQ(members, expected);
  }
}

TEST(MemberTableTest, DownIsPublishedOnceHoweverManyReapersThereAre) {
  FakeGroup group;
  const ClaimedEntry one = JoinOne(group);
  group.entries_[one.index].word.store(WordOf(group, one.index).Down().raw(),
                                       std::memory_order_relaxed);
  const std::uint64_t before = group.header_.tail.load();
  EXPECT_TRUE(PublishDown(group.view(), one.index, one.generation));
  EXPECT_TRUE(PublishDown(group.view(), one.index, one.generation));
  EXPECT_EQ(group.header_.tail.load(), before + 1);
  ApplyUpTo(group.view(), before);
  EXPECT_TRUE(PublishDown(group.view(), one.index, one.generation));
  EXPECT_EQ(group.header_.tail.load(), before + 1);
}

TEST(MemberTableTest, LeaverThatDiesBeforeReadingItsLeaveNeedsNoSecondRecord) {
  FakeGroup group;
  const ClaimedEntry one = JoinOne(group);
  group.PublishRecord(Control::kLeave, one.index, one.generation);
  group.entries_[one.index].word.store(WordOf(group, one.index).Down().raw(),
                                       std::memory_order_relaxed);
  const std::uint64_t before = group.header_.tail.load();
  EXPECT_TRUE(PublishDown(group.view(), one.index, one.generation));
  EXPECT_EQ(group.header_.tail.load(), before);
}

TEST(MemberTableTest, FreedEntryIsNotFreedTwice) {
  FakeGroup group;
  const ClaimedEntry one = JoinOne(group);
  FreeEntry(group.view(), one.index, one.generation, 0);
  EXPECT_EQ(WordOf(group, one.index).phase(), Phase::kFree);
  const auto again = ClaimEntry(group.view(), kLease, kAddress, 0);
  ASSERT_EQ(again->index, one.index);
  FreeEntry(group.view(), one.index, one.generation, 0);  // a late hand
  EXPECT_EQ(WordOf(group, one.index).phase(), Phase::kJoining);
}

}  // namespace
}  // namespace zcb::ipc
