// An honest history, for tests to forge.
#ifndef ZCB_TESTS_ORDER_FORGED_HISTORY_H_
#define ZCB_TESTS_ORDER_FORGED_HISTORY_H_

#include <corosync/cpg.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <ostream>
#include <vector>

#include "tests/order/history.h"
#include "tests/order/verifier.h"

namespace zcb::order {

// For GoogleTest's messages.
inline void PrintTo(Violation::Kind kind, std::ostream* out) {
  *out << NameOf(kind);
}

namespace testing {

using Kind = Violation::Kind;
using End = Membership::End;

inline Address Process(std::uint32_t pid) { return {1, pid}; }

inline Event Message(std::uint32_t membership, std::uint32_t pid,
                     std::uint32_t number, std::uint32_t lane = 0) {
  Event event;
  event.id = {membership, lane, number};
  event.sender = Process(pid);
  return event;
}

inline Event Joined(std::uint32_t pid,
                    std::initializer_list<std::uint32_t> members) {
  Event event;
  event.kind = Event::Kind::kView;
  for (const std::uint32_t member : members) {
    event.members.push_back(Process(member));
  }
  event.joined = {{Process(pid), CPG_REASON_JOIN}};
  return event;
}

inline Event Left(std::uint32_t pid, std::uint32_t reason,
                  std::initializer_list<std::uint32_t> members) {
  Event event = Joined(pid, members);
  event.joined.clear();
  event.left = {{Process(pid), reason}};
  return event;
}

inline Event Drained(std::uint32_t other, std::uint32_t length) {
  Event event;
  event.kind = Event::Kind::kDrained;
  event.other = other;
  event.length = length;
  return event;
}

// Membership numbers, and the process of each is ten times (number + 1).
inline constexpr std::uint32_t kWitness = 0;
inline constexpr std::uint32_t kLeaver = 1;
inline constexpr std::uint32_t kKilled = 2;

// One group. The witness (10) is there from first to last, 20 joins and leaves,
// 30 joins and is killed after it read eight events.
class ForgedHistory : public ::testing::Test {
 protected:
  ForgedHistory() {
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

}  // namespace testing
}  // namespace zcb::order

#endif  // ZCB_TESTS_ORDER_FORGED_HISTORY_H_
