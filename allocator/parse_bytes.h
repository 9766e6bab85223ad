// Sizes as people write them in environment variables.
#ifndef ZCB_ALLOCATOR_PARSE_BYTES_H_
#define ZCB_ALLOCATOR_PARSE_BYTES_H_

#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

namespace zcb::alloc {

// Digits with an optional k, m or g (powers of 1024), and nothing else.
inline std::optional<std::uint64_t> ParseBytes(std::string_view text) {
  unsigned shift = 0;
  if (!text.empty()) {
    switch (text.back()) {
      case 'k':
        shift = 10;
        break;
      case 'm':
        shift = 20;
        break;
      case 'g':
        shift = 30;
        break;
      default:
        break;
    }
  }
  if (shift != 0) text.remove_suffix(1);
  if (text.empty()) return std::nullopt;
  constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t value = 0;
  for (char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    const auto digit = static_cast<std::uint64_t>(c - '0');
    if (value > (kMax - digit) / 10) return std::nullopt;
    value = value * 10 + digit;
  }
  if (value > (kMax >> shift)) return std::nullopt;
  return value << shift;
}

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_PARSE_BYTES_H_
