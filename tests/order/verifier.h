// Judges a history by what closed process groups promise. START READING HERE;
// then log_check.h (what one member's log shows by itself), group_order.h (the
// one order that all logs of a group must fit into), order_check.h (what that
// order must satisfy) and causal_check.h (across groups).
#ifndef ZCB_TESTS_ORDER_VERIFIER_H_
#define ZCB_TESTS_ORDER_VERIFIER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tests/order/history.h"

namespace zcb::order {

struct Violation {
  enum class Kind : std::uint8_t {
    // --- one log by itself
    kFirstEventIsNotOwnJoin,
    kNotOneChange,     // a view with more or less than one joined or left
    kWrongReason,      // not the reason that the subject's end has
    kListNotSorted,    // members, strictly by (node, pid)
    kListIsWrong,      // members are not the previous ones +- the subject
    kJoinedTwice,      // a subject that was a member already
    kLeftTwice,        // a subject that was no member (any more)
    kNotInTheView,     // a message of somebody who was no member there
    kWrongSender,      // the callback's address is not the sender's
    kDamagedMessage,   // its bytes are not those that were sent
    kMessageRepeated,  // within one sending thread: again, or backwards
    kMessageMissing,   // within one sending thread: a number left out
    kSequenceFell,     // a sequence number that is not above the one before
    kNeverSent,        // a number that its sender had not reached
    kAfterOwnLeave,    // an event behind the own leave
    kOwnLeaveMissing,  // read to the end, but the own leave is not there
    // --- a log against the others
    kOrderDiffers,     // two events the other way round
    kEventRepeated,    // an event again
    kEventMissing,     // a message that others have here is left out
    kViewMissing,      // a view that others have here is left out
    kEventUnknown,     // another event than others have here
    kSequenceDiffers,  // a message under another number than others have it
    kJoinUnseen,       // nobody who must have seen its join has it
    kUnknownJoin,      // a join that nobody asked for, or that was refused
    // --- the order against what senders know
    kSentButNotDelivered,  // a send that returned CS_OK is lost
    kEndMissing,           // ended, and never left the view
    // --- across groups
    kNotDispatchable,  // published before, and not there when it had to be
    // --- the history itself
    kCannotJudge,
  };
  Kind kind;
  std::uint32_t membership;  // whose log, or who it is about
  std::string text;          // where, and what was found
};

std::string_view NameOf(Violation::Kind kind);

struct Verdict {
  std::vector<Violation> violations;
  // How much there was to judge; a run that judged nothing proves nothing.
  std::size_t messages = 0;  // in the orders, each counted once
  std::size_t views = 0;
  std::size_t deliveries = 0;  // events in all logs
  std::size_t mentions = 0;    // rules across groups that were applied
};

Verdict Verify(const History& history);

}  // namespace zcb::order

#endif  // ZCB_TESTS_ORDER_VERIFIER_H_
