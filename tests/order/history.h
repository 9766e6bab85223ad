// What a run of many members leaves behind: who was a member of which group
// from when to when, what it sent, and what it was told, in order.
//
// Plain values, made by journal.h from a real run or by hand in tests. The
// verifier (verifier.h) sees nothing else.
#ifndef ZCB_TESTS_ORDER_HISTORY_H_
#define ZCB_TESTS_ORDER_HISTORY_H_

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

namespace zcb::order {

struct Address {
  std::uint32_t node = 0;
  std::uint32_t pid = 0;
  friend auto operator<=>(const Address&, const Address&) = default;
};

// Which message: the `number`th of one sending thread (a lane) of one
// membership. Numbers count from 0, without gaps, and each is sent once.
struct MessageId {
  std::uint32_t membership = 0;
  std::uint32_t lane = 0;
  std::uint32_t number = 0;
  friend auto operator<=>(const MessageId&, const MessageId&) = default;
};

// One address of a left or joined list.
struct Change {
  Address who;
  std::uint32_t reason = 0;  // a cpg_reason_t
  friend bool operator==(const Change&, const Change&) = default;
};

struct Event {
  enum class Kind : std::uint8_t {
    kMessage,
    kView,
    kDrained,  // the observer's own note, no part of the order
  };
  Kind kind = Kind::kMessage;

  // kMessage: as the sender wrote it; `intact` if its bytes were whole.
  MessageId id;
  Address sender;  // as the callback said
  bool intact = true;
  // As CPG_MODEL_ZCB says it; 0: CPG_MODEL_V1, which does not.
  std::uint64_t sequence = 0;
  // A message of another group that was in the order there before this one was
  // sent: seen by the sender, or sent by it.
  std::optional<MessageId> mention;

  // kView
  std::vector<Address> members;
  std::vector<Change> joined;
  std::vector<Change> left;

  // kDrained: at this place the observer dispatched all that it could, without
  // waiting, on its membership `other`; the log of that was `length` long then.
  std::uint32_t other = 0;
  std::uint32_t length = 0;

  // The same event, whoever was told of it: without the sequence, which not
  // everybody is told.
  friend bool operator==(const Event& a, const Event& b) {
    const auto parts = [](const Event& e) {
      return std::tie(e.kind, e.id, e.sender, e.intact, e.mention, e.members,
                      e.joined, e.left, e.other, e.length);
    };
    return parts(a) == parts(b);
  }
};

// What one thread sent through one membership.
struct Lane {
  std::uint32_t begun = 0;  // sends that were begun, the refused not counted
  std::uint32_t sent = 0;   // sends that returned CS_OK
  // Of these, the ones that returned before the leave was called.
  std::uint32_t before_leave = 0;
  friend bool operator==(const Lane&, const Lane&) = default;
};
inline constexpr std::size_t kLanes = 2;

// One join of one handle, and all that followed from it. Its number is its
// index in History::memberships. Memberships of one process in one group come
// one after the other, in the order of their numbers.
struct Membership {
  enum class Join : std::uint8_t {
    kRefused,  // cpg_join returned an error: it must never appear
    kUnknown,  // killed before cpg_join returned
    kJoined,
  };
  enum class End : std::uint8_t {
    kNone,          // it was a member until the end of the run
    kGone,          // finalized, ended or killed, and never called cpg_leave
    kLeft,          // cpg_leave returned CS_OK
    kLeaveUnknown,  // killed or finalized before cpg_leave returned
  };
  std::uint32_t group = 0;
  Address who;
  Join join = Join::kJoined;
  End end = End::kNone;
  // It read on, after its leave, until the handle said that it was over.
  bool read_to_its_leave = false;
  // It read on until all other processes had ended, and everybody who noticed
  // a death had said so.
  bool read_until_alone = false;
  // Others may have put it out, at any time, without its knowing: its end is
  // then a process down, whatever it did. What it sent with CS_OK came before.
  bool may_be_evicted = false;
  std::array<Lane, kLanes> lanes;
  std::vector<Event> log;
};

struct History {
  std::vector<Membership> memberships;
  // Groups whose members all were killed within a moment: the last of them may
  // have seen an order that nobody else lived to see the beginning of.
  std::set<std::uint32_t> cut_short;
};

// For people.
std::string ToText(const Event& event);

}  // namespace zcb::order

#endif  // ZCB_TESTS_ORDER_HISTORY_H_
