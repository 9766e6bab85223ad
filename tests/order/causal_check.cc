#include "tests/order/causal_check.h"

#include <optional>
#include <string>

namespace zcb::order {
namespace {

using Kind = Violation::Kind;

class CausalCheck {
 public:
  CausalCheck(const History& history,
              const std::map<std::uint32_t, GroupOrder>& orders,
              Verdict* verdict)
      : history_(history), orders_(orders), verdict_(verdict) {
    for (const auto& [group, order] : orders) {
      for (std::size_t piece = 0; piece < order.pieces.size(); ++piece) {
        const auto& places = order.pieces[piece].order;
        for (std::size_t at = 0; at < places.size(); ++at) {
          if (places[at].event->kind == Event::Kind::kMessage) {
            spots_.try_emplace(places[at].event->id,
                               GroupOrder::Spot{piece, at});
          }
        }
      }
    }
  }

  void Run(std::uint32_t self) {
    const std::vector<Event>& log = history_.memberships[self].log;
    // What was mentioned last, of each group, and not held against a note yet:
    // what is earlier in that group's order is then there as well.
    std::map<std::uint32_t, std::vector<MessageId>> mentioned;
    for (const Event& event : log) {
      if (event.kind == Event::Kind::kMessage && event.mention &&
          event.mention->membership < history_.memberships.size()) {
        mentioned[history_.memberships[event.mention->membership].group]
            .push_back(*event.mention);
      }
      if (event.kind != Event::Kind::kDrained ||
          event.other >= history_.memberships.size()) {
        continue;
      }
      const std::uint32_t group = history_.memberships[event.other].group;
      for (const MessageId& id : mentioned[group]) CheckOne(self, event, id);
      mentioned[group].clear();
    }
  }

 private:
  void CheckOne(std::uint32_t self, const Event& note, const MessageId& id) {
    const Membership& drained = history_.memberships[note.other];
    const GroupOrder& order = orders_.at(drained.group);
    const auto begin = order.begins.find(note.other);
    const auto spot = spots_.find(id);
    // In another piece of the order, or in none: nobody can tell whether it was
    // before the join.
    if (begin == order.begins.end() || spot == spots_.end() ||
        spot->second.piece != begin->second.piece ||
        spot->second.at < begin->second.at) {
      return;
    }
    ++verdict_->mentions;
    if (spot->second.at < begin->second.at + note.length) return;
    if (HadLeft(drained, note.length)) return;
    verdict_->violations.push_back(
        {Kind::kNotDispatchable, self,
         "message " + std::to_string(id.membership) + "." +
             std::to_string(id.lane) + "." + std::to_string(id.number) +
             " of group " + std::to_string(drained.group) +
             " was not there for membership " + std::to_string(note.other) +
             " after " + std::to_string(note.length) + " events"});
  }

  // The last of the first `length` events is the own end.
  static bool HadLeft(const Membership& member, std::uint32_t length) {
    std::uint32_t seen = 0;
    for (const Event& event : member.log) {
      if (event.kind == Event::Kind::kDrained) continue;
      if (++seen < length) continue;
      return event.kind == Event::Kind::kView && event.left.size() == 1 &&
             event.left[0].who == member.who;
    }
    return false;
  }

  const History& history_;
  const std::map<std::uint32_t, GroupOrder>& orders_;
  Verdict* const verdict_;
  std::map<MessageId, GroupOrder::Spot> spots_;
};

}  // namespace

void CheckAcrossGroups(const History& history,
                       const std::map<std::uint32_t, GroupOrder>& orders,
                       Verdict* verdict) {
  CausalCheck check(history, orders, verdict);
  for (std::uint32_t i = 0; i < history.memberships.size(); ++i) check.Run(i);
}

}  // namespace zcb::order
