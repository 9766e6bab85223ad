// What a granule is cut into: one word per 64 KiB.
#ifndef ZCB_ALLOCATOR_GRANULE_WORD_H_
#define ZCB_ALLOCATOR_GRANULE_WORD_H_

#include <cstdint>

#include "allocator/bit_field.h"

namespace zcb::alloc {

//   63      31 30      14 13     9 8      1   0
//   | unused  | span:17  | back:5 | class:8 | valid |
//
// Written by the unit's owner before the first buffer of the granule leaves
// the process, and changed only while every buffer word in the slab is Free
// and the owner has every buffer. Everybody else reads it only to check a
// reference; a forged value makes a later compare-and-swap fail, no more.
//
// span counts granules. All-zero is "no slab here". Extents use the fields in
// their own way:
//
//   where                      class             back             span
//   an extent's first granule  kExtentClass      granules of its  its units
//                                                tail, or 0
//   each granule of a tail     kExtentTailClass  its place, 0..   its units
class GranuleWord {
 public:
  constexpr GranuleWord() = default;
  constexpr explicit GranuleWord(std::uint64_t raw) : raw_(raw) {}
  static constexpr GranuleWord Make(std::uint32_t size_class,
                                    std::uint32_t granules_to_head,
                                    std::uint32_t span) {
    return GranuleWord(ValidBits::Of(1) | ClassBits::Of(size_class) |
                       BackBits::Of(granules_to_head) | SpanBits::Of(span));
  }
  constexpr std::uint64_t raw() const { return raw_; }
  constexpr bool is_valid() const { return ValidBits::Get(raw_) != 0; }
  constexpr std::uint32_t size_class() const {
    return static_cast<std::uint32_t>(ClassBits::Get(raw_));
  }
  constexpr std::uint32_t granules_to_head() const {
    return static_cast<std::uint32_t>(BackBits::Get(raw_));
  }
  constexpr std::uint32_t span() const {
    return static_cast<std::uint32_t>(SpanBits::Get(raw_));
  }
  friend constexpr bool operator==(GranuleWord, GranuleWord) = default;

 private:
  using ValidBits = BitField<0, 1>;
  using ClassBits = BitField<1, 8>;
  using BackBits = BitField<9, 5>;
  using SpanBits = BitField<14, 17>;
  std::uint64_t raw_ = 0;
};
static_assert(sizeof(GranuleWord) == 8);

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_GRANULE_WORD_H_
