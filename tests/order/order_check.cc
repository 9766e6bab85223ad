#include "tests/order/order_check.h"

#include <corosync/cpg.h>

#include <array>
#include <map>
#include <optional>
#include <string>

namespace zcb::order {
namespace {

using Kind = Violation::Kind;
using End = Membership::End;

class PieceCheck {
 public:
  PieceCheck(const History& history, const Piece& piece, Verdict* verdict)
      : history_(history), piece_(piece), verdict_(verdict) {}

  void Run() {
    for (const auto& [who, membership] : piece_.before) {
      present_[who].membership = membership;
    }
    for (at_ = 0; at_ < piece_.order.size(); ++at_) {
      const Event& event = *piece_.order[at_].event;
      if (event.kind == Event::Kind::kMessage) {
        ++verdict_->messages;
        CheckMessage(event);
      } else {
        ++verdict_->views;
        CheckView(event);
      }
    }
  }

  // Whoever had gone must be seen to go by those who stayed to the end.
  void CheckAllEnded(std::uint32_t witness) const {
    for (const auto& [who, sender] : present_) {
      if (sender.membership == witness) continue;
      verdict_->violations.push_back({Kind::kEndMissing, sender.membership,
                                      "membership " + std::to_string(witness) +
                                          " read to the end and has it still"});
    }
  }

 private:
  struct Sender {
    std::uint32_t membership = 0;
    bool seen_joining = false;
    // Number of the next message; unknown if it began before this piece.
    std::array<std::optional<std::uint32_t>, kLanes> next;
  };

  void Report(Kind kind, std::uint32_t membership,
              const std::string& what) const {
    verdict_->violations.push_back(
        {kind, membership,
         "at " + std::to_string(at_) + " of the order that begins with log " +
             std::to_string(piece_.first_log) + ": " + what});
  }

  void CheckView(const Event& event) {
    const std::optional<std::uint32_t> subject = piece_.order[at_].subject;
    if (!subject) return;  // reported where it could not be told
    const Membership& member = history_.memberships[*subject];
    if (event.joined.size() == 1) {
      Sender sender{*subject, true, {}};
      sender.next.fill(0U);
      present_[member.who] = sender;
      return;
    }
    CheckReason(*subject, member, event);
    const auto found = present_.find(member.who);
    if (found == present_.end()) return;
    CheckDelivered(member, found->second);
    present_.erase(found);
  }

  void CheckReason(std::uint32_t subject, const Membership& member,
                   const Event& event) {
    const std::uint32_t reason = event.left[0].reason;
    const bool fits = member.end == End::kLeft   ? reason == CPG_REASON_LEAVE
                      : member.end == End::kGone ? reason == CPG_REASON_PROCDOWN
                      : member.end == End::kNone ? false
                                                 : true;
    if (!fits && member.may_be_evicted && reason == CPG_REASON_PROCDOWN) return;
    if (!fits) Report(Kind::kWrongReason, subject, ToText(event));
  }

  void CheckDelivered(const Membership& member, const Sender& sender) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const Lane& sent = member.lanes[lane];
      const std::uint32_t promised =
          member.end == End::kGone ? sent.sent : sent.before_leave;
      const std::optional<std::uint32_t> next = sender.next[lane];
      // Not one of its messages in this piece: they may be before it.
      if (!next || *next >= promised) continue;
      Report(Kind::kSentButNotDelivered, sender.membership,
             "lane " + std::to_string(lane) + ": " + std::to_string(promised) +
                 " sent, " + std::to_string(*next) + " delivered");
    }
  }

  void CheckMessage(const Event& event) {
    const auto found = present_.find(event.sender);
    if (found == present_.end() ||
        found->second.membership != event.id.membership) {
      Report(Kind::kNotInTheView, event.id.membership, ToText(event));
      return;
    }
    if (event.id.lane >= kLanes) return;  // reported by the log's own check
    std::optional<std::uint32_t>& next = found->second.next[event.id.lane];
    if (next && event.id.number != *next) {
      Report(event.id.number < *next ? Kind::kMessageRepeated
                                     : Kind::kMessageMissing,
             event.id.membership, ToText(event));
    }
    next = event.id.number + 1;
  }

  const History& history_;
  const Piece& piece_;
  Verdict* const verdict_;
  std::size_t at_ = 0;
  std::map<Address, Sender> present_;
};

}  // namespace

void CheckOrder(const History& history, const GroupOrder& order,
                Verdict* verdict) {
  for (std::size_t i = 0; i < order.pieces.size(); ++i) {
    PieceCheck check(history, order.pieces[i], verdict);
    check.Run();
    for (const auto& [membership, spot] : order.begins) {
      if (spot.piece == i && history.memberships[membership].read_until_alone) {
        check.CheckAllEnded(membership);
      }
    }
  }
}

}  // namespace zcb::order
