// Forged logs: each kind of violation is named, and an honest history has none.
#include "tests/order/verifier.h"

#include <corosync/cpg.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <initializer_list>
#include <ostream>
#include <utility>
#include <vector>

namespace zcb::order {

// For GoogleTest's messages.
static void PrintTo(Violation::Kind kind, std::ostream* out) {
  *out << NameOf(kind);
}

namespace {

using Kind = Violation::Kind;
using End = Membership::End;

Address Process(std::uint32_t pid) { return {1, pid}; }

Event Message(std::uint32_t membership, std::uint32_t pid, std::uint32_t number,
              std::uint32_t lane = 0) {
  Event event;
  event.id = {membership, lane, number};
  event.sender = Process(pid);
  return event;
}

Event Joined(std::uint32_t pid, std::initializer_list<std::uint32_t> members) {
  Event event;
  event.kind = Event::Kind::kView;
  for (const std::uint32_t member : members) {
    event.members.push_back(Process(member));
  }
  event.joined = {{Process(pid), CPG_REASON_JOIN}};
  return event;
}

Event Left(std::uint32_t pid, std::uint32_t reason,
           std::initializer_list<std::uint32_t> members) {
  Event event = Joined(pid, members);
  event.joined.clear();
  event.left = {{Process(pid), reason}};
  return event;
}

Event Drained(std::uint32_t other, std::uint32_t length) {
  Event event;
  event.kind = Event::Kind::kDrained;
  event.other = other;
  event.length = length;
  return event;
}

// Membership numbers, and the process of each is ten times (number + 1).
constexpr std::uint32_t kWitness = 0;
constexpr std::uint32_t kLeaver = 1;
constexpr std::uint32_t kKilled = 2;

// One group. The witness (10) is there from first to last, 20 joins and leaves,
// 30 joins and is killed after it read eight events.
class VerifierTest : public ::testing::Test {
 protected:
  VerifierTest() {
    const std::vector<Event> order = {
        Joined(10, {10}),
        Message(kWitness, 10, 0),
        Joined(20, {10, 20}),
        Message(kLeaver, 20, 0),
        Message(kWitness, 10, 1),
        Joined(30, {10, 20, 30}),
        Message(kKilled, 30, 0),
        Message(kLeaver, 20, 1),
        Message(kKilled, 30, 0, 1),
        Left(20, CPG_REASON_LEAVE, {10, 30}),
        Message(kKilled, 30, 1),
        Message(kWitness, 10, 2),
        Left(30, CPG_REASON_PROCDOWN, {10}),
        Message(kWitness, 10, 3),
    };
    history_.memberships.resize(3);
    for (std::uint32_t i = 0; i < 3; ++i) At(i).who = Process(10 * (i + 1));
    At(kWitness).log = order;
    At(kWitness).end = End::kGone;
    At(kWitness).read_until_alone = true;
    At(kWitness).lanes[0] = {4, 4, 0};
    At(kLeaver).log = {order.begin() + 2, order.begin() + 10};
    At(kLeaver).end = End::kLeft;
    At(kLeaver).read_to_its_leave = true;
    At(kLeaver).lanes[0] = {3, 3, 2};  // one more that raced with the leave
    At(kKilled).log = {order.begin() + 5, order.begin() + 11};
    At(kKilled).end = End::kGone;
    At(kKilled).lanes[0] = {3, 2, 0};  // killed within its third send
    At(kKilled).lanes[1] = {1, 1, 0};
  }

  Membership& At(std::uint32_t number) { return history_.memberships[number]; }
  std::vector<Event>& Log(std::uint32_t number) { return At(number).log; }
  // The index in `number`'s log of an event of the witness's log.
  std::size_t Find(std::uint32_t number, const Event& event) {
    const auto found = std::ranges::find(Log(number), event);
    EXPECT_NE(found, Log(number).end());
    return static_cast<std::size_t>(found - Log(number).begin());
  }
  void Erase(std::uint32_t number, const Event& event) {
    Log(number).erase(Log(number).begin() +
                      static_cast<std::ptrdiff_t>(Find(number, event)));
  }
  void EraseEverywhere(const Event& event) {
    for (Membership& member : history_.memberships) {
      std::erase(member.log, event);
    }
  }
  void ReplaceEverywhere(const Event& event, const Event& by) {
    for (Membership& member : history_.memberships) {
      std::ranges::replace(member.log, event, by);
    }
  }

