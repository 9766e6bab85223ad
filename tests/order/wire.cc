#include "tests/order/wire.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace zcb::order {
namespace {

struct Head {
  std::uint32_t magic;
  std::uint32_t length_bytes;
  MessageId id;
  std::uint32_t has_mention;
  MessageId mention;
};
static_assert(sizeof(Head) == 36);
constexpr std::uint32_t kMagic = 0x7a636f72;

// The filler, a word at a time.
class Filler {
 public:
  explicit Filler(const MessageId& id)
      : word_(id.membership * 0x9e3779b1U ^ id.lane * 0x85ebca6bU ^
              id.number * 0xc2b2ae35U) {}
  std::uint32_t Next() { return word_ = word_ * 1664525U + 1013904223U; }

 private:
  std::uint32_t word_;
};

}  // namespace

std::size_t WireBytes() { return sizeof(Head); }

void WriteWire(const Wire& wire, std::byte* to, std::size_t length_bytes) {
  const Head head{kMagic, static_cast<std::uint32_t>(length_bytes), wire.id,
                  wire.mention.has_value() ? 1U : 0U,
                  wire.mention.value_or(MessageId{})};
  std::memcpy(to, &head, sizeof(head));
  Filler filler(wire.id);
  for (std::size_t at = sizeof(head); at < length_bytes;) {
    const std::uint32_t word = filler.Next();
    const std::size_t part = std::min(sizeof(word), length_bytes - at);
    std::memcpy(to + at, &word, part);
    at += part;
  }
}

std::optional<Wire> ReadWire(const void* from, std::size_t length_bytes) {
  Head head;
  if (length_bytes < sizeof(head)) return std::nullopt;
  std::memcpy(&head, from, sizeof(head));
  if (head.magic != kMagic || head.length_bytes != length_bytes) {
    return std::nullopt;
  }
  const auto* bytes = static_cast<const std::byte*>(from);
  Filler filler(head.id);
  for (std::size_t at = sizeof(head); at < length_bytes;) {
    const std::uint32_t word = filler.Next();
    const std::size_t part = std::min(sizeof(word), length_bytes - at);
    if (std::memcmp(bytes + at, &word, part) != 0) return std::nullopt;
    at += part;
  }
  Wire wire{head.id, std::nullopt};
  if (head.has_mention != 0) wire.mention = head.mention;
  return wire;
}

}  // namespace zcb::order
