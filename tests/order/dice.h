// Choices that a seed repeats.
#ifndef ZCB_TESTS_ORDER_DICE_H_
#define ZCB_TESTS_ORDER_DICE_H_

#include <cstdint>

namespace zcb::order {

// SplitMix64. One thread.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : state_(seed) {}
  // Independent of the others that were made from `seed`.
  Dice(std::uint64_t seed, std::uint64_t stream)
      : state_(Mix(seed) ^ Mix(~stream)) {}

  std::uint64_t Next() {
    state_ += 0x9e3779b97f4a7c15;
    return Mix(state_);
  }
  // 0 .. bound - 1; `bound` is not 0.
  std::uint32_t Below(std::uint32_t bound) {
    return static_cast<std::uint32_t>(Next() % bound);
  }
  // Once in `times`, on average.
  bool OneIn(std::uint32_t times) { return Below(times) == 0; }

 private:
  static std::uint64_t Mix(std::uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  std::uint64_t state_;
};

}  // namespace zcb::order

#endif  // ZCB_TESTS_ORDER_DICE_H_
