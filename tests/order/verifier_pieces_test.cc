// Forged logs of processes that come back, of groups that everybody left, and
// of several groups.
#include <corosync/cpg.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "tests/order/forged_history.h"
#include "tests/order/verifier.h"

namespace zcb::order::testing {
namespace {

// --- a process that comes back -----------------------------------------------

// 20 joins again after it left, and is killed.
class ReturnTest : public ForgedHistory {
 protected:
  ReturnTest() {
    history_.memberships.emplace_back();
    At(kReturned).who = Process(20);
    At(kReturned).end = End::kGone;
    At(kReturned).lanes[0] = {1, 1, 0};
    const std::vector<Event> tail = {Joined(20, {10, 20}),
                                     Message(kReturned, 20, 0)};
    At(kReturned).log = tail;
    Log(kWitness).insert(Log(kWitness).end(), tail.begin(), tail.end());
    Log(kWitness).push_back(Left(20, CPG_REASON_PROCDOWN, {10}));
  }
  static constexpr std::uint32_t kReturned = 3;
};

TEST_F(ReturnTest, AnHonestReturnHasNoViolation) {
  EXPECT_EQ(Kinds(), std::vector<Kind>{});
}

TEST_F(ReturnTest, AMessageOfItsFirstMembershipIsNotOneOfItsSecond) {
  Log(kWitness).insert(Log(kWitness).end() - 1, Message(kLeaver, 20, 2));
  ExpectFound(Kind::kNotInTheView, kWitness);
}

TEST_F(ReturnTest, AnOldMessageAsTheFirstOneIsNamed) {
  ReplaceEverywhere(Message(kReturned, 20, 0), Message(kLeaver, 20, 2));
  ExpectFound(Kind::kNotInTheView, kWitness);
  ExpectFound(Kind::kSentButNotDelivered, kReturned);
}

TEST_F(ReturnTest, WithoutAWitnessNobodyCanTellWhichMembershipItWas) {
  history_.memberships.erase(history_.memberships.begin());
  EXPECT_NE(std::ranges::count(Kinds(), Kind::kCannotJudge), 0);
}

TEST_F(ReturnTest, NobodyHasToTellInAGroupThatWasCutShort) {
  history_.memberships.erase(history_.memberships.begin());
  history_.cut_short = {0};
  EXPECT_EQ(std::ranges::count(Kinds(), Kind::kCannotJudge), 0);
}

// --- nobody there from first to last -----------------------------------------

// 10 is killed before it sees 20's join; 20 is killed; 30 finds its ghost.
class PiecesTest : public ForgedHistory {
 protected:
  PiecesTest() {
    for (Membership& member : history_.memberships) {
      member = {.who = member.who, .end = End::kGone, .lanes = {}, .log = {}};
    }
    At(0).log = {Joined(10, {10}), Message(0, 10, 0)};
    At(0).lanes[0] = {1, 1, 0};
    At(1).log = {Joined(20, {10, 20}), Message(1, 20, 0),
                 Left(10, CPG_REASON_PROCDOWN, {20})};
    At(1).lanes[0] = {2, 2, 0};
    At(2).log = {Joined(30, {20, 30}), Message(1, 20, 1),
                 Left(20, CPG_REASON_PROCDOWN, {30})};
    At(2).read_until_alone = true;
  }
};

TEST_F(PiecesTest, AnOrderInPiecesIsJudgedPieceByPiece) {
  EXPECT_EQ(Kinds(), std::vector<Kind>{});
}

TEST_F(PiecesTest, AGhostThatStaysIsNamed) {
  Log(2).pop_back();
  ExpectOnly(Kind::kEndMissing);
  ExpectFound(Kind::kEndMissing, 1);
}

TEST_F(PiecesTest, AJoinThatALeaverMustHaveSeenIsNamed) {
  At(1).end = End::kLeft;
  At(1).read_to_its_leave = true;
  Log(1).push_back(Left(20, CPG_REASON_LEAVE, {}));
  ExpectFound(Kind::kJoinUnseen, 2);
}

TEST_F(PiecesTest, TwoThatEachSawTheOtherJoinAreNamed) {
  Log(0).push_back(Joined(20, {10, 20}));
  Log(1).push_back(Joined(10, {10, 20}));
  ExpectFound(Kind::kJoinUnseen, 0);
  ExpectFound(Kind::kJoinUnseen, 1);
}

TEST_F(PiecesTest, AStrangerInAFirstViewIsNamed) {
  Log(2)[0].members = {Process(20), Process(30), Process(44)};
  ExpectFound(Kind::kUnknownJoin, 2);
}

// --- across groups -----------------------------------------------------------

// 20 is in group 1 as well, where 10 mentions what it had seen in group 0.
class AcrossTest : public ForgedHistory {
 protected:
  AcrossTest() {
    history_.memberships.resize(5);
    for (const std::uint32_t number : {kTeller, kHearer}) {
      At(number).group = 1;
      At(number).end = End::kGone;
    }
    At(kTeller).who = Process(10);
    At(kTeller).lanes[0] = {1, 1, 0};
    At(kHearer).who = Process(20);
    Event telling = Message(kTeller, 10, 0);
    telling.mention = MessageId{kKilled, 0, 0};
    At(kTeller).log = {Joined(10, {10}), Joined(20, {10, 20}), telling};
    // The mentioned one is the fifth event of kLeaver's log.
    At(kHearer).log = {Joined(20, {10, 20}), telling, Drained(kLeaver, 5)};
  }
  static constexpr std::uint32_t kTeller = 3;
  static constexpr std::uint32_t kHearer = 4;
};

TEST_F(AcrossTest, WhatWasPublishedBeforeIsDispatchable) {
  const Verdict verdict = Verify(history_);
  EXPECT_TRUE(verdict.violations.empty());
  EXPECT_EQ(verdict.mentions, 1U);
}

TEST_F(AcrossTest, WhatWasNotThereAtOnceIsNamed) {
  Log(kHearer).back().length = 4;
  ExpectOnly(Kind::kNotDispatchable);
  ExpectFound(Kind::kNotDispatchable, kHearer);
}

TEST_F(AcrossTest, WhatWasBeforeTheObserversJoinIsNotAskedFor) {
  ReplaceEverywhere(Log(kHearer)[1], [&] {
    Event telling = Log(kHearer)[1];
    telling.mention = MessageId{kWitness, 0, 0};
    return telling;
  }());
  Log(kHearer).back().length = 1;
  const Verdict verdict = Verify(history_);
  EXPECT_TRUE(verdict.violations.empty());
  EXPECT_EQ(verdict.mentions, 0U);
}

TEST_F(AcrossTest, WhatCameAfterTheObserversLeaveIsNotAskedFor) {
  ReplaceEverywhere(Log(kHearer)[1], [&] {
    Event telling = Log(kHearer)[1];
    telling.mention = MessageId{kKilled, 0, 1};
    return telling;
  }());
  Log(kHearer).back().length = 8;  // up to its own leave
  EXPECT_TRUE(Verify(history_).violations.empty());
  Log(kHearer).back().length = 7;  // which was dispatchable
  ExpectOnly(Kind::kNotDispatchable);
}

}  // namespace
}  // namespace zcb::order::testing
