// Figures of a group and of a member.
#include "ipc/statistics.h"

#include <gtest/gtest.h>

#include <latch>
#include <thread>

#include "tests/ipc/member_fixture.h"

namespace zcb::ipc {
namespace {

using namespace testing;  // NOLINT: the fixture's helpers

TEST_F(MemberTest, FiguresOfAGroupSayWhoHoldsItBack) {
  const Joined quick = JoinGroup(*attachment_, "g");
  const Joined slow = JoinGroup(*attachment_, "g");
  ReadAll(*quick.member);
  ReadAll(*slow.member);
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(SendText(*quick.member, "x").ok());
    ReadAll(*quick.member);
  }
  ReadOne(*slow.member);
  const GroupStats stats = quick->ReadGroupStats();
  EXPECT_EQ(stats.members, 2U);
  EXPECT_EQ(stats.ordered, 102U);
  EXPECT_EQ(stats.ring_messages,
            IpcLimits::kDefaultSlots - 2 * IpcLimits::kDefaultEntries);
  EXPECT_EQ(stats.ring_used, 99U);
  EXPECT_EQ(stats.slowest_behind, 99U);
  EXPECT_EQ(stats.slowest, slow->address());
  EXPECT_EQ(stats.evictions, 0U);
  ReadAll(*slow.member);
  EXPECT_EQ(quick->ReadGroupStats().slowest_behind, 0U);
  EXPECT_EQ(quick->ReadGroupStats().ring_used, 0U) << "reclaimed or not";
}

TEST_F(MemberTest, FiguresCountMembersAsTheMembershipDoes) {
  const Joined a = JoinGroup(*attachment_, "g");
  Joined b = JoinGroup(*attachment_, "g");
  EXPECT_EQ(attachment_->StatsOf(Named("g"))->members, 2U);
  ASSERT_TRUE(b->Leave().ok());
  EXPECT_EQ(attachment_->StatsOf(Named("g"))->members, 1U) << "read or not";
  EXPECT_EQ(attachment_->StatsOf(Named("g"))->members,
            attachment_->MembersOf(Named("g"))->size());
  const auto unknown = attachment_->StatsOf(Named("nobody"));
  ASSERT_TRUE(unknown.ok());
  EXPECT_EQ(unknown->members, 0U);
  EXPECT_EQ(unknown->ordered, 0U);
  EXPECT_GT(unknown->ring_messages, 0U);
}

TEST_F(MemberTest, CountersOfAMemberSayWhatItDid) {
  const Joined a = JoinGroup(*attachment_, "g");
  const Joined b = JoinGroup(*attachment_, "g");
  ASSERT_TRUE(SendText(*a.member, "12345").ok());
  ASSERT_TRUE(SendText(*a.member, "").ok());
  ReadAll(*b.member);
  EXPECT_EQ(a->counters().sent_messages.Guess(), 2U);
  EXPECT_EQ(a->counters().sent_bytes.Guess(), 5U);
  EXPECT_EQ(a->counters().received_messages.Guess(), 0U);
  EXPECT_EQ(b->counters().received_messages.Guess(), 2U);
  EXPECT_EQ(b->counters().received_bytes.Guess(), 5U);
  EXPECT_EQ(b->counters().received_views.Guess(), 1U);
  while (SendText(*a.member, "x").ok()) {
  }
  EXPECT_EQ(a->counters().refused_sends.Guess(), 1U);
  EXPECT_TRUE(a->IsIn(Named("g")));
  EXPECT_FALSE(a->IsIn(Named("h")));
}

TEST(LossyCounterTest, AddLosesNone) {
  constexpr std::uint64_t kEach = 1'000'000;
  LossyCounter counter;
  std::latch gate(2);
  const auto add = [&] {
    gate.arrive_and_wait();
    for (std::uint64_t i = 0; i < kEach; ++i) counter.Add(1);
  };
  std::thread other(add);
  add();
  other.join();
  EXPECT_EQ(counter.Guess(), 2 * kEach);
}

// A program that stops sending while the ring looks full reclaims nothing any
// more: asking has to.
TEST_F(MemberTest, FillIsThatOfWhatNotAllHaveRead) {
  const Joined sender = JoinGroup(*attachment_, "g");
  const Joined reader = JoinGroup(*attachment_, "g");
  ReadAll(*sender.member);
  while (SendText(*sender.member, "x").ok()) ReadAll(*sender.member);
  EXPECT_EQ(sender->RingFillPercent(), 100U);
  ReadAll(*reader.member);
  EXPECT_EQ(sender->RingFillPercent(), 0U);
}

}  // namespace
}  // namespace zcb::ipc
