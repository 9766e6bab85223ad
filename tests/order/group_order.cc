#include "tests/order/group_order.h"

#include <algorithm>
#include <set>
#include <string>

namespace zcb::order {
namespace {

using Kind = Violation::Kind;
using Events = std::vector<const Event*>;

// Without the observer's own notes.
Events Ordered(const std::vector<Event>& log) {
  Events events;
  for (const Event& event : log) {
    if (event.kind != Event::Kind::kDrained) events.push_back(&event);
  }
  return events;
}

const Address* WhoJoins(const Event& event) {
  return event.kind == Event::Kind::kView && event.joined.size() == 1
             ? &event.joined[0].who
             : nullptr;
}

const Address* WhoLeaves(const Event& event) {
  return event.kind == Event::Kind::kView && event.left.size() == 1
             ? &event.left[0].who
             : nullptr;
}

// Why `log` goes on at `at` with another event than `expected`.
Kind NameDifference(const Events& log, std::size_t at,
                    const std::vector<Piece::Place>& order,
                    std::size_t expected) {
  const auto same_as = [](const Event& wanted) {
    return [&wanted](const Event* event) { return *event == wanted; };
  };
  const auto here = log.begin() + static_cast<std::ptrdiff_t>(at);
  if (std::any_of(log.begin(), here, same_as(*log[at]))) {
    return Kind::kEventRepeated;
  }
  const Event& missing = *order[expected].event;
  if (std::any_of(here, log.end(), same_as(missing))) {
    return Kind::kOrderDiffers;
  }
  if (missing.kind == Event::Kind::kView) {
    // A view of the same change is there, but says something else.
    return log[at]->kind == Event::Kind::kView &&
                   log[at]->joined == missing.joined &&
                   log[at]->left == missing.left
               ? Kind::kEventUnknown
               : Kind::kViewMissing;
  }
  const bool comes_later = std::any_of(
      order.begin() + static_cast<std::ptrdiff_t>(expected), order.end(),
      [&](const Piece::Place& place) { return *place.event == *log[at]; });
  return comes_later ? Kind::kEventMissing : Kind::kEventUnknown;
}

class Weaver {
 public:
  Weaver(const History& history, std::uint32_t group, Verdict* verdict)
      : history_(history), group_(group), verdict_(verdict) {
    for (std::uint32_t i = 0; i < history.memberships.size(); ++i) {
      const Membership& membership = history.memberships[i];
      if (membership.group != group) continue;
      if (membership.join != Membership::Join::kRefused) {
        of_process_[membership.who].push_back(i);
      }
      Events events = Ordered(membership.log);
      if (events.empty()) continue;
      for (const Event* event : events) {
        const Address* who = WhoJoins(*event);
        if (who != nullptr && *who != membership.who) seen_.insert(*who);
      }
      logs_.emplace(i, std::move(events));
    }
  }

  GroupOrder Weave() {
    std::vector<std::uint32_t> roots;
    for (const auto& [membership, events] : logs_) {
      if (!seen_.contains(Who(membership))) roots.push_back(membership);
    }
    if (roots.size() > 1 && !EveryProcessJoinsOnce()) {
      if (IsCutShort()) {
        Grow(roots[0]);  // whoever was there first; the rest nobody can judge
        return std::move(result_);
      }
      verdict_->violations.push_back(
          {Kind::kCannotJudge, roots[1],
           "pieces of an order, and a process that joined twice"});
      return std::move(result_);
    }
    for (const std::uint32_t root : roots) Grow(root);
    for (const auto& [membership, events] : logs_) {
      if (!result_.begins.contains(membership) && !IsCutShort()) {
        verdict_->violations.push_back(
            {Kind::kJoinUnseen, membership,
             "its join is not where those who saw it have it"});
      }
    }
    return std::move(result_);
  }

 private:
  Address Who(std::uint32_t membership) const {
    return history_.memberships[membership].who;
  }

  // Whoever might have seen a join at its end was killed.
  bool IsCutShort() const { return history_.cut_short.contains(group_); }

