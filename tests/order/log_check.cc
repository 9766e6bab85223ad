#include "tests/order/log_check.h"

#include <corosync/cpg.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace zcb::order {
namespace {

using Kind = Violation::Kind;

class LogCheck {
 public:
  LogCheck(const History& history, std::uint32_t self, Verdict* verdict)
      : history_(history),
        self_(self),
        membership_(history.memberships[self]),
        verdict_(verdict) {}

  void Run() {
    for (at_ = 0; at_ < membership_.log.size(); ++at_) {
      event_ = &membership_.log[at_];
      if (event_->kind == Event::Kind::kDrained) continue;
      ++verdict_->deliveries;
      if (left_) Report(Kind::kAfterOwnLeave);
      if (first_) CheckFirst();
      if (event_->kind == Event::Kind::kView) {
        CheckView();
      } else {
        CheckMessage();
      }
      first_ = false;
    }
    if (membership_.read_to_its_leave && !left_) {
      verdict_->violations.push_back(
          {Kind::kOwnLeaveMissing, self_, "at the end of its log"});
    }
  }

 private:
  void Report(Kind kind, const std::string& why = "") {
    verdict_->violations.push_back({kind, self_,
                                    "at " + std::to_string(at_) + ": " +
                                        ToText(*event_) +
                                        (why.empty() ? "" : " (" + why + ")")});
  }

  void CheckFirst() {
    if (event_->kind != Event::Kind::kView || event_->joined.size() != 1 ||
        event_->joined[0].who != membership_.who) {
      Report(Kind::kFirstEventIsNotOwnJoin);
    }
  }

  // The members before this view, if they are known.
  std::optional<std::vector<Address>> Before() const {
    if (!first_) return members_;
    // All but the joiner itself.
    std::vector<Address> others = event_->members;
    std::erase(others, membership_.who);
    return others.size() == event_->members.size() ? std::nullopt
                                                   : std::optional(others);
  }

  void CheckView() {
    const std::vector<Address>& members = event_->members;
    if (std::adjacent_find(members.begin(), members.end(),
                           std::greater_equal<>()) != members.end()) {
      Report(Kind::kListNotSorted);
    }
    if (event_->joined.size() + event_->left.size() != 1) {
      Report(Kind::kNotOneChange);
      members_ = members;
      return;
    }
    const bool joins = !event_->joined.empty();
    const Change& change = joins ? event_->joined[0] : event_->left[0];
    if (joins ? change.reason != CPG_REASON_JOIN
              : change.reason != CPG_REASON_LEAVE &&
                    change.reason != CPG_REASON_PROCDOWN) {
      Report(Kind::kWrongReason);
    }
    CheckList(joins, change.who);
    members_ = members;
    if (joins) {
      // Its messages begin anew, and are of a later membership.
      joined_here_.insert(change.who);
      if (current_.contains(change.who)) {
        finished_[change.who] = current_[change.who];
      }
      current_.erase(change.who);
    }
    left_ = left_ || (!joins && change.who == membership_.who);
  }

  void CheckList(bool joins, Address who) {
    auto expected = Before();
    if (!expected) {
      Report(Kind::kListIsWrong, "the joiner is not in it");
      return;
    }
    const auto found = std::ranges::find(*expected, who);
    if (joins) {
      if (found != expected->end()) {
        Report(Kind::kJoinedTwice);
        return;
      }
      expected->push_back(who);
    } else {
      if (found == expected->end()) {
        Report(Kind::kLeftTwice);
        return;
      }
      expected->erase(found);
    }
    std::vector<Address> members = event_->members;
    std::ranges::sort(members);
    std::ranges::sort(*expected);
    if (members != *expected) Report(Kind::kListIsWrong);
  }

  void CheckMessage() {
    if (!event_->intact) {
      Report(Kind::kDamagedMessage);
      return;
    }
    const MessageId& id = event_->id;
    if (id.membership >= history_.memberships.size() || id.lane >= kLanes) {
      Report(Kind::kNeverSent, "no such sender");
      return;
    }
    const Membership& sender = history_.memberships[id.membership];
    if (event_->sender != sender.who || sender.group != membership_.group) {
      Report(Kind::kWrongSender);
      return;
    }
    if (id.number >= sender.lanes[id.lane].begun) Report(Kind::kNeverSent);
    CheckPresence(id.membership, sender.who);
    CheckFifo(id, sender.who);
  }

  void CheckPresence(std::uint32_t sender, Address who) {
    if (!std::ranges::binary_search(members_, who)) {
      Report(Kind::kNotInTheView);
      return;
    }
    // A process that came back speaks for its new membership only.
    const auto [current, is_new] = current_.try_emplace(who, sender);
    const auto finished = finished_.find(who);
    if (current->second != sender ||
        (finished != finished_.end() && sender <= finished->second)) {
      Report(Kind::kNotInTheView, "its membership had ended");
    }
  }

  void CheckFifo(const MessageId& id, Address who) {
    const auto lane = std::pair(id.membership, id.lane);
    const auto next = next_.find(lane);
    if (next != next_.end()) {
      if (id.number < next->second) Report(Kind::kMessageRepeated);
      if (id.number > next->second) Report(Kind::kMessageMissing);
    } else if (joined_here_.contains(who) && id.number != 0) {
      // We saw it join, so we see all of it.
      Report(Kind::kMessageMissing);
    }
    next_[lane] = id.number + 1;
  }

  const History& history_;
  const std::uint32_t self_;
  const Membership& membership_;
  Verdict* const verdict_;

  std::size_t at_ = 0;
  const Event* event_ = nullptr;
  bool first_ = true;
  bool left_ = false;
  std::vector<Address> members_;
  std::set<Address> joined_here_;
  std::map<Address, std::uint32_t> current_;   // whose messages we saw last
  std::map<Address, std::uint32_t> finished_;  // and before its last join
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint32_t> next_;
};

}  // namespace

void CheckLog(const History& history, std::uint32_t membership,
              Verdict* verdict) {
  LogCheck(history, membership, verdict).Run();
}

}  // namespace zcb::order
