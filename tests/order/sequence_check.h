// The numbers of messages within their group: they grow, and are the same for
// everybody who is told them.
#ifndef ZCB_TESTS_ORDER_SEQUENCE_CHECK_H_
#define ZCB_TESTS_ORDER_SEQUENCE_CHECK_H_

#include "tests/order/history.h"
#include "tests/order/verifier.h"

namespace zcb::order {

void CheckSequences(const History& history, Verdict* verdict);

}  // namespace zcb::order

#endif  // ZCB_TESTS_ORDER_SEQUENCE_CHECK_H_
