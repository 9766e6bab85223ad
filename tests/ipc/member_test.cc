// Membership and the data path, deterministic: several members in one process.
#include "ipc/member.h"

#include <gtest/gtest.h>
#include <poll.h>

#include "allocator/buffer_word.h"
#include "ipc/member_table.h"
#include "ipc/message_header.h"
#include "tests/ipc/member_fixture.h"

namespace zcb::ipc {
namespace {

using namespace testing;  // NOLINT: the fixture's helpers
using Texts = std::vector<std::string>;

TEST_F(MemberTest, FirstEventIsTheViewThatContainsTheJoiner) {
  const Joined a = JoinGroup(*attachment_, "g");
  EXPECT_EQ(ReadAll(*a.member), (Texts{"join 1"}));
  const Joined b = JoinGroup(*attachment_, "g");
  EXPECT_EQ(ReadAll(*b.member), (Texts{"join 2"}));
  EXPECT_EQ(ReadAll(*a.member), (Texts{"join 2"}));
}

TEST_F(MemberTest, EverybodyReadsTheSameSequenceSenderIncluded) {
  const Joined a = JoinGroup(*attachment_, "g");
  const Joined b = JoinGroup(*attachment_, "g");
  ASSERT_TRUE(SendText(*a.member, "one").ok());
  ASSERT_TRUE(SendText(*b.member, "two").ok());
  ASSERT_TRUE(SendText(*a.member, "three").ok());
  EXPECT_EQ(ReadAll(*a.member),
            (Texts{"join 1", "join 2", "one", "two", "three"}));
  EXPECT_EQ(ReadAll(*b.member), (Texts{"join 2", "one", "two", "three"}));
}

TEST_F(MemberTest, ReceiverReadsTheSendersOwnBytes) {
  const Joined a = JoinGroup(*attachment_, "g");
  const Joined b = JoinGroup(*attachment_, "g");
  ReadAll(*a.member);
  ReadAll(*b.member);
  const auto payload = attachment_->AllocPayload(100);
  ASSERT_TRUE(payload.ok());
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(*payload) % 64, 0U);
  std::byte* const sent = *payload;
  ASSERT_TRUE(a->Send(sent, 100).ok());
  const auto event = b->Next();
  ASSERT_TRUE(event.ok());
  EXPECT_EQ(event->payload, sent) << "one mapping, so even one address";
  EXPECT_EQ(event->sender, a->address());
  b->Done();
}

TEST_F(MemberTest, SentBufferIsNoLongerTheSenders) {
  const Joined a = JoinGroup(*attachment_, "g");
  const auto payload = attachment_->AllocPayload(10);
  ASSERT_TRUE(a->Send(*payload, 10).ok());
  EXPECT_EQ(a->Send(*payload, 10).status(), Status::kInvalidParam);
  EXPECT_EQ(attachment_->FreePayload(*payload).status(), Status::kInvalidParam);
}

TEST_F(MemberTest, LongerThanTheBufferIsTooBigAndTheBufferStays) {
  const Joined a = JoinGroup(*attachment_, "g");
  const auto payload = attachment_->AllocPayload(10);
  const std::uint64_t usable = attachment_->UsablePayloadBytes(*payload);
  EXPECT_EQ(a->Send(*payload, usable + 1).status(), Status::kTooBig);
  EXPECT_TRUE(a->Send(*payload, usable).ok());
}

TEST_F(MemberTest, EmptyMessageIsAMessage) {
  const Joined a = JoinGroup(*attachment_, "g");
  ReadAll(*a.member);
  const auto payload = attachment_->AllocPayload(0);
  ASSERT_TRUE(a->Send(*payload, 0).ok());
  const auto event = a->Next();
  EXPECT_EQ(event->kind, Event::Kind::kMessage);
  EXPECT_EQ(event->length_bytes, 0U);
  a->Done();
}

TEST_F(MemberTest, LeaverReadsUpToItsOwnLeaveAndOthersSeeIt) {
  const Joined a = JoinGroup(*attachment_, "g");
  Joined b = JoinGroup(*attachment_, "g");
  ASSERT_TRUE(SendText(*b.member, "last words").ok());
  ASSERT_TRUE(b->Leave().ok());
  EXPECT_EQ(SendText(*b.member, "too late").status(), Status::kNotExist);
  EXPECT_EQ(b->Leave().status(), Status::kNotExist);
  ASSERT_TRUE(SendText(*a.member, "after").ok());
  EXPECT_EQ(ReadAll(*b.member), (Texts{"join 2", "last words", "leave 1"}));
  EXPECT_TRUE(b->left());
  EXPECT_FALSE(b->HasNext());
  b.member.reset();
  EXPECT_EQ(ReadAll(*a.member),
            (Texts{"join 1", "join 2", "last words", "leave 1", "after"}));
}

TEST_F(MemberTest, MemberThatGoesWithoutLeavingIsAProcessDown) {
  const Joined a = JoinGroup(*attachment_, "g");
  {
    const Joined b = JoinGroup(*attachment_, "g");
  }
  EXPECT_EQ(ReadAll(*a.member), (Texts{"join 1", "join 2", "down 1"}));
}

TEST_F(MemberTest, EntryIsFreeAgainForManyMoreMembersThanTheTableHolds) {
  const Joined a = JoinGroup(*attachment_, "g");
  for (int i = 0; i < 1000; ++i) {
    const Joined b = JoinGroup(*attachment_, "g");
    ASSERT_EQ(ReadOne(*b.member), "join 2");
    ReadAll(*a.member);
  }
  EXPECT_EQ(a->view().items().size(), 2U) << "the last one's end is unread";
  EXPECT_EQ(ReadAll(*a.member), (Texts{"down 1"}));
}

TEST_F(MemberTest, FullRingIsTryAgainAndTheBufferStaysTheCallers) {
  const Joined reader = JoinGroup(*attachment_, "g");
  const Joined sender = JoinGroup(*attachment_, "g");
  std::uint64_t sent = 0;
  Outcome outcome;
  while ((outcome = SendText(*sender.member, "x")).ok()) {
    ASSERT_EQ(ReadAll(*sender.member).back(), "x");
    ++sent;
    ASSERT_LT(sent, 100000U);
  }
  EXPECT_EQ(outcome.status(), Status::kTryAgain);
  EXPECT_EQ(sender->RingFillPercent(), 100U);
  // A join and a leave still fit.
  {
    const Joined late = JoinGroup(*attachment_, "g");
  }
  const Texts all = ReadAll(*reader.member);
  EXPECT_EQ(all.size(), sent + 2 + 2) << "2 joins, every x, join and down";
  EXPECT_TRUE(SendText(*sender.member, "y").ok());
}

// Killed, and nobody has come to reap it yet.
TEST_F(MemberTest, EntryOfALeaseThatIsNotAliveHoldsNobodyBack) {
  const Joined a = JoinGroup(*attachment_, "g");
  const auto group = attachment_->directory().Find(Named("g"));
  ASSERT_TRUE(group.ok() && group->has_value());
  constexpr alloc::LeaseId kNobody{9, 1};
  ASSERT_TRUE(ClaimEntry(**group, kNobody, {1, 99}, 0).ok());
  for (std::uint32_t i = 0; i < 2 * IpcLimits::kDefaultSlots; ++i) {
    ASSERT_TRUE(SendText(*a.member, "x").ok()) << i;
    ReadAll(*a.member);
  }
}

TEST_F(MemberTest, JoinerOfAFullRingDoesNotLockItBehindItself) {
  const Joined reader = JoinGroup(*attachment_, "g");
  while (SendText(*reader.member, "x").ok()) {
  }
  const Joined late = JoinGroup(*attachment_, "g");
  ReadAll(*reader.member);
  EXPECT_EQ(ReadAll(*late.member), (Texts{"join 2"}));
  EXPECT_TRUE(SendText(*reader.member, "y").ok());
}

TEST_F(MemberTest, EverythingReadComesBackToTheAllocator) {
  const Joined a = JoinGroup(*attachment_, "g");
  const Joined b = JoinGroup(*attachment_, "g");
  for (int i = 0; i < 5000; ++i) {
    ASSERT_TRUE(SendText(*a.member, std::string(1000, 'x')).ok());
    ReadAll(*a.member);
    ReadAll(*b.member);
  }
  attachment_->RelievePressure();
  const auto stats = attachment_->ReadStats();
  EXPECT_EQ(stats.unreclaimed, 0U);
  EXPECT_EQ(stats.region_out_buffers, 0U);
  EXPECT_EQ(stats.allocator.live_buffers, 0U);
}

// Its publisher died before it applied it, and nobody else was there to read.
TEST_F(MemberTest, JoinReclaimedBeforeAnybodyReadItIsInTheNextView) {
  {
    const Joined maker = JoinGroup(*attachment_, "g");
  }
  const auto found = attachment_->directory().Find(Named("g"));
  ASSERT_TRUE(found.ok() && found->has_value());
  const GroupView& group = **found;
  const auto entry =
      ClaimEntry(group, attachment_->region().lease(), {1, 77}, 0);
  ASSERT_TRUE(entry.ok());
  RingPlace place;
  ASSERT_EQ(FindPlace(group, group.slot_count(), &place), RingAnswer::kOk);
  ASSERT_TRUE(TryPublish(
      group, place,
      SlotWord::Record(SlotWord::LapOf(place.position, group.slot_shift()),
                       SlotWord::Control::kJoin, entry->index,
                       entry->generation)));
  RaiseCursorToTail(group, entry->index);
  attachment_->RelievePressure();
  ASSERT_EQ(attachment_->ReadStats().unreclaimed, 0U);
  const Joined next = JoinGroup(*attachment_, "g");
  EXPECT_EQ(ReadAll(*next.member), (Texts{"join 2"}));
}

TEST_F(MemberTest, NestedEventsAreTheFollowingOnesAndNothingIsGivenBackEarly) {
  const Joined a = JoinGroup(*attachment_, "g");
  ReadAll(*a.member);
  ASSERT_TRUE(SendText(*a.member, "outer").ok());
  ASSERT_TRUE(SendText(*a.member, "inner").ok());
  const auto outer = a->Next();
  const auto inner = a->Next();
  EXPECT_EQ(outer->length_bytes, 5U);
  EXPECT_EQ(inner->sequence, outer->sequence + 1);
  a->Done();
  attachment_->RelievePressure();
  EXPECT_EQ(attachment_->ReadStats().unreclaimed, 2U);
  a->Done();
  attachment_->RelievePressure();
  EXPECT_EQ(attachment_->ReadStats().unreclaimed, 0U);
}

TEST_F(MemberTest, RetainedMessageOutlivesTheRingTheMemberAndItsLeave) {
  const Joined a = JoinGroup(*attachment_, "g");
  Joined b = JoinGroup(*attachment_, "g");
  ReadAll(*a.member);
  ReadAll(*b.member);
  ASSERT_TRUE(SendText(*a.member, "keep me").ok());
  const auto event = b->Next();
  ASSERT_TRUE(b->Retain(*event).ok());
  const std::byte* const kept = event->payload;
  b->Done();
  EXPECT_EQ(b->Retain(*event).status(), Status::kInvalidParam)
      << "only a begun message";
  ReadAll(*a.member);
  b.member.reset();
  ReadAll(*a.member);
  // Everything else may be reused, this one not.
  for (int i = 0; i < 2000; ++i) {
    ASSERT_TRUE(SendText(*a.member, "zzzzzzz").ok());
    ReadAll(*a.member);
  }
  attachment_->RelievePressure();
  EXPECT_EQ(std::memcmp(kept, "keep me", 7), 0);
  EXPECT_EQ(attachment_->ReadStats().kept_messages, 1U);
  EXPECT_EQ(attachment_->ReadStats().region_out_buffers, 1U);
  EXPECT_TRUE(attachment_->Release(kept).ok());
  EXPECT_EQ(attachment_->Release(kept).status(), Status::kInvalidParam);
  EXPECT_EQ(attachment_->ReadStats().region_out_buffers, 0U);
}

TEST_F(MemberTest, MessageRetainedTwiceIsFreeAfterTheSecondRelease) {
  const Joined a = JoinGroup(*attachment_, "g");
  const Joined b = JoinGroup(*attachment_, "g");
  ReadAll(*a.member);
  ReadAll(*b.member);
  ASSERT_TRUE(SendText(*a.member, "twice").ok());
  const auto at_a = a->Next();
  const auto at_b = b->Next();
  ASSERT_TRUE(a->Retain(*at_a).ok());
  ASSERT_TRUE(b->Retain(*at_b).ok());
  a->Done();
  b->Done();
  attachment_->RelievePressure();
  EXPECT_EQ(attachment_->ReadStats().unreclaimed, 0U);
  EXPECT_TRUE(attachment_->Release(at_a->payload).ok());
  EXPECT_EQ(attachment_->ReadStats().region_out_buffers, 1U);
  EXPECT_TRUE(attachment_->Release(at_a->payload).ok());
  EXPECT_EQ(attachment_->ReadStats().region_out_buffers, 0U);
}

TEST_F(MemberTest, ReleaseBeforeTheRingIsReclaimedLosesNothing) {
  const Joined a = JoinGroup(*attachment_, "g");
  ReadAll(*a.member);
  ASSERT_TRUE(SendText(*a.member, "brief").ok());
  const auto event = a->Next();
  ASSERT_TRUE(a->Retain(*event).ok());
  EXPECT_TRUE(attachment_->Release(event->payload).ok());
  a->Done();
  attachment_->RelievePressure();
  EXPECT_EQ(attachment_->ReadStats().region_out_buffers, 0U);
}

TEST_F(MemberTest, EveryKeepRecordInUseIsNoResources) {
  const Joined a = JoinGroup(*attachment_, "g");
  ReadAll(*a.member);
  std::vector<const std::byte*> kept;
  for (std::uint32_t i = 0; i < IpcLimits::kDefaultKeepRecords; ++i) {
    ASSERT_TRUE(SendText(*a.member, "k").ok());
    const auto event = a->Next();
    ASSERT_TRUE(a->Retain(*event).ok());
    kept.push_back(event->payload);
    a->Done();
  }
  ASSERT_TRUE(SendText(*a.member, "one too many").ok());
  const auto event = a->Next();
  EXPECT_EQ(a->Retain(*event).status(), Status::kNoResources);
  a->Done();
  for (const std::byte* payload : kept) {
    EXPECT_TRUE(attachment_->Release(payload).ok());
  }
  attachment_->RelievePressure();
  EXPECT_EQ(attachment_->ReadStats().region_out_buffers, 0U);
}

TEST_F(MemberTest, SleeperIsRungForAMessageAndOnlyOnce) {
  const Joined a = JoinGroup(*attachment_, "g");
  const Joined b = JoinGroup(*attachment_, "g");
  ReadAll(*a.member);
  ReadAll(*b.member);
  const auto is_rung = [](const Joined& j) {
    pollfd entry{j.bell->descriptor(), POLLIN, 0};
    return poll(&entry, 1, 0) == 1;
  };
  ASSERT_TRUE(SendText(*a.member, "awake").ok());
  EXPECT_FALSE(is_rung(b)) << "nobody sleeps, nobody rings";
  ReadAll(*b.member);
  EXPECT_FALSE(b->AnnounceSleep());
  EXPECT_FALSE(is_rung(b));
  ASSERT_TRUE(SendText(*a.member, "wake up").ok());
  EXPECT_TRUE(is_rung(b));
  EXPECT_TRUE(b->AnnounceAwake());
  EXPECT_TRUE(b.bell->Drain());
  EXPECT_EQ(ReadAll(*b.member), (Texts{"wake up"}));
  EXPECT_FALSE(b->AnnounceAwake());
  EXPECT_FALSE(b.bell->Drain());
}

TEST_F(MemberTest, SleeperThatMissedAMessageIsToldWhenItLiesDown) {
  const Joined a = JoinGroup(*attachment_, "g");
  ReadAll(*a.member);
  ASSERT_TRUE(SendText(*a.member, "before").ok());
  EXPECT_TRUE(a->AnnounceSleep());
  a->AnnounceAwake();
  EXPECT_EQ(ReadAll(*a.member), (Texts{"before"}));
}

// The publisher died between its slot and its bell.
TEST_F(MemberTest, AwakeMemberRingsForAPublisherThatDidNot) {
  const Joined a = JoinGroup(*attachment_, "g");
  const Joined b = JoinGroup(*attachment_, "g");
  ReadAll(*a.member);
  ReadAll(*b.member);
  ASSERT_TRUE(SendText(*a.member, "m").ok());  // b is awake: no bell
  b->AnnounceSleep();
  EXPECT_FALSE(b.bell->Wait(Deadline::InMs(0)));
  ReadAll(*a.member);
  EXPECT_TRUE(b.bell->Wait(Deadline::InMs(0)));
}

TEST_F(MemberTest, DamagedHeaderIsAnErrorOfTheReader) {
  const Joined a = JoinGroup(*attachment_, "g");
  ReadAll(*a.member);
  const auto payload = attachment_->AllocPayload(10);
  ASSERT_TRUE(a->Send(*payload, 10).ok());
  auto* const header =
      reinterpret_cast<MessageHeader*>(*payload - kHeaderBytes);
  const MessageHeader good = *header;
  for (int field = 0; field < 5; ++field) {
    *header = good;
    if (field == 0) header->position += 1;
    if (field == 1) header->length_bytes = ~std::uint64_t{0};
    if (field == 2) header->group_slot += 1;
    if (field == 3) header->magic = 0;
    if (field == 4) header->entry = 0xffff;
    EXPECT_EQ(a->Next().status(), Status::kLibrary) << "field " << field;
  }
  *header = good;
  EXPECT_EQ(ReadAll(*a.member).size(), 1U) << "the others judge for themselves";
}

TEST_F(MemberTest, MessageOfASenderThatHadLeftIsDroppedByEverybody) {
  const Joined a = JoinGroup(*attachment_, "g");
  const Joined b = JoinGroup(*attachment_, "g");
  ReadAll(*a.member);
  ReadAll(*b.member);
  const auto payload = attachment_->AllocPayload(5);
  ASSERT_TRUE(b->Leave().ok());
  ASSERT_TRUE(a->Send(*payload, 5).ok());
  // As if b had published it after its leave (it had read its entry before).
  auto* const header =
      reinterpret_cast<MessageHeader*>(*payload - kHeaderBytes);
  header->entry = 1;
  EXPECT_EQ(ReadAll(*a.member), (Texts{"leave 1"}));
}

TEST_F(MemberTest, OneMembershipPerProcessUnlessAskedOtherwise) {
  const auto bell = attachment_->MakeDoorbell();
  const auto first = attachment_->Join(Named("g"), bell->get());
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(attachment_->Join(Named("g"), bell->get()).status(),
            Status::kExist);
  EXPECT_TRUE(attachment_->Join(Named("h"), bell->get()).ok());
}

TEST_F(MemberTest, NamesWithNulsAndNoNameAreDifferentGroups) {
  const std::string with_nul("a\0b", 3);
  const Joined a = JoinGroup(*attachment_, with_nul);
  const Joined b = JoinGroup(*attachment_, "a");
  const Joined c = JoinGroup(*attachment_, "");
  ASSERT_TRUE(SendText(*a.member, "m").ok());
  EXPECT_EQ(ReadAll(*a.member), (Texts{"join 1", "m"}));
  EXPECT_EQ(ReadAll(*b.member), (Texts{"join 1"}));
  EXPECT_EQ(ReadAll(*c.member), (Texts{"join 1"}));
  EXPECT_EQ(attachment_->GroupNames()->size(), 3U);
  EXPECT_EQ(attachment_->MembersOf(Named(with_nul))->size(), 1U);
  EXPECT_TRUE(attachment_->MembersOf(Named("nobody"))->empty());
}

TEST_F(MemberTest, DirectoryFullOfNamesIsNoResources) {
  const auto bell = attachment_->MakeDoorbell();
  Status last = Status::kOk;
  std::uint32_t made = 0;
  while (last == Status::kOk) {
    const auto member =
        attachment_->Join(Named("group " + std::to_string(made)), bell->get());
    last = member.ok() ? Status::kOk : member.status();
    if (member.ok()) ++made;
    ASSERT_LE(made, IpcLimits::kMaxGroups);
  }
  EXPECT_EQ(last, Status::kNoResources);
  EXPECT_EQ(made, IpcLimits::kDefaultGroups);
}

}  // namespace
}  // namespace zcb::ipc
