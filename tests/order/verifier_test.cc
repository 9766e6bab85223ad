// Forged logs of one group: each kind of violation is named, and an honest
// history has none.
#include "tests/order/verifier.h"

#include <corosync/cpg.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/order/forged_history.h"

namespace zcb::order::testing {
namespace {

class VerifierTest : public ForgedHistory {};

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

TEST_F(VerifierTest, OneThatMayBeEvictedMayLeaveByAProcessDown) {
  ReplaceEverywhere(Left(20, CPG_REASON_LEAVE, {10, 30}),
                    Left(20, CPG_REASON_PROCDOWN, {10, 30}));
  At(kLeaver).may_be_evicted = true;
  EXPECT_TRUE(Verify(history_).violations.empty());
}

TEST_F(VerifierTest, SequenceNumbersGrowAndAreTheSameForAll) {
  for (Membership& membership : history_.memberships) {
    for (Event& event : membership.log) {
      // As different as the messages, and growing: the witness tells.
      if (event.kind != Event::Kind::kMessage) continue;
      event.sequence = 1 + Find(kWitness, event);
    }
  }
  EXPECT_TRUE(Verify(history_).violations.empty());
  Event& one = Log(kLeaver)[Find(kLeaver, Message(kWitness, 10, 1))];
  ++one.sequence;  // where the next one is a view
  ExpectOnly(Kind::kSequenceDiffers);
  one.sequence = 1;
  ExpectFound(Kind::kSequenceFell, kLeaver);
  one.sequence = 0;  // not told: CPG_MODEL_V1
  EXPECT_TRUE(Verify(history_).violations.empty());
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

TEST_F(VerifierTest, OneThatMayBeEvictedLosesNoneOfItsSendsEither) {
  At(kKilled).may_be_evicted = true;
  EXPECT_TRUE(Verify(history_).violations.empty());
  ++At(kKilled).lanes[0].sent;
  ++At(kKilled).lanes[0].begun;
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

}  // namespace
}  // namespace zcb::order::testing
