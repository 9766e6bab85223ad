// Members that hold a full ring back are put out, several of them in one
// process. The words alone: eviction_words_test.cc.
#include "ipc/eviction.h"

#include <gtest/gtest.h>

#include "ipc/member_table.h"
#include "ipc/message_header.h"
#include "tests/ipc/member_fixture.h"

namespace zcb::ipc {
namespace {

using namespace testing;  // NOLINT: the fixture's helpers
using Phase = EntryWord::Phase;
using Texts = std::vector<std::string>;

class EvictionTest : public MemberTest {
 protected:
  GroupView GroupOf(std::string_view name) {
    const auto found = attachment_->directory().Find(Named(name));
    EXPECT_TRUE(found.ok() && found->has_value());
    return **found;
  }
  EntryWord Entry(std::uint16_t index) {
    return EntryWord(GroupOf("g").entry(index).word.load());
  }
  // Until the ring is full of what the others have not read.
  static void FillRing(Member& sender) {
    ReadAll(sender);
    while (SendText(sender, "x").ok()) ReadAll(sender);
  }
  LaggardWatch::Verdict JudgeAt(std::uint64_t now_ns,
                                RoomKind lacking = RoomKind::kRing) {
    return watch_.Judge(GroupOf("g"), attachment_->region(), kSelf, lacking,
                        kLimit, now_ns);
  }
  // As an evictor that is killed before the record.
  void EvictWithoutRecord(std::uint16_t index) {
    GroupOf("g").entry(index).word.store(
        Entry(index).Become(Phase::kEvicted).raw());
  }

