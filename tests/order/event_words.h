// Events as words of memory, and back.
#ifndef ZCB_TESTS_ORDER_EVENT_WORDS_H_
#define ZCB_TESTS_ORDER_EVENT_WORDS_H_

#include <cstdint>
#include <span>
#include <vector>

#include "tests/order/history.h"

namespace zcb::order {

// Appends `event` to `words`.
void PutEvent(const Event& event, std::vector<std::uint32_t>* words);

// Takes one event from the front of `words`, which PutEvent() wrote.
Event TakeEvent(std::span<const std::uint32_t>* words);

}  // namespace zcb::order

#endif  // ZCB_TESTS_ORDER_EVENT_WORDS_H_