  bool EveryProcessJoinsOnce() const {
    return std::ranges::all_of(
        of_process_, [](const auto& item) { return item.second.size() == 1; });
  }

  // The piece that begins with `root`'s log.
  void Grow(std::uint32_t root) {
    result_.pieces.push_back({});
    Piece& piece = result_.pieces.back();
    piece.first_log = root;
    joins_.clear();
    current_.clear();
    const Events& first = logs_.at(root);
    if (first[0]->kind == Event::Kind::kView) {
      for (const Address& who : first[0]->members) {
        if (who != Who(root)) TakeOver(root, who, &piece);
      }
    }
    for (const Event* event : first) piece.order.push_back({event, {}});
    result_.begins[root] = {result_.pieces.size() - 1, 0};
    // Logs that are laid on it make it longer as we go.
    for (std::size_t at = 0; at < piece.order.size(); ++at) {
      Resolve(at, &piece);
    }
  }

  // Somebody was a member before the piece begins.
  void TakeOver(std::uint32_t root, Address who, Piece* piece) {
    const auto found = of_process_.find(who);
    if (found == of_process_.end()) {
      verdict_->violations.push_back(
          {Kind::kUnknownJoin, root, "a stranger in its first view"});
      return;
    }
    const std::uint32_t membership = found->second[0];
    joins_[who] = 1;
    current_[who] = membership;
    piece->before[who] = membership;
    const Membership& member = history_.memberships[membership];
    if (member.read_to_its_leave || member.read_until_alone) {
      verdict_->violations.push_back(
          {Kind::kJoinUnseen, root,
           "membership " + std::to_string(membership) +
               " was there, read to its end, and has it not"});
    }
  }

  void Resolve(std::size_t at, Piece* piece) {
    const Event& event = *piece->order[at].event;
    if (const Address* who = WhoJoins(event)) {
      const auto found = of_process_.find(*who);
      const std::size_t turn = joins_[*who]++;
      if (found == of_process_.end() || turn >= found->second.size()) {
        verdict_->violations.push_back(
            {Kind::kUnknownJoin, piece->first_log,
             "at " + std::to_string(at) + ": " + ToText(event)});
        return;
      }
      const std::uint32_t membership = found->second[turn];
      piece->order[at].subject = membership;
      current_[*who] = membership;
      if (logs_.contains(membership) && !result_.begins.contains(membership)) {
        LayOn(membership, at, piece);
      }
    } else if (const Address* gone = WhoLeaves(event)) {
      const auto found = current_.find(*gone);
      if (found == current_.end()) return;  // reported by the log's own check
      piece->order[at].subject = found->second;
      current_.erase(found);
    }
  }

  void LayOn(std::uint32_t membership, std::size_t begin, Piece* piece) {
    const Events& log = logs_.at(membership);
    result_.begins[membership] = {result_.pieces.size() - 1, begin};
    for (std::size_t i = 0; i < log.size(); ++i) {
      if (begin + i == piece->order.size()) {
        piece->order.push_back({log[i], {}});
      } else if (!(*piece->order[begin + i].event == *log[i])) {
        verdict_->violations.push_back(
            {NameDifference(log, i, piece->order, begin + i), membership,
             "at " + std::to_string(i) + ": " + ToText(*log[i]) +
                 "; others have " + ToText(*piece->order[begin + i].event)});
        return;
      }
    }
  }

  const History& history_;
  const std::uint32_t group_;
  Verdict* const verdict_;
  std::map<Address, std::vector<std::uint32_t>> of_process_;
  std::map<std::uint32_t, Events> logs_;  // those with anything in them
  std::set<Address> seen_;                // whose joins others have
  GroupOrder result_;
  // of the piece that grows
  std::map<Address, std::size_t> joins_;
  std::map<Address, std::uint32_t> current_;
};

}  // namespace

GroupOrder PutInOrder(const History& history, std::uint32_t group,
                      Verdict* verdict) {
  return Weaver(history, group, verdict).Weave();
}

}  // namespace zcb::order