  std::vector<Kind> Kinds() const {
    std::vector<Kind> kinds;
    for (const Violation& violation : Verify(history_).violations) {
      kinds.push_back(violation.kind);
    }
    return kinds;
  }
  // `kind` is found, about `membership`.
  void ExpectFound(Kind kind, std::uint32_t membership) const {
    const std::vector<Violation> violations = Verify(history_).violations;
    EXPECT_TRUE(std::ranges::any_of(violations,
                                    [&](const Violation& found) {
                                      return found.kind == kind &&
                                             found.membership == membership;
                                    }))
        << "not found: " << NameOf(kind);
    for (const Violation& violation : violations) {
      SCOPED_TRACE(violation.text);
      EXPECT_FALSE(violation.text.empty());
    }
  }
  // It is all that is found.
  void ExpectOnly(Kind kind) const {
    EXPECT_EQ(Kinds(), std::vector<Kind>{kind});
  }

  History history_;
};

TEST_F(VerifierTest, AnHonestHistoryHasNoViolation) {
  const Verdict verdict = Verify(history_);
  for (const Violation& violation : verdict.violations) {
    ADD_FAILURE() << NameOf(violation.kind) << ": " << violation.text;
  }
  EXPECT_EQ(verdict.messages, 9U);
  EXPECT_EQ(verdict.views, 5U);
  EXPECT_EQ(verdict.deliveries, 14U + 8U + 6U);
}

TEST_F(VerifierTest, EveryKindHasANameOfItsOwn) {
  std::vector<std::string_view> names;
  for (int kind = 0; kind <= static_cast<int>(Kind::kCannotJudge); ++kind) {
    names.push_back(NameOf(static_cast<Kind>(kind)));
  }
  std::ranges::sort(names);
  EXPECT_EQ(std::ranges::adjacent_find(names), names.end());
  EXPECT_EQ(std::ranges::count(names, "?"), 0);
}

// --- one log against the others ----------------------------------------------

TEST_F(VerifierTest, TwoEventsTheOtherWayRoundAreNamed) {
  const std::size_t at = Find(kLeaver, Message(kKilled, 30, 0));
  std::swap(Log(kLeaver)[at], Log(kLeaver)[at + 1]);
  ExpectOnly(Kind::kOrderDiffers);
}

TEST_F(VerifierTest, AMessageBeforeTheViewThatOthersHaveFirstIsNamed) {
  // Nothing in the log by itself tells that 10's message came first.
  const std::size_t at = Find(kLeaver, Message(kWitness, 10, 1));
  std::swap(Log(kLeaver)[at], Log(kLeaver)[at + 1]);
  ExpectOnly(Kind::kOrderDiffers);
}

TEST_F(VerifierTest, ASwapWithinOneSenderIsNamedTwice) {
  std::swap(Log(kWitness)[Find(kWitness, Message(kKilled, 30, 0))].id.number,
            Log(kWitness)[Find(kWitness, Message(kKilled, 30, 1))].id.number);
  ExpectFound(Kind::kMessageMissing, kWitness);
  ExpectFound(Kind::kMessageRepeated, kWitness);
  ExpectFound(Kind::kOrderDiffers, kKilled);
}

TEST_F(VerifierTest, ALostMessageOfAnotherIsNamed) {
  Erase(kLeaver, Message(kKilled, 30, 0));
  ExpectOnly(Kind::kEventMissing);
  ExpectFound(Kind::kEventMissing, kLeaver);
}

TEST_F(VerifierTest, AGapWithinOneSenderIsNamedInTheLogItself) {
  Erase(kWitness, Message(kWitness, 10, 1));
  ExpectFound(Kind::kMessageMissing, kWitness);
}

TEST_F(VerifierTest, ALostFirstMessageAfterAJoinIsNamed) {
  EraseEverywhere(Message(kLeaver, 20, 0));
  ExpectFound(Kind::kMessageMissing, kWitness);
  ExpectFound(Kind::kMessageMissing, kLeaver);
}

TEST_F(VerifierTest, ADuplicateIsNamed) {
  const std::size_t at = Find(kLeaver, Message(kKilled, 30, 0));
  Log(kLeaver).insert(Log(kLeaver).begin() + static_cast<std::ptrdiff_t>(at),
                      Message(kKilled, 30, 0));
  ExpectFound(Kind::kMessageRepeated, kLeaver);
  ExpectFound(Kind::kEventRepeated, kLeaver);
}

TEST_F(VerifierTest, ADuplicateThatAllHaveIsNamed) {
  for (const std::uint32_t number : {kWitness, kKilled}) {
    const std::size_t at = Find(number, Message(kKilled, 30, 1));
    Log(number).insert(Log(number).begin() + static_cast<std::ptrdiff_t>(at),
                       Message(kKilled, 30, 1));
  }
  ExpectFound(Kind::kMessageRepeated, kWitness);
}

TEST_F(VerifierTest, AMissingViewIsNamed) {
  Erase(kLeaver, Joined(30, {10, 20, 30}));
  ExpectFound(Kind::kViewMissing, kLeaver);
}

TEST_F(VerifierTest, TheSameViewWithAnotherListIsNamed) {
  Log(kKilled)[Find(kKilled, Left(20, CPG_REASON_LEAVE, {10, 30}))].members = {
      Process(30)};
  ExpectFound(Kind::kListIsWrong, kKilled);
  ExpectFound(Kind::kEventUnknown, kKilled);
}

TEST_F(VerifierTest, AFirstViewThatDiffersFromTheOthersIsNamed) {
  // Nothing in the joiner's own log could tell.
  Log(kLeaver)[0].members = {Process(20)};
  ExpectFound(Kind::kEventUnknown, kLeaver);
}

TEST_F(VerifierTest, AnEventThatOthersHaveNotIsNamed) {
  At(kWitness).lanes[0].begun = 5;
  Log(kKilled).back() = Message(kWitness, 10, 4);
  ExpectFound(Kind::kEventUnknown, kKilled);
}

// --- views -------------------------------------------------------------------

TEST_F(VerifierTest, TwoChangesInOneViewAreNamed) {
  Log(kWitness)[5].left = {{Process(20), CPG_REASON_LEAVE}};
  ExpectFound(Kind::kNotOneChange, kWitness);
}

TEST_F(VerifierTest, NoChangeInAViewIsNamed) {
  Log(kWitness)[5].joined.clear();
  ExpectFound(Kind::kNotOneChange, kWitness);
}

TEST_F(VerifierTest, AReasonThatDoesNotFitTheListIsNamed) {
  Event wrong = Joined(30, {10, 20, 30});
  wrong.joined[0].reason = CPG_REASON_NODEUP;
  ReplaceEverywhere(Joined(30, {10, 20, 30}), wrong);
  ExpectFound(Kind::kWrongReason, kWitness);
}

TEST_F(VerifierTest, ALeaveToldAsAProcessDownIsNamed) {
  ReplaceEverywhere(Left(20, CPG_REASON_LEAVE, {10, 30}),
                    Left(20, CPG_REASON_PROCDOWN, {10, 30}));
  ExpectOnly(Kind::kWrongReason);
}

TEST_F(VerifierTest, ADeathToldAsALeaveIsNamed) {
  ReplaceEverywhere(Left(30, CPG_REASON_PROCDOWN, {10}),
                    Left(30, CPG_REASON_LEAVE, {10}));
  ExpectOnly(Kind::kWrongReason);
}

TEST_F(VerifierTest, EitherReasonWillDoForOneKilledWithinItsLeave) {
  At(kKilled).end = End::kLeaveUnknown;
  EXPECT_EQ(Kinds(), std::vector<Kind>{});
  ReplaceEverywhere(Left(30, CPG_REASON_PROCDOWN, {10}),
                    Left(30, CPG_REASON_LEAVE, {10}));
  EXPECT_EQ(Kinds(), std::vector<Kind>{});
}

TEST_F(VerifierTest, AnUnsortedListIsNamed) {
  ReplaceEverywhere(Joined(30, {10, 20, 30}), Joined(30, {10, 30, 20}));
  ExpectFound(Kind::kListNotSorted, kWitness);
}

TEST_F(VerifierTest, AListWithSomebodyTwiceIsNamed) {
  ReplaceEverywhere(Joined(30, {10, 20, 30}), Joined(30, {10, 20, 20, 30}));
  ExpectFound(Kind::kListNotSorted, kWitness);
  ExpectFound(Kind::kListIsWrong, kWitness);
}

TEST_F(VerifierTest, AListThatForgetsSomebodyIsNamed) {
  ReplaceEverywhere(Left(20, CPG_REASON_LEAVE, {10, 30}),
                    Left(20, CPG_REASON_LEAVE, {30}));
  ExpectFound(Kind::kListIsWrong, kWitness);
}

TEST_F(VerifierTest, ASecondProcessDownIsNamed) {
  Log(kWitness).push_back(Left(30, CPG_REASON_PROCDOWN, {10}));
  ExpectOnly(Kind::kLeftTwice);
}

TEST_F(VerifierTest, ASecondJoinIsNamed) {
  Log(kWitness).insert(Log(kWitness).begin() + 6, Joined(30, {10, 20, 30}));
  ExpectFound(Kind::kJoinedTwice, kWitness);
  ExpectFound(Kind::kUnknownJoin, kWitness);
}

TEST_F(VerifierTest, ADeathThatASurvivorNeverSeesIsNamed) {
  Erase(kWitness, Left(30, CPG_REASON_PROCDOWN, {10}));
  ExpectOnly(Kind::kEndMissing);
  ExpectFound(Kind::kEndMissing, kKilled);
}

TEST_F(VerifierTest, ARefusedJoinThatAppearsIsNamed) {
  At(kKilled).join = Membership::Join::kRefused;
  ExpectFound(Kind::kUnknownJoin, kWitness);
}

// --- joiner and leaver -------------------------------------------------------

TEST_F(VerifierTest, AnEventBeforeTheOwnJoinIsNamed) {
  Log(kLeaver).insert(Log(kLeaver).begin(), Message(kWitness, 10, 0));
  ExpectFound(Kind::kFirstEventIsNotOwnJoin, kLeaver);
}

TEST_F(VerifierTest, AFirstViewWithoutTheJoinerIsNamed) {
  Log(kLeaver)[0].members = {Process(10)};
  ExpectFound(Kind::kListIsWrong, kLeaver);
}

TEST_F(VerifierTest, AnEventAfterTheOwnLeaveIsNamed) {
  Log(kLeaver).push_back(Message(kKilled, 30, 1));
  ExpectFound(Kind::kAfterOwnLeave, kLeaver);
}

TEST_F(VerifierTest, AnOwnLeaveThatNeverCameIsNamed) {
  Log(kLeaver).pop_back();
  ExpectOnly(Kind::kOwnLeaveMissing);
}

TEST_F(VerifierTest, ALateMessageOfALeaverIsNamed) {
  const Event late = Message(kLeaver, 20, 2);
  Log(kWitness).insert(Log(kWitness).begin() + 10, late);
  Log(kKilled).insert(Log(kKilled).begin() + 5, late);
  ExpectFound(Kind::kNotInTheView, kWitness);
  ExpectFound(Kind::kNotInTheView, kKilled);
}

TEST_F(VerifierTest, AMessageBeforeItsSendersJoinIsNamed) {
  Log(kWitness).insert(Log(kWitness).begin() + 1, Message(kLeaver, 20, 0));
  ExpectFound(Kind::kNotInTheView, kWitness);
}

// --- senders -----------------------------------------------------------------

TEST_F(VerifierTest, ALostLastMessageOfAKilledSenderIsNamed) {
  EraseEverywhere(Message(kKilled, 30, 1));
  ExpectOnly(Kind::kSentButNotDelivered);
  ExpectFound(Kind::kSentButNotDelivered, kKilled);
}

TEST_F(VerifierTest, ALostLastMessageOfALeaverIsNamed) {
  EraseEverywhere(Message(kLeaver, 20, 1));
  ExpectOnly(Kind::kSentButNotDelivered);
}

TEST_F(VerifierTest, OneThreadsMessagesDoNotStandInForAnothers) {
  EraseEverywhere(Message(kKilled, 30, 0, 1));
  ExpectOnly(Kind::kSentButNotDelivered);
}

TEST_F(VerifierTest, ASendThatRacedWithTheLeaveMayBeLostOrDelivered) {
  const std::size_t at = Find(kWitness, Message(kLeaver, 20, 1));
  for (const auto& [number, offset] :
       {std::pair{kWitness, at}, std::pair{kLeaver, at - 2},
        std::pair{kKilled, at - 5}}) {
    Log(number).insert(
        Log(number).begin() + static_cast<std::ptrdiff_t>(offset + 1),
        Message(kLeaver, 20, 2));
  }
  EXPECT_EQ(Kinds(), std::vector<Kind>{});
}

TEST_F(VerifierTest, AMessageThatWasNeverSentIsNamed) {
  At(kKilled).lanes[1].begun = 0;
  ExpectFound(Kind::kNeverSent, kWitness);
}

TEST_F(VerifierTest, AMessageUnderAnothersAddressIsNamed) {
  Log(kWitness)[1].sender = Process(20);
  ExpectFound(Kind::kWrongSender, kWitness);
}

TEST_F(VerifierTest, AMessageOfAnotherGroupIsNamed) {
  history_.memberships.push_back(At(kWitness));
  At(3).group = 1;
  At(3).log = {Joined(10, {10}), Message(3, 10, 0)};
  EXPECT_EQ(Kinds(), std::vector<Kind>{});
  At(3).log.push_back(Message(kWitness, 10, 1));
  ExpectFound(Kind::kWrongSender, 3);
}

TEST_F(VerifierTest, ADamagedMessageIsNamed) {
  Log(kWitness)[1].intact = false;
  ExpectFound(Kind::kDamagedMessage, kWitness);
}

// --- a process that comes back -----------------------------------------------

// 20 joins again after it left, and is killed.
class ReturnTest : public VerifierTest {
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

// --- nobody there from first to last -----------------------------------------

// 10 is killed before it sees 20's join; 20 is killed; 30 finds its ghost.
class PiecesTest : public VerifierTest {
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
class AcrossTest : public VerifierTest {
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
}  // namespace zcb::order
