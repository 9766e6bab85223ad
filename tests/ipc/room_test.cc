// Who waits for room, who parks on a futex, and who rings: step by step.
#include <cstdint>
#include <string>
#include <vector>

#include "allocator/lease_word.h"
#include "ipc/bell_ringer.h"
#include "ipc/entry_word.h"
#include "ipc/futex.h"
#include "ipc/reaper.h"
#include "ipc/sleep_word.h"
#include "tests/ipc/member_fixture.h"

namespace zcb::ipc::testing {
namespace {

using RoomKind = Member::RoomKind;
using Bell = Member::Bell;

class RoomTest : public MemberTest {
 protected:
  void SetUp() override {
    MemberTest::SetUp();
    sender_ = JoinGroup(*attachment_, "g");
    reader_ = JoinGroup(*attachment_, "g");
    ReadAll(*sender_.member);
    ReadAll(*reader_.member);
  }
  void TearDown() override {
    sender_ = {};
    reader_ = {};
    MemberTest::TearDown();
  }
  // Until the ring is full of what the reader has not read.
  void Fill() {
    while (SendText(*sender_.member, "m").ok()) ReadAll(*sender_.member);
    ReadAll(*sender_.member);
  }
  // Sends one more, into a ring with room for it.
  void SendOne() { ASSERT_TRUE(SendText(*sender_.member, "m").ok()); }
  static std::uint32_t Value(const std::atomic<std::uint32_t>* word) {
    return word->load(std::memory_order_relaxed);  // one thread
  }
  GroupView Group() { return **attachment_->directory().Find(Named("g")); }
  bool SaysMaybe() {
    return GroupSleepWord(Group().header().room.load(std::memory_order_relaxed))
        .maybe();
  }

