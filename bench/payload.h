// What the sender writes into a message and the receiver reads out of it.
#ifndef ZCB_BENCH_PAYLOAD_H_
#define ZCB_BENCH_PAYLOAD_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace zcb::bench {

// Touched: every byte is written and every byte is read and checked. Untouched:
// the first eight bytes only, which shows what the transport itself costs.
enum class Touch : bool { kFirstWord, kEveryByte };

inline constexpr std::size_t kLeastPayloadBytes = 64;  // and a multiple of it

inline void WritePayload(Touch touch, std::uint64_t number, std::byte* data,
                         std::size_t length_bytes) {
  if (touch == Touch::kEveryByte) {
    std::memset(data, static_cast<int>(number & 0xff), length_bytes);
  } else {
    std::memcpy(data, &number, sizeof(number));
  }
}

// False: these are not the bytes that WritePayload() wrote.
inline bool ReadPayload(Touch touch, std::uint64_t number,
                        const std::byte* data, std::size_t length_bytes) {
  constexpr std::size_t kWordBytes = sizeof(std::uint64_t);
  constexpr std::size_t kLanes = 8;
  if (touch == Touch::kFirstWord) {
    std::uint64_t word = 0;
    std::memcpy(&word, data, kWordBytes);
    return word == number;
  }
  // Differences are or-ed, not summed: one wrong bit anywhere shows.
  const std::uint64_t want = (number & 0xff) * 0x0101'0101'0101'0101U;
  std::array<std::uint64_t, kLanes> difference{};
  for (std::size_t at = 0; at + kLanes * kWordBytes <= length_bytes;
       at += kLanes * kWordBytes) {
    std::array<std::uint64_t, kLanes> words;
    std::memcpy(words.data(), data + at, sizeof(words));
    for (std::size_t i = 0; i < kLanes; ++i) difference[i] |= words[i] ^ want;
  }
  std::uint64_t any = 0;
  for (const std::uint64_t lane : difference) any |= lane;
  return any == 0;
}

}  // namespace zcb::bench

#endif  // ZCB_BENCH_PAYLOAD_H_
