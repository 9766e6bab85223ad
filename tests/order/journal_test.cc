// What is written down is read again, also of a process that was killed.
#include "tests/order/journal.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include "tests/order/wire.h"
#include "tests/support/child_process.h"

namespace zcb::order {
namespace {

using zcb::testing::ChildProcess;

Event AMessage(std::uint32_t number) {
  Event event;
  event.id = {7, 1, number};
  event.sender = {1, 4711};
  if (number % 2 == 0) event.mention = MessageId{3, 0, number};
  return event;
}

Event AView(std::uint32_t member_count) {
  Event event;
  event.kind = Event::Kind::kView;
  for (std::uint32_t i = 0; i < member_count; ++i) {
    event.members.push_back({1, 100 + i});
  }
  event.left = {{{1, 99}, 5}};
  return event;
}

TEST(JournalTest, EventsAreReadAsTheyWereAppended) {
  Journal journal(4, 1 << 20);
  Entry first = journal.Begin(2, {1, 50});
  Entry second = journal.Begin(3, {1, 51});
  std::vector<Event> expected;
  for (std::uint32_t i = 0; i < 1000; ++i) {
    expected.push_back(i % 10 == 9 ? AView(i % 100) : AMessage(i));
    first.Append(expected.back());
  }
  Event note;
  note.kind = Event::Kind::kDrained;
  note.other = 5;
  note.length = 6;
  first.Append(note);
  expected.push_back(note);
  second.Append(AMessage(0));
  EXPECT_EQ(first.length(), 1000U);  // notes are no events

  const History history = journal.Read();
  ASSERT_EQ(history.memberships.size(), 2U);
  EXPECT_EQ(history.memberships[0].log, expected);
  EXPECT_EQ(history.memberships[0].group, 2U);
  EXPECT_EQ(history.memberships[0].who, (Address{1, 50}));
  EXPECT_EQ(history.memberships[1].log, std::vector<Event>{AMessage(0)});
}

TEST(JournalTest, ARefusedSendIsNotBegun) {
  Journal journal(1, 1 << 16);
  Entry entry = journal.Begin(0, {1, 50});
  EXPECT_EQ(entry.SendCalled(1), 0U);
  entry.SendReturned(1, true);
  EXPECT_EQ(entry.SendCalled(1), 1U);
  entry.SendReturned(1, false);
  EXPECT_EQ(entry.SendCalled(1), 1U);  // the same number again
  entry.SendReturned(1, true);
  EXPECT_EQ(entry.SendCalled(1), 2U);
  const Membership read = journal.Read().memberships[0];
  EXPECT_EQ(read.lanes[0], (Lane{0, 0, 0}));
  EXPECT_EQ(read.lanes[1], (Lane{3, 2, 0}));
}

TEST(JournalTest, ALeaveRemembersWhatWasSentBefore) {
  Journal journal(1, 1 << 16);
  Entry entry = journal.Begin(0, {1, 50});
  EXPECT_EQ(journal.Read().memberships[0].join, Membership::Join::kUnknown);
  entry.JoinReturned(true);
  EXPECT_EQ(journal.Read().memberships[0].join, Membership::Join::kJoined);
  EXPECT_EQ(journal.Read().memberships[0].end, Membership::End::kGone);
  (void)entry.SendCalled(0);
  entry.SendReturned(0, true);
  entry.LeaveCalled();
  EXPECT_EQ(journal.Read().memberships[0].end, Membership::End::kLeaveUnknown);
  (void)entry.SendCalled(0);
  entry.SendReturned(0, true);
  entry.LeaveReturned(true);
  const Membership read = journal.Read().memberships[0];
  EXPECT_EQ(read.end, Membership::End::kLeft);
  EXPECT_EQ(read.lanes[0], (Lane{2, 2, 1}));
}

TEST(JournalTest, TheKilledAreReadUpToWhereTheyGot) {
  Journal journal(1, 1 << 16);
  ChildProcess child([&] {
    Entry entry = journal.Begin(0, {1, 50});
    entry.JoinReturned(true);
    entry.Append(AMessage(0));
    (void)entry.SendCalled(0);
    entry.SendReturned(0, true);
    kill(getpid(), SIGKILL);
    return 0;
  });
  EXPECT_EQ(child.Join(), 128 + SIGKILL);
  const Membership read = journal.Read().memberships.at(0);
  EXPECT_EQ(read.log, std::vector<Event>{AMessage(0)});
  EXPECT_EQ(read.lanes[0], (Lane{1, 1, 0}));
}

TEST(JournalTest, WhoHasItsDescriptorFindsItAgain) {
  Journal journal(1, 1 << 16);
  Entry entry = journal.Begin(3, {1, 50});
  entry.MayBeEvicted();
  entry.Append(AMessage(0));
  const Journal again(1, 1 << 16, dup(journal.descriptor()));
  const Membership read = again.Read().memberships.at(0);
  EXPECT_EQ(read.group, 3U);
  EXPECT_TRUE(read.may_be_evicted);
  EXPECT_EQ(read.log, std::vector<Event>{AMessage(0)});
}

TEST(JournalTest, ComplaintsOfAllProcessesAreKept) {
  Journal journal(1, 1 << 16);
  ChildProcess child([&] {
    journal.Complain("of the child");
    return 0;
  });
  EXPECT_EQ(child.Join(), 0);
  for (int i = 0; i < 20; ++i) journal.Complain(std::string(1000, 'x'));
  const std::vector<std::string> all = journal.Complaints();
  ASSERT_EQ(all.size(), 17U);
  EXPECT_EQ(all[0], "of the child");
  EXPECT_EQ(all[1], std::string(255, 'x'));
  EXPECT_EQ(all[16], "and 5 more");
}

TEST(WireTest, WhatIsWrittenIsReadAndEveryByteCounts) {
  for (const bool mentions : {false, true}) {
    const Wire wire{
        {3, 1, 77},
        mentions ? std::optional(MessageId{9, 0, 8}) : std::nullopt};
    for (const std::size_t extra : {0U, 1U, 5U, 100U}) {
      std::vector<std::byte> bytes(WireBytes() + extra);
      WriteWire(wire, bytes.data(), bytes.size());
      const auto read = ReadWire(bytes.data(), bytes.size());
      ASSERT_TRUE(read.has_value());
      EXPECT_EQ(read->id, wire.id);
      EXPECT_EQ(read->mention, wire.mention);
      EXPECT_FALSE(ReadWire(bytes.data(), bytes.size() - 1).has_value());
      for (std::size_t at = WireBytes(); at < bytes.size(); ++at) {
        bytes[at] ^= std::byte{1};
        EXPECT_FALSE(ReadWire(bytes.data(), bytes.size()).has_value());
        bytes[at] ^= std::byte{1};
      }
    }
  }
}

}  // namespace
}  // namespace zcb::order
