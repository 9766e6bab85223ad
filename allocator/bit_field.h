// Named bits of a 64-bit word.
#ifndef ZCB_ALLOCATOR_BIT_FIELD_H_
#define ZCB_ALLOCATOR_BIT_FIELD_H_

#include <cstdint>

namespace zcb::alloc {

// kWidth bits of a word, beginning at bit kShift. C bit-fields are not used:
// their order in memory is the compiler's choice.
template <unsigned kShift, unsigned kWidth>
struct BitField {
  static_assert(kWidth > 0 && kShift + kWidth <= 64);
  static constexpr std::uint64_t kMax =
      kWidth == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << kWidth) - 1;
  static constexpr std::uint64_t kMask = kMax << kShift;
  static constexpr unsigned kEnd = kShift + kWidth;  // first bit after it

  static constexpr std::uint64_t Get(std::uint64_t word) {
    return (word >> kShift) & kMax;
  }
  // `value` is cut to the field's width: counters wrap, everything else is
  // range-checked by whoever builds the word.
  static constexpr std::uint64_t Set(std::uint64_t word, std::uint64_t value) {
    return (word & ~kMask) | ((value & kMax) << kShift);
  }
  static constexpr std::uint64_t Of(std::uint64_t value) {
    return (value & kMax) << kShift;
  }
};

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_BIT_FIELD_H_