  static constexpr std::uint16_t kSelf = 0;
  static constexpr std::uint64_t kLimit = 1000;
  LaggardWatch watch_;
};

TEST_F(EvictionTest, LaggardIsPutOutWhenItsTimeIsUpAndNotBefore) {
  const Joined sender = JoinGroup(*attachment_, "g");
  const Joined laggard = JoinGroup(*attachment_, "g");
  FillRing(*sender.member);
  EXPECT_EQ(JudgeAt(5000).next_due_ns, kLimit);
  const auto early = JudgeAt(5000 + kLimit - 1);
  EXPECT_EQ(early.evicted, 0U);
  EXPECT_EQ(early.next_due_ns, 1U);
  EXPECT_FALSE(laggard->WasEvicted());
  const auto due = JudgeAt(5000 + kLimit);
  EXPECT_EQ(due.evicted, 1U);
  EXPECT_EQ(due.next_due_ns, 0U);
  EXPECT_TRUE(laggard->WasEvicted());
  EXPECT_TRUE(SendText(*sender.member, "y").ok());
  EXPECT_EQ(ReadAll(*sender.member), (Texts{"down 1", "y"}));
}

TEST_F(EvictionTest, OneThatReadsIsSuspectedAnew) {
  const Joined sender = JoinGroup(*attachment_, "g");
  const Joined laggard = JoinGroup(*attachment_, "g");
  FillRing(*sender.member);
  JudgeAt(0);
  ReadOne(*laggard.member);
  FillRing(*sender.member);
  EXPECT_EQ(JudgeAt(kLimit).next_due_ns, kLimit) << "from now on";
  EXPECT_FALSE(laggard->WasEvicted());
}

TEST_F(EvictionTest, NobodyIsSuspectedWhileTheRingHasRoom) {
  const Joined sender = JoinGroup(*attachment_, "g");
  const Joined laggard = JoinGroup(*attachment_, "g");
  ASSERT_TRUE(SendText(*sender.member, "x").ok());
  JudgeAt(0);
  const auto verdict = JudgeAt(10 * kLimit);
  EXPECT_EQ(verdict.evicted, 0U);
  EXPECT_EQ(verdict.next_due_ns, 0U);
}

TEST_F(EvictionTest, WhereMemoryLacksWhoeverHoldsAMessageIsPutOut) {
  const Joined sender = JoinGroup(*attachment_, "g");
  const Joined laggard = JoinGroup(*attachment_, "g");
  const Joined reader = JoinGroup(*attachment_, "g");
  ReadAll(*laggard.member);
  ReadAll(*reader.member);
  ReadAll(*sender.member);
  attachment_->ReclaimAllGroups();
  EXPECT_EQ(JudgeAt(0, RoomKind::kMemory).next_due_ns, 0U) << "all have read";
  ASSERT_TRUE(SendText(*sender.member, "x").ok());
  ReadAll(*reader.member);
  EXPECT_EQ(JudgeAt(1, RoomKind::kMemory).next_due_ns, kLimit);
  EXPECT_EQ(JudgeAt(1 + kLimit, RoomKind::kRing).evicted, 0U) << "not full";
  EXPECT_EQ(JudgeAt(1 + kLimit, RoomKind::kMemory).evicted, 1U);
  EXPECT_TRUE(laggard->WasEvicted());
  EXPECT_FALSE(reader->WasEvicted());
}

// Once there is enough the others may stay.
TEST_F(EvictionTest, WhereMemoryLacksOnePlaceOfTheRingIsClearedAtATime) {
  const Joined sender = JoinGroup(*attachment_, "g");
  ReadAll(*sender.member);
  std::vector<Joined> laggards;
  for (int i = 0; i < 3; ++i) laggards.push_back(JoinGroup(*attachment_, "g"));
  ReadAll(*sender.member);
  attachment_->ReclaimAllGroups();  // as the allocation that failed did
  std::uint32_t evicted = 0;
  while (evicted == 0) {
    evicted = sender->EvictLaggards(RoomKind::kMemory, 1).evicted;
  }
  EXPECT_EQ(evicted, 1U);
}

TEST_F(EvictionTest, SenderNeverPutsItselfOut) {
  const Joined sender = JoinGroup(*attachment_, "g");
  while (SendText(*sender.member, "x").ok()) {
  }
  JudgeAt(0);
  const auto verdict = JudgeAt(10 * kLimit);
  EXPECT_EQ(verdict.evicted, 0U);
  EXPECT_EQ(verdict.next_due_ns, 0U) << "nothing to wait for";
  EXPECT_FALSE(sender->WasEvicted());
}

TEST_F(EvictionTest, AllWhoHoldTheRingAtOnePlaceGoAtOnce) {
  const Joined sender = JoinGroup(*attachment_, "g");
  std::vector<Joined> laggards;
  for (int i = 0; i < 40; ++i) {
    laggards.push_back(JoinGroup(*attachment_, "g"));
  }
  for (const Joined& each : laggards) {
    ReadAll(*each.member);
  }
  FillRing(*sender.member);
  JudgeAt(0);
  EXPECT_EQ(JudgeAt(kLimit).evicted, 40U);
  EXPECT_TRUE(SendText(*sender.member, "y").ok());
}

// Each of them stands where it joined, one behind the other.
TEST_F(EvictionTest, ThoseBehindTheOneThatIsPutOutHaveHadTheirTimeWithIt) {
  const Joined sender = JoinGroup(*attachment_, "g");
  ReadAll(*sender.member);
  std::vector<Joined> laggards;
  for (int i = 0; i < 40; ++i) {
    laggards.push_back(JoinGroup(*attachment_, "g"));
  }
  FillRing(*sender.member);
  EXPECT_EQ(JudgeAt(0).next_due_ns, kLimit);
  for (int i = 0; i < 40; ++i) {
    ASSERT_EQ(JudgeAt(kLimit).evicted, 1U) << i;
    attachment_->ReclaimAllGroups();
  }
  EXPECT_EQ(sender->ReadGroupStats().members, 1U);
  EXPECT_TRUE(SendText(*sender.member, "y").ok());
}

TEST_F(EvictionTest, OneThatReadsInTheShadowOfAnotherIsSuspectedAnew) {
  const Joined sender = JoinGroup(*attachment_, "g");
  ReadAll(*sender.member);
  const Joined stuck = JoinGroup(*attachment_, "g");
  const Joined slow = JoinGroup(*attachment_, "g");
  FillRing(*sender.member);
  JudgeAt(0);
  ReadOne(*slow.member);
  EXPECT_EQ(JudgeAt(kLimit).evicted, 1U);
  attachment_->ReclaimAllGroups();
  FillRing(*sender.member);
  EXPECT_EQ(JudgeAt(kLimit + 1).next_due_ns, kLimit - 1);
  EXPECT_TRUE(stuck->WasEvicted());
  EXPECT_FALSE(slow->WasEvicted());
}

TEST_F(EvictionTest, WaiterPutsAllOutWhoseTimeIsUpAndNotOneAlone) {
  const Joined sender = JoinGroup(*attachment_, "g");
  ReadAll(*sender.member);
  std::vector<Joined> laggards;
  for (int i = 0; i < 3; ++i) laggards.push_back(JoinGroup(*attachment_, "g"));
  FillRing(*sender.member);
  std::uint32_t evicted = 0;
  while (evicted == 0)
    evicted = sender->EvictLaggards(RoomKind::kRing, 1).evicted;
  EXPECT_EQ(evicted, 3U);
}

TEST_F(EvictionTest, DeadAreLeftToTheirReapers) {
  const Joined sender = JoinGroup(*attachment_, "g");
  const auto claimed = ClaimEntry(GroupOf("g"), {9, 1}, {1, 99}, 0);
  GroupOf("g").entry(claimed->index).cursor.store(0);
  while (SendText(*sender.member, "x").ok()) {
  }
  JudgeAt(0);
  EXPECT_EQ(JudgeAt(10 * kLimit).evicted, 0U);
  UnclaimEntry(GroupOf("g"), *claimed, {9, 1});
}

TEST_F(EvictionTest, JoinerThatStopsIsPutOutOnceItsWordsAreReset) {
  const Joined sender = JoinGroup(*attachment_, "g");
  ReadAll(*sender.member);
  const GroupView group = GroupOf("g");
  const auto claimed =
      ClaimEntry(group, attachment_->region().lease(), {1, 99}, 0);
  ASSERT_TRUE(claimed.ok());
  FillRing(*sender.member);
  // As if it had been stopped right after its claim.
  EntryState& entry = group.entry(claimed->index);
  const std::uint64_t reset = entry.leave.load();
  entry.leave.store(OrderWord::At(0xffff, 1).raw());
  JudgeAt(0);
  EXPECT_EQ(JudgeAt(kLimit).evicted, 0U);
  entry.leave.store(reset);
  JudgeAt(kLimit);
  EXPECT_EQ(JudgeAt(2 * kLimit).evicted, 1U);
  EXPECT_TRUE(SendText(*sender.member, "y").ok());
  EXPECT_EQ(ReadAll(*sender.member), (Texts{"y"})) << "no view knew it";
  UnclaimEntry(group, *claimed, attachment_->region().lease());
  attachment_->ReclaimAllGroups();
  EXPECT_EQ(Entry(claimed->index).phase(), Phase::kFree);
}

// --- the evicted -------------------------------------------------------------

TEST_F(EvictionTest, EverythingThatTheEvictedDoesIsRefused) {
  const Joined sender = JoinGroup(*attachment_, "g");
  const Joined laggard = JoinGroup(*attachment_, "g");
  ASSERT_EQ(ReadOne(*laggard.member), "join 2");
  ASSERT_TRUE(SendText(*sender.member, "open").ok());
  const auto open = laggard->Next();
  ASSERT_TRUE(open.ok());
  FillRing(*sender.member);
  EvictWithoutRecord(1);
  EXPECT_TRUE(laggard->HasNext()) << "its descriptor stays readable";
  EXPECT_TRUE(laggard->WasEvicted());
  EXPECT_EQ(laggard->Retain(*open).status(), Status::kLibrary);
  EXPECT_EQ(laggard->Next().status(), Status::kLibrary);
  laggard->Done();
  EXPECT_EQ(laggard->Next().status(), Status::kLibrary);
  EXPECT_EQ(SendText(*laggard.member, "x").status(), Status::kLibrary);
  EXPECT_EQ(laggard->Leave().status(), Status::kLibrary);
  EXPECT_EQ(laggard->EvictLaggards(RoomKind::kRing, 1).evicted, 0U);
  EXPECT_EQ(Entry(1).phase(), Phase::kEvicted) << "its own until it lets go";
}

// By what another thread knows of it: until it asks, the buffer's word may have
// come to name another message, of the same place in a later lap of 65,536.
TEST_F(EvictionTest, NothingIsKeptThroughAnEvictedReader) {
  const Joined sender = JoinGroup(*attachment_, "g");
  const Joined laggard = JoinGroup(*attachment_, "g");
  ASSERT_EQ(ReadOne(*laggard.member), "join 2");
  ASSERT_TRUE(SendText(*sender.member, "open").ok());
  const auto event = laggard->Next();
  const BegunMessage open = laggard->Begun(*event);
  ASSERT_TRUE(attachment_->Keep(open).ok());
  ASSERT_TRUE(attachment_->Release(open.payload).ok());
  BegunMessage read = open;  // as if its reader had gone on since
  --read.position;
  EXPECT_EQ(attachment_->Keep(read).status(), Status::kLibrary);
  EvictWithoutRecord(1);
  EXPECT_EQ(attachment_->Keep(open).status(), Status::kLibrary);
  BegunMessage gone = open;  // as if its slab had been dissolved since
  gone.buffer = alloc::BufferRef(open.buffer.line() + 1);
  EXPECT_EQ(attachment_->Keep(gone).status(), Status::kLibrary);
  EXPECT_EQ(attachment_->ReadStats().kept_messages, 0U);
  laggard->Done();
  ReadAll(*sender.member);
  attachment_->ReclaimAllGroups();
  EXPECT_EQ(attachment_->ReadStats().region_out_buffers, 0U);
}

TEST_F(EvictionTest, EvictedThatHasReadAllLearnsItToo) {
  const Joined sender = JoinGroup(*attachment_, "g");
  const Joined other = JoinGroup(*attachment_, "g");
  ReadAll(*other.member);
  EXPECT_FALSE(other->HasNext());
  EvictWithoutRecord(1);
  EXPECT_TRUE(other->HasNext());
  EXPECT_EQ(other->Next().status(), Status::kLibrary);
}

TEST_F(EvictionTest, EvictedDoesNotTakeTheRecordOfItForItsOwnLeave) {
  const Joined sender = JoinGroup(*attachment_, "g");
  const Joined other = JoinGroup(*attachment_, "g");
  ReadAll(*other.member);
  ASSERT_TRUE(Evict(GroupOf("g"), 1, Entry(1)));  // what it would read next
  EXPECT_EQ(other->Next().status(), Status::kLibrary);
  EXPECT_TRUE(other->HasNext());
  EXPECT_EQ(other->Next().status(), Status::kLibrary);
  EXPECT_FALSE(other->left());
}

TEST_F(EvictionTest, RecordOfAnEvictorKilledBeforeItIsPublishedByTheNext) {
  const Joined sender = JoinGroup(*attachment_, "g");
  const Joined laggard = JoinGroup(*attachment_, "g");
  FillRing(*sender.member);
  EvictWithoutRecord(1);
  EXPECT_TRUE(SendText(*sender.member, "y").ok()) << "it gates no more";
  EXPECT_EQ(ReadAll(*sender.member), (Texts{"down 1", "y"}));
}

TEST_F(EvictionTest, EvictedThatGoesPublishesNoSecondRecord) {
  const Joined sender = JoinGroup(*attachment_, "g");
  Joined laggard = JoinGroup(*attachment_, "g");
  FillRing(*sender.member);
  JudgeAt(0);
  JudgeAt(kLimit);
  laggard.member.reset();
  EXPECT_EQ(ReadAll(*sender.member), (Texts{"down 1"}));
  attachment_->ReclaimAllGroups();
  EXPECT_EQ(Entry(1).phase(), Phase::kFree);
  EXPECT_EQ(ReadAll(*sender.member), (Texts{}));
}

TEST_F(EvictionTest, EvictedThatGoesBeforeItsRecordIsPublishedPublishesIt) {
  const Joined sender = JoinGroup(*attachment_, "g");
  Joined laggard = JoinGroup(*attachment_, "g");
  ReadAll(*sender.member);
  EvictWithoutRecord(1);
  laggard.member.reset();
  EXPECT_EQ(ReadAll(*sender.member), (Texts{"down 1"}));
}

TEST_F(EvictionTest, EntryStaysTheEvictedsUntilItLetsGoThenItIsFree) {
  const Joined sender = JoinGroup(*attachment_, "g");
  Joined laggard = JoinGroup(*attachment_, "g");
  FillRing(*sender.member);
  JudgeAt(0);
  JudgeAt(kLimit);
  ReadAll(*sender.member);
  attachment_->ReclaimAllGroups();  // the record has left the ring
  EXPECT_EQ(Entry(1).phase(), Phase::kEvicted);
  const Joined third = JoinGroup(*attachment_, "g");
  EXPECT_EQ(Entry(2).phase(), Phase::kMember) << "in an entry of its own";
  // What a stopped process may still do in its entry harms nobody.
  laggard->Done();
  laggard->AnnounceSleep();
  laggard.member.reset();
  EXPECT_EQ(Entry(1).phase(), Phase::kFree);
}

TEST_F(EvictionTest, EvictingAThousandTimesUsesNoEntryUp) {
  const Joined sender = JoinGroup(*attachment_, "g");
  ReadAll(*sender.member);
  for (int i = 0; i < 1000; ++i) {
    const Joined laggard = JoinGroup(*attachment_, "g");
    ASSERT_TRUE(Evict(GroupOf("g"), 1, Entry(1)));
    ASSERT_EQ(ReadAll(*sender.member), (Texts{"join 2", "down 1"}));
    if (i % 2 == 0) attachment_->ReclaimAllGroups();
  }
  EXPECT_EQ(GroupOf("g").EntryHigh(), 2U);
  EXPECT_EQ(sender->ReadGroupStats().evictions, 1000U);
}

// Every entry is somebody's who was put out: a joiner finds those that were
// given up since, though the ring does not move.
TEST_F(EvictionTest, JoinerOfAFullTableFindsWhatTheEvictedGaveUp) {
  const Joined sender = JoinGroup(*attachment_, "g");
  std::vector<Joined> others;
  while (others.size() + 1 < IpcLimits::kDefaultEntries) {
    others.push_back(JoinGroup(*attachment_, "g"));
    ReadAll(*others.back().member);
    const auto index = static_cast<std::uint16_t>(others.size());
    ASSERT_TRUE(Evict(GroupOf("g"), index, Entry(index)));
    ReadAll(*sender.member);
  }
  attachment_->ReclaimAllGroups();
  const auto bell = attachment_->MakeDoorbell();
  EXPECT_EQ(
      attachment_->Join(Named("g"), bell->get(), Attachment::Membership::kMany)
          .status(),
      Status::kNoResources);
  // The reaper's hand, or that of a member that is killed in its destructor.
  GiveUpEntry(GroupOf("g"), {7, Entry(7).generation()},
              attachment_->region().lease(), false);
  EXPECT_TRUE(
      attachment_->Join(Named("g"), bell->get(), Attachment::Membership::kMany)
          .ok());
}

TEST_F(EvictionTest, LeaverThatDoesNotReadItsLeaveIsPutOutAsOneThatLeft) {
  const Joined sender = JoinGroup(*attachment_, "g");
  Joined laggard = JoinGroup(*attachment_, "g");
  ASSERT_TRUE(laggard->Leave().ok());
  EXPECT_EQ(ReadAll(*sender.member), (Texts{"join 1", "join 2", "leave 1"}));
  FillRing(*sender.member);
  JudgeAt(0);
  EXPECT_EQ(JudgeAt(kLimit).evicted, 1U);
  EXPECT_EQ(laggard->Next().status(), Status::kLibrary);
  EXPECT_TRUE(SendText(*sender.member, "y").ok());
  EXPECT_EQ(ReadAll(*sender.member), (Texts{"y"})) << "one end is enough";
  attachment_->ReclaimAllGroups();
  laggard.member.reset();
  EXPECT_EQ(Entry(1).phase(), Phase::kFree);
  EXPECT_TRUE(ReadAll(*sender.member).empty());
}

TEST_F(EvictionTest, EvictedWhileItDeliversItsOwnLeaveHasLeft) {
  const Joined sender = JoinGroup(*attachment_, "g");
  Joined leaver = JoinGroup(*attachment_, "g");
  ASSERT_EQ(ReadOne(*leaver.member), "join 2");
  ASSERT_TRUE(leaver->Leave().ok());
  ASSERT_TRUE(leaver->Next().ok());
  EvictWithoutRecord(1);
  leaver->Done();
  EXPECT_TRUE(leaver->left());
  EXPECT_FALSE(leaver->WasEvicted());
  leaver.member.reset();
  EXPECT_EQ(ReadAll(*sender.member), (Texts{"join 1", "join 2", "leave 1"}));
  attachment_->ReclaimAllGroups();
  EXPECT_EQ(Entry(1).phase(), Phase::kFree);
}

TEST_F(EvictionTest, WhatTheEvictedKeptIsStillItsOwn) {
  const Joined sender = JoinGroup(*attachment_, "g");
  const Joined laggard = JoinGroup(*attachment_, "g");
  ASSERT_EQ(ReadOne(*laggard.member), "join 2");
  ASSERT_TRUE(SendText(*sender.member, "keep me").ok());
  const auto event = laggard->Next();
  ASSERT_TRUE(laggard->Retain(*event).ok());
  FillRing(*sender.member);
  JudgeAt(0);
  JudgeAt(kLimit);
  for (int i = 0; i < 10000; ++i) {
    ASSERT_TRUE(SendText(*sender.member, "zzzzzzz").ok());
    ReadAll(*sender.member);
  }
  EXPECT_EQ(std::memcmp(event->payload, "keep me", 7), 0);
  EXPECT_TRUE(attachment_->Release(event->payload).ok());
}

// It had looked at its entry before it was put out, and won its slot after.
TEST_F(EvictionTest, MessageOfTheEvictedAfterItsRecordIsDroppedByEverybody) {
  const Joined a = JoinGroup(*attachment_, "g");
  const Joined evicted = JoinGroup(*attachment_, "g");
  const Joined c = JoinGroup(*attachment_, "g");
  ReadAll(*a.member);
  ReadAll(*c.member);
  ASSERT_TRUE(Evict(GroupOf("g"), 1, Entry(1)));
  const auto payload = attachment_->AllocPayload(5);
  ASSERT_TRUE(a->Send(*payload, 5).ok());
  reinterpret_cast<MessageHeader*>(*payload - kHeaderBytes)->entry = 1;
  EXPECT_EQ(ReadAll(*a.member), (Texts{"down 2"}));
  EXPECT_EQ(ReadAll(*c.member), (Texts{"down 2"}));
}

TEST_F(EvictionTest, SleeperThatIsPutOutIsRung) {
  const Joined sender = JoinGroup(*attachment_, "g");
  const Joined sleeper = JoinGroup(*attachment_, "g");
  ReadAll(*sleeper.member);
  ReadAll(*sender.member);
  EXPECT_FALSE(sleeper->AnnounceSleep());
  EvictWithoutRecord(1);
  attachment_->ReclaimAllGroups();
  EXPECT_TRUE(sleeper.bell->Wait(Deadline::InMs(0)));
}

TEST_F(EvictionTest, SenderWithALimitGoesOnByItself) {
  const Joined sender = JoinGroup(*attachment_, "g");
  const Joined laggard = JoinGroup(*attachment_, "g");
  const SendOptions options{.evict_after_ms = 1};
  FillRing(*sender.member);
  const auto payload = attachment_->AllocPayload(1);
  Outcome sent;
  do {
    sent = sender->Send(*payload, 1, options);
  } while (sent.status() == Status::kTryAgain);
  EXPECT_TRUE(sent.ok()) << sent.reason();
  EXPECT_TRUE(laggard->WasEvicted());
}

TEST_F(EvictionTest, WaiterIsToldWhenTheNextOneIsDueAndFindsRoomThen) {
  const Joined sender = JoinGroup(*attachment_, "g");
  const Joined laggard = JoinGroup(*attachment_, "g");
  EXPECT_EQ(sender->EvictLaggards(RoomKind::kRing, 1).next_due_ns, 0U)
      << "not full";
  FillRing(*sender.member);
  EXPECT_EQ(sender->EvictLaggards(RoomKind::kRing, 0).next_due_ns, 0U)
      << "never";
  const std::uint64_t due_ns =
      sender->EvictLaggards(RoomKind::kRing, 1000).next_due_ns;
  EXPECT_GT(due_ns, 0U);
  EXPECT_LE(due_ns, 1'000'000'000U);
  while (sender->EvictLaggards(RoomKind::kRing, 1).evicted == 0) {
  }
  EXPECT_TRUE(laggard->WasEvicted());
  EXPECT_TRUE(SendText(*sender.member, "y").ok());
}

TEST_F(EvictionTest, ProcessThatWasPutOutMayJoinAgainAndIsSeenTwiceByNobody) {
  const auto first_bell = attachment_->MakeDoorbell();
  const auto second_bell = attachment_->MakeDoorbell();
  const Joined watcher = JoinGroup(*attachment_, "g");
  // As another process: the watcher is a member of this one.
  const Joined evicted = JoinGroup(*attachment_, "g");
  ReadAll(*watcher.member);
  EvictWithoutRecord(0);  // so that one per process is possible
  EvictWithoutRecord(1);
  auto again = attachment_->Join(Named("g"), second_bell->get());
  ASSERT_TRUE(again.ok()) << again.reason();
  EXPECT_EQ(ReadOne(**again), "join 1");
  EXPECT_EQ((*again)->view().items().size(), 1U);
}

}  // namespace
}  // namespace zcb::ipc
