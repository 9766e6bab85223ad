// What the order of a group must satisfy, by what its senders and leavers know.
#ifndef ZCB_TESTS_ORDER_ORDER_CHECK_H_
#define ZCB_TESTS_ORDER_ORDER_CHECK_H_

#include "tests/order/group_order.h"
#include "tests/order/history.h"
#include "tests/order/verifier.h"

namespace zcb::order {

// What was sent with CS_OK is there; each end has its reason, and is there if
// somebody must have seen it; nobody speaks before its join or after its end.
void CheckOrder(const History& history, const GroupOrder& order,
                Verdict* verdict);

}  // namespace zcb::order

#endif  // ZCB_TESTS_ORDER_ORDER_CHECK_H_
