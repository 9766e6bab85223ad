// The free granules of a unit: one bit each. Pure numbers.
#ifndef ZCB_ALLOCATOR_GRANULE_MAP_H_
#define ZCB_ALLOCATOR_GRANULE_MAP_H_

#include <bit>
#include <cstdint>

#include "allocator/abi.h"
#include "allocator/size_classes.h"

namespace zcb::alloc {

class GranuleMap {
 public:
  static constexpr std::uint32_t kNoRoom = ~std::uint32_t{0};

  constexpr GranuleMap() = default;
  // Of a unit with that many granules.
  static constexpr GranuleMap AllFree(std::uint32_t granules) {
    return GranuleMap(Bits(0, granules));
  }
  constexpr bool IsAllFree(std::uint32_t granules) const {
    return free_ == Bits(0, granules);
  }
  constexpr std::uint32_t free_count() const {
    return static_cast<std::uint32_t>(std::popcount(free_));
  }

  // How many granules in a row are free at most.
  constexpr std::uint32_t LongestRun() const {
    std::uint32_t length = 0;
    // Each step takes one granule off the end of every run.
    for (std::uint32_t left = free_; left != 0; left &= left << 1) ++length;
    return length;
  }

  // Where a slab of this cut fits, or kNoRoom. Slabs at the low end and
  // aligned to themselves, runs at the high end: so they do not splinter the
  // room that the other kind needs.
  constexpr std::uint32_t Find(const SizeClass& cut) const {
    const std::uint32_t starts = StartsOfFree(cut.granules);
    if (cut.is_run()) {
      return starts == 0
                 ? kNoRoom
                 : 31 - static_cast<std::uint32_t>(std::countl_zero(starts));
    }
    const std::uint32_t aligned = starts & AlignedTo(cut.granules);
    return aligned == 0 ? kNoRoom
                        : static_cast<std::uint32_t>(std::countr_zero(aligned));
  }

  constexpr bool IsFree(std::uint32_t first, std::uint32_t granules) const {
    return (free_ & Bits(first, granules)) == Bits(first, granules);
  }
  constexpr void Take(std::uint32_t first, std::uint32_t granules) {
    free_ &= ~Bits(first, granules);
  }
  constexpr void Give(std::uint32_t first, std::uint32_t granules) {
    free_ |= Bits(first, granules);
  }
  constexpr void Give(const GranuleMap& more) { free_ |= more.free_; }

 private:
  constexpr explicit GranuleMap(std::uint32_t free) : free_(free) {}

  static constexpr std::uint32_t Bits(std::uint32_t first,
                                      std::uint32_t granules) {
    return static_cast<std::uint32_t>(((std::uint64_t{1} << granules) - 1)
                                      << first);
  }
  static constexpr std::uint32_t AlignedTo(std::uint32_t granules) {
    return granules == 1   ? ~0U
           : granules == 4 ? 0x11111111U
           : granules == 8 ? 0x01010101U
                           : 1U;
  }
  // Bit i: granules i..i+n-1 are all free. Doubling what is known to be free
  // behind each bit takes log2(n) steps.
  constexpr std::uint32_t StartsOfFree(std::uint32_t granules) const {
    std::uint32_t starts = free_;
    std::uint32_t known = 1;
    while (known < granules) {
      const std::uint32_t step =
          known < granules - known ? known : granules - known;
      starts &= starts >> step;
      known += step;
    }
    return starts;
  }
  std::uint32_t free_ = 0;
};

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_GRANULE_MAP_H_
