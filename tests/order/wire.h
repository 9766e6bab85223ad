// What a message of a run says: which one it is, and what its sender had seen;
// then filler that the same id gives again, so that a receiver can tell whether
// all its bytes are those that were sent.
#ifndef ZCB_TESTS_ORDER_WIRE_H_
#define ZCB_TESTS_ORDER_WIRE_H_

#include <cstddef>
#include <optional>

#include "tests/order/history.h"

namespace zcb::order {

struct Wire {
  MessageId id;
  std::optional<MessageId> mention;
};

// Bytes of the shortest message.
std::size_t WireBytes();

// Writes a message of `length_bytes` >= WireBytes() to `to`.
void WriteWire(const Wire& wire, std::byte* to, std::size_t length_bytes);

// Nothing if a single byte is not as it was written.
std::optional<Wire> ReadWire(const void* from, std::size_t length_bytes);

}  // namespace zcb::order

#endif  // ZCB_TESTS_ORDER_WIRE_H_
