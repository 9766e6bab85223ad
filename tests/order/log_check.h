// What one member's log must satisfy, whatever the others saw.
#ifndef ZCB_TESTS_ORDER_LOG_CHECK_H_
#define ZCB_TESTS_ORDER_LOG_CHECK_H_

#include <cstdint>

#include "tests/order/history.h"
#include "tests/order/verifier.h"

namespace zcb::order {

// Joiner rule, leaver rule, arithmetic of views, FIFO per sending thread.
void CheckLog(const History& history, std::uint32_t membership,
              Verdict* verdict);

}  // namespace zcb::order

#endif  // ZCB_TESTS_ORDER_LOG_CHECK_H_
