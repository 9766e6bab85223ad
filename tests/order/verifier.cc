#include "tests/order/verifier.h"

#include <map>

#include "tests/order/causal_check.h"
#include "tests/order/group_order.h"
#include "tests/order/log_check.h"
#include "tests/order/order_check.h"
#include "tests/order/sequence_check.h"

namespace zcb::order {

std::string_view NameOf(Violation::Kind kind) {
  using Kind = Violation::Kind;
  switch (kind) {
    case Kind::kFirstEventIsNotOwnJoin:
      return "the first event is not the own join";
    case Kind::kNotOneChange:
      return "a view that is not exactly one change";
    case Kind::kWrongReason:
      return "a wrong reason";
    case Kind::kListNotSorted:
      return "a member list that is not sorted";
    case Kind::kListIsWrong:
      return "a member list that is not the one before and the change";
    case Kind::kJoinedTwice:
      return "a join of somebody who was a member";
    case Kind::kLeftTwice:
      return "an end of somebody who was no member";
    case Kind::kNotInTheView:
      return "a message of somebody who is not in the view";
    case Kind::kWrongSender:
      return "a message under another's address";
    case Kind::kDamagedMessage:
      return "a damaged message";
    case Kind::kMessageRepeated:
      return "a message again, or before its time";
    case Kind::kMessageMissing:
      return "a gap in a sender's messages";
    case Kind::kSequenceFell:
      return "a sequence number that is not above the one before";
    case Kind::kNeverSent:
      return "a message that was never sent";
    case Kind::kAfterOwnLeave:
      return "an event after the own end";
    case Kind::kOwnLeaveMissing:
      return "the own leave is missing";
    case Kind::kOrderDiffers:
      return "another order than the others'";
    case Kind::kEventRepeated:
      return "an event again";
    case Kind::kEventMissing:
      return "a message left out that others have";
    case Kind::kViewMissing:
      return "a view left out that others have";
    case Kind::kEventUnknown:
      return "an event that others have not";
    case Kind::kSequenceDiffers:
      return "a message under another sequence number than others have";
    case Kind::kJoinUnseen:
      return "a join that is not where others must have it";
    case Kind::kUnknownJoin:
      return "a join that nobody asked for";
    case Kind::kSentButNotDelivered:
      return "sent with CS_OK, and not delivered";
    case Kind::kEndMissing:
      return "somebody who ended never left the view";
    case Kind::kNotDispatchable:
      return "published before, and not dispatchable";
    case Kind::kCannotJudge:
      return "this history cannot be judged";
  }
  return "?";
}

Verdict Verify(const History& history) {
  Verdict verdict;
  std::map<std::uint32_t, GroupOrder> orders;
  for (std::uint32_t i = 0; i < history.memberships.size(); ++i) {
    CheckLog(history, i, &verdict);
    const std::uint32_t group = history.memberships[i].group;
    if (!orders.contains(group)) {
      orders.emplace(group, PutInOrder(history, group, &verdict));
    }
  }
  for (const auto& [group, order] : orders) {
    CheckOrder(history, order, &verdict);
  }
  CheckSequences(history, &verdict);
  CheckAcrossGroups(history, orders, &verdict);
  return verdict;
}

}  // namespace zcb::order
