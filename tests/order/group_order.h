// The one order of a group, put together from the logs of its members.
#ifndef ZCB_TESTS_ORDER_GROUP_ORDER_H_
#define ZCB_TESTS_ORDER_GROUP_ORDER_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "tests/order/history.h"
#include "tests/order/verifier.h"

namespace zcb::order {

// A piece of the order in which each event was seen by somebody. A group whose
// members all were killed, or all left, goes on in another piece, of which
// nobody knows what was between.
struct Piece {
  struct Place {
    const Event* event = nullptr;
    // A view: whose join or end it is; nothing if that could not be told.
    std::optional<std::uint32_t> subject;
  };
  std::uint32_t first_log = 0;  // whose log begins it
  std::vector<Place> order;
  // Members at its beginning, but for the one whose join begins it.
  std::map<Address, std::uint32_t> before;
};

struct GroupOrder {
  struct Spot {
    std::size_t piece = 0;
    std::size_t at = 0;
  };
  std::vector<Piece> pieces;
  // Where a membership's log begins. Not there: it has none, or fits nowhere.
  std::map<std::uint32_t, Spot> begins;
};

// Lays every log of `group` where its owner's join is in the order, and reports
// each that differs from the others there. The `n`th join of a process in the
// order is the `n`th of its memberships that was not refused; if the order is
// in several pieces, a process may have one membership only (kCannotJudge; if
// the group was cut short, only the first piece counts).
GroupOrder PutInOrder(const History& history, std::uint32_t group,
                      Verdict* verdict);

}  // namespace zcb::order

#endif  // ZCB_TESTS_ORDER_GROUP_ORDER_H_
