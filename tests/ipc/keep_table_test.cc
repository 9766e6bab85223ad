// Keeping by what another thread has read of an open message.
#include "allocator/buffer_ref.h"
#include "ipc/begun_message.h"
#include "ipc/keep_record.h"
#include "tests/ipc/member_fixture.h"

namespace zcb::ipc {
namespace {

using namespace testing;  // NOLINT: the fixture's helpers

using KeepTableTest = MemberTest;

TEST_F(KeepTableTest, OnlyTheMessageThatIsMeantIsKept) {
  const Joined a = JoinGroup(*attachment_, "g");
  ReadAll(*a.member);
  ASSERT_TRUE(SendText(*a.member, "text").ok());
  const auto event = a->Next();
  const BegunMessage open = a->Begun(*event);
  BegunMessage other = open;
  ++other.position;
  EXPECT_EQ(attachment_->Keep(other).status(), Status::kLibrary);
  other = open;
  ++other.group_slot;
  EXPECT_EQ(attachment_->Keep(other).status(), Status::kLibrary);
  other = open;
  other.buffer = alloc::BufferRef(open.buffer.line() + 1);
  EXPECT_EQ(attachment_->Keep(other).status(), Status::kInvalidParam);
  EXPECT_EQ(attachment_->ReadStats().kept_messages, 0U);
  EXPECT_EQ(attachment_->Release(open.payload).status(), Status::kInvalidParam);
  EXPECT_TRUE(attachment_->Keep(open).ok());
  EXPECT_TRUE(attachment_->Release(open.payload).ok());
  a->Done();
}

TEST_F(KeepTableTest, AMessageThatHasLeftTheRingIsNotKept) {
  const Joined a = JoinGroup(*attachment_, "g");
  ReadAll(*a.member);
  ASSERT_TRUE(SendText(*a.member, "gone").ok());
  const auto event = a->Next();
  const BegunMessage gone = a->Begun(*event);
  a->Done();
  attachment_->ReclaimAllGroups();
  EXPECT_EQ(attachment_->Keep(gone).status(), Status::kLibrary);
  EXPECT_EQ(attachment_->ReadStats().kept_messages, 0U);
  EXPECT_EQ(attachment_->ReadStats().kept_bytes, 0U);
  EXPECT_EQ(attachment_->ReadStats().region_out_buffers, 0U);
}

TEST_F(KeepTableTest, OneRecordStandsForAllKeepsOfAMessage) {
  const Joined a = JoinGroup(*attachment_, "g");
  ReadAll(*a.member);
  ASSERT_TRUE(SendText(*a.member, "often").ok());
  const auto event = a->Next();
  ASSERT_TRUE(a->Retain(*event).ok());
  ASSERT_TRUE(a->Retain(*event).ok());
  ASSERT_TRUE(attachment_->KeepAgain(event->payload).ok());
  a->Done();
  int records = 0;
  attachment_->keeps().ForEachRecord(
      [&](std::uint16_t, KeepRecord) { ++records; });
  EXPECT_EQ(records, 1);
  EXPECT_EQ(attachment_->ReadStats().kept_messages, 3U);
  EXPECT_EQ(attachment_->ReadStats().kept_bytes, 15U);
  for (int i = 0; i < 3; ++i) {
    attachment_->RelievePressure();
    EXPECT_EQ(attachment_->ReadStats().region_out_buffers, 1U);
    EXPECT_TRUE(attachment_->Release(event->payload).ok());
  }
  EXPECT_EQ(attachment_->ReadStats().region_out_buffers, 0U);
}

TEST_F(KeepTableTest, WhatIsBorrowedStaysThoughItsKeeperLetsGo) {
  const Joined a = JoinGroup(*attachment_, "g");
  ReadAll(*a.member);
  ASSERT_TRUE(SendText(*a.member, "borrowed").ok());
  const auto event = a->Next();
  EXPECT_EQ(attachment_->Borrow(event->payload).status(),
            Status::kInvalidParam);
  ASSERT_TRUE(a->Retain(*event).ok());
  a->Done();
  attachment_->SetRetainBytes(1);  // borrowing asks no limit
  const auto length_bytes = attachment_->Borrow(event->payload);
  ASSERT_TRUE(length_bytes.ok());
  EXPECT_EQ(*length_bytes, 8U);
  EXPECT_TRUE(attachment_->Release(event->payload).ok());
  attachment_->RelievePressure();
  EXPECT_EQ(attachment_->ReadStats().region_out_buffers, 1U);
  EXPECT_TRUE(attachment_->Release(event->payload).ok());
  EXPECT_EQ(attachment_->ReadStats().region_out_buffers, 0U);
}

}  // namespace
}  // namespace zcb::ipc
