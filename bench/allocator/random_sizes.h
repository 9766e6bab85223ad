// Random numbers and sizes, the same sequence for every allocator.
#ifndef ZCB_BENCH_ALLOCATOR_RANDOM_SIZES_H_
#define ZCB_BENCH_ALLOCATOR_RANDOM_SIZES_H_

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace zcb::bench {

// xorshift64*: a nanosecond, so that it is no part of what is compared.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed * 2 + 1) {}
  // 0 .. end - 1; `end` below 2^32.
  std::uint32_t Below(std::uint32_t end) {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    const std::uint64_t bits = (state_ * 0x2545'f491'4f6c'dd1dU) >> 32;
    return static_cast<std::uint32_t>((bits * end) >> 32);
  }
  double Share() {  // 0 <= it < 1
    return static_cast<double>(Below(1U << 31)) / static_cast<double>(1U << 31);
  }

 private:
  std::uint64_t state_;
};

// Sizes drawn in advance; small enough to stay in the first-level cache.
class SizeTable {
 public:
  // As many between 64 and 128 as between 512 and 1024.
  static SizeTable LogUniform(std::size_t least, std::size_t most) {
    const double low = std::log(static_cast<double>(least));
    const double high = std::log(static_cast<double>(most) + 1);
    return SizeTable([=](double share) {
      return static_cast<std::size_t>(std::exp(low + share * (high - low)));
    });
  }
  static SizeTable Uniform(std::size_t least, std::size_t most) {
    return SizeTable([=](double share) {
      return least + static_cast<std::size_t>(
                         share * static_cast<double>(most - least + 1));
    });
  }
  std::size_t Draw(Random& random) const {
    return sizes_[random.Below(kCount)];
  }

 private:
  static constexpr std::uint32_t kCount = 4096;
  template <typename OfShare>
  explicit SizeTable(const OfShare& of_share) {
    // Evenly spread and not drawn, so that no table leans to one side.
    for (std::uint32_t i = 0; i < kCount; ++i) {
      sizes_[i] = static_cast<std::uint32_t>(of_share((i + 0.5) / kCount));
    }
  }
  std::array<std::uint32_t, kCount> sizes_;
};

}  // namespace zcb::bench

#endif  // ZCB_BENCH_ALLOCATOR_RANDOM_SIZES_H_
