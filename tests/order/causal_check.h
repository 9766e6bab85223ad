// The one rule across groups: if a message was published before its observer
// sent another one, whoever has the second finds the first dispatchable.
#ifndef ZCB_TESTS_ORDER_CAUSAL_CHECK_H_
#define ZCB_TESTS_ORDER_CAUSAL_CHECK_H_

#include <map>

#include "tests/order/group_order.h"
#include "tests/order/history.h"
#include "tests/order/verifier.h"

namespace zcb::order {

// `orders` by group. Each kDrained note is held against the messages of its log
// before it that mention one of the drained group: that one must be in the log
// of the drained membership by then, unless it was before its join.
void CheckAcrossGroups(const History& history,
                       const std::map<std::uint32_t, GroupOrder>& orders,
                       Verdict* verdict);

}  // namespace zcb::order

#endif  // ZCB_TESTS_ORDER_CAUSAL_CHECK_H_