  Joined sender_;
  Joined reader_;
};

TEST_F(RoomTest, ParkedSleeperIsRungOnItsFutexAndNotOnItsDoorbell) {
  const std::uint32_t seen = Value(reader_->ParkWord());
  EXPECT_FALSE(reader_->AnnounceSleep(Bell::kFutex));
  EXPECT_EQ(Value(reader_->ParkWord()), seen);
  SendOne();
  EXPECT_NE(Value(reader_->ParkWord()), seen);
  EXPECT_FALSE(reader_.bell->Drain());
  const std::uint32_t rung = Value(reader_->ParkWord());
  SendOne();
  EXPECT_EQ(Value(reader_->ParkWord()), rung) << "once is enough";
  EXPECT_TRUE(reader_->AnnounceAwake());
  ReadAll(*reader_.member);
  EXPECT_TRUE(FutexWait(reader_->ParkWord(), seen, Deadline::Never()));
  EXPECT_FALSE(FutexWait(reader_->ParkWord(), rung, Deadline::InMs(1)));
}

TEST_F(RoomTest, ThereIsRoomUntilTheRingIsFullAndWhenTheSlowestHasRead) {
  EXPECT_TRUE(sender_->HasRoom());
  EXPECT_FALSE(reader_->HoldsRingBack() && !sender_->HasRoom());
  Fill();
  EXPECT_FALSE(sender_->HasRoom());
  EXPECT_TRUE(reader_->HoldsRingBack());
  EXPECT_FALSE(sender_->HoldsRingBack());
  ReadOne(*reader_.member);
  EXPECT_TRUE(sender_->HasRoom());
}

TEST_F(RoomTest, ReaderRingsTheSenderThatWaitsForRoomOnce) {
  Fill();
  const std::uint32_t seen = Value(sender_->RoomWord());
  EXPECT_TRUE(sender_->AnnounceRoomWait(RoomKind::kRing));
  EXPECT_FALSE(sender_->HasRoom());
  EXPECT_EQ(Value(sender_->RoomWord()), seen);
  ReadOne(*reader_.member);
  const std::uint32_t rung = Value(sender_->RoomWord());
  EXPECT_NE(rung, seen);
  ReadOne(*reader_.member);
  EXPECT_EQ(Value(sender_->RoomWord()), rung) << "it has been told";
  sender_->EndRoomWait(RoomKind::kRing);
  EXPECT_FALSE(SaysMaybe()) << "nobody waits, nobody needs to look";
}

TEST_F(RoomTest, NobodyIsRungWhileAnotherMemberStillHoldsTheRingBack) {
  Joined third = JoinGroup(*attachment_, "g");
  ReadAll(*third.member);
  ReadAll(*reader_.member);
  Fill();
  const std::uint32_t seen = Value(sender_->RoomWord());
  sender_->AnnounceRoomWait(RoomKind::kRing);
  ReadAll(*reader_.member);
  EXPECT_EQ(Value(sender_->RoomWord()), seen);
  EXPECT_TRUE(SaysMaybe());
  ReadOne(*third.member);
  EXPECT_NE(Value(sender_->RoomWord()), seen);
  sender_->EndRoomWait(RoomKind::kRing);
}

TEST_F(RoomTest, MemberThatGoesMakesRoomAndRings) {
  Fill();
  const std::uint32_t seen = Value(sender_->RoomWord());
  sender_->AnnounceRoomWait(RoomKind::kRing);
  reader_ = {};
  EXPECT_NE(Value(sender_->RoomWord()), seen);
  sender_->EndRoomWait(RoomKind::kRing);
}

TEST_F(RoomTest, ReaperOfAMemberThatHeldTheRingBackRings) {
  Fill();
  const GroupView group = Group();
  for (std::uint32_t i = 0; i < group.EntryHigh(); ++i) {
    EntryState& entry = group.entry(i);
    if (entry.cursor.load(std::memory_order_relaxed) >
        group.header().reclaimed.load(std::memory_order_relaxed)) {
      continue;
    }
    // As if the reader's process had died: another lease, which is Dead.
    constexpr alloc::LeaseId kDead{7, 1};
    const EntryWord word(entry.word.load(std::memory_order_relaxed));
    entry.word.store(word.Join(kDead).Become(EntryWord::Phase::kMember).raw(),
                     std::memory_order_relaxed);
    attachment_->region()
        .lease_word(kDead.slot)
        .store(alloc::LeaseWord().Attach(1).Die().raw(),
               std::memory_order_relaxed);
    const std::uint32_t seen = Value(sender_->RoomWord());
    sender_->AnnounceRoomWait(RoomKind::kRing);
    Reap(attachment_.get(), kDead);
    EXPECT_NE(Value(sender_->RoomWord()), seen);
    sender_->EndRoomWait(RoomKind::kRing);
    ReadAll(*sender_.member);
    return;
  }
  FAIL() << "nobody holds the ring back";
}

TEST_F(RoomTest, TwoThatWaitAreBothRungAndTheLastToGoEndsIt) {
  Fill();
  const std::uint32_t seen = Value(sender_->RoomWord());
  sender_->AnnounceRoomWait(RoomKind::kRing);
  sender_->AnnounceRoomWait(RoomKind::kRing);
  sender_->EndRoomWait(RoomKind::kRing);
  ReadOne(*reader_.member);
  EXPECT_NE(Value(sender_->RoomWord()), seen) << "one still waits";
  sender_->EndRoomWait(RoomKind::kRing);
}

TEST_F(RoomTest, WhoWaitsForMemoryIsRungByAReadInAnyGroupAndNotByRoom) {
  Joined elsewhere = JoinGroup(*attachment_, "elsewhere");
  ReadAll(*elsewhere.member);
  ASSERT_TRUE(SendText(*elsewhere.member, "m").ok());
  const std::uint32_t seen = Value(sender_->RoomWord());
  sender_->AnnounceRoomWait(RoomKind::kMemory);
  SendOne();
  EXPECT_EQ(Value(sender_->RoomWord()), seen);
  ReadOne(*elsewhere.member);
  EXPECT_NE(Value(sender_->RoomWord()), seen);
  sender_->EndRoomWait(RoomKind::kMemory);
}

TEST_F(RoomTest, FreeInTheSameProcessAndALetGoMessageAreMemoryToo) {
  const auto payload = attachment_->AllocPayload(100);
  ASSERT_TRUE(payload.ok());
  std::uint32_t seen = Value(sender_->RoomWord());
  sender_->AnnounceRoomWait(RoomKind::kMemory);
  ASSERT_TRUE(attachment_->FreePayload(*payload).ok());
  EXPECT_NE(Value(sender_->RoomWord()), seen);
  sender_->EndRoomWait(RoomKind::kMemory);

  SendOne();
  const auto event = reader_->Next();
  ASSERT_TRUE(event.ok());
  ASSERT_TRUE(reader_->Retain(*event).ok());
  reader_->Done();
  ReadAll(*sender_.member);
  attachment_->ReclaimAllGroups();
  seen = Value(sender_->RoomWord());
  sender_->AnnounceRoomWait(RoomKind::kMemory);
  ASSERT_TRUE(attachment_->Release(event->payload).ok());
  EXPECT_NE(Value(sender_->RoomWord()), seen);
  sender_->EndRoomWait(RoomKind::kMemory);
}

TEST_F(RoomTest, ArmedRoomBellStandsWithoutAThread) {
  auto bell = attachment_->MakeDoorbell();
  ASSERT_TRUE(bell.ok());
  sender_->SetRoomBell(**bell);
  Fill();
  EXPECT_TRUE(sender_->ArmRoomBell({.room = true}));
  EXPECT_FALSE((*bell)->Wait(Deadline::InMs(0)));
  ReadOne(*reader_.member);
  EXPECT_TRUE((*bell)->Wait(Deadline::InMs(0)));
  // Disarmed, it is left alone.
  (*bell)->Drain();
  Fill();
  EXPECT_TRUE(sender_->ArmRoomBell({.room = true}));
  sender_->DisarmRoomBell();
  ReadOne(*reader_.member);
  EXPECT_FALSE((*bell)->Wait(Deadline::InMs(0)));
}

// Killed between the bell and the mark: the sender stands there as if nobody
// had rung, so the next one rings again.
TEST_F(RoomTest, RingerThatDiedBeforeItsMarkIsMadeUpFor) {
  Fill();
  sender_->AnnounceRoomWait(RoomKind::kRing);
  FutexRing(sender_->RoomWord());  // and no mark
  const std::uint32_t seen = Value(sender_->RoomWord());
  ReadOne(*reader_.member);
  EXPECT_NE(Value(sender_->RoomWord()), seen);
  sender_->EndRoomWait(RoomKind::kRing);
}

// Killed between moving its cursor and looking who waits: whoever reaps rings.
TEST_F(RoomTest, AnyReclaimRingsForAReaderThatDidNot) {
  Fill();
  sender_->AnnounceRoomWait(RoomKind::kRing);
  const std::uint32_t seen = Value(sender_->RoomWord());
  // The reader's cursor moves, and nothing else.
  const GroupView group = Group();
  for (std::uint32_t i = 0; i < group.EntryHigh(); ++i) {
    auto& cursor = group.entry(i).cursor;
    const std::uint64_t at = cursor.load(std::memory_order_relaxed);
    if (at == group.header().reclaimed.load(std::memory_order_relaxed)) {
      cursor.store(at + 1, std::memory_order_relaxed);
    }
  }
  EXPECT_EQ(Value(sender_->RoomWord()), seen);
  attachment_->ReclaimAllGroups();
  EXPECT_NE(Value(sender_->RoomWord()), seen);
  sender_->EndRoomWait(RoomKind::kRing);
}

}  // namespace
}  // namespace zcb::ipc::testing
