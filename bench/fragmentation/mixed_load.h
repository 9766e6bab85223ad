// A load of small buffers, runs and extents at once, and what it leaves of a
// region.
#ifndef ZCB_BENCH_FRAGMENTATION_MIXED_LOAD_H_
#define ZCB_BENCH_FRAGMENTATION_MIXED_LOAD_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include "allocator/allocator.h"
#include "allocator/buffer_ref.h"

namespace zcb::bench {

enum class SizeKind : std::uint8_t { kSlab, kRun, kExtent };
inline constexpr std::size_t kSizeKinds = 3;

// Of the buffers that are live, by kind.
struct KindWaste {
  std::uint64_t buffers = 0;
  std::uint64_t asked_bytes = 0;
  std::uint64_t usable_bytes = 0;
  std::uint64_t worst_bytes = 0;  // wasted in one buffer

  double share() const {
    return asked_bytes == 0 ? 0
                            : static_cast<double>(usable_bytes - asked_bytes) /
                                  static_cast<double>(asked_bytes);
  }
};

struct Fragmentation {
  std::array<KindWaste, kSizeKinds> kinds;
  std::uint32_t units = 0;
  std::uint32_t free_units = 0;
  std::uint32_t largest_gap_units = 0;  // free units in a row
  std::uint64_t live_bytes = 0;         // as asked
  std::uint64_t committed_bytes = 0;

  // 0: all that is free is in one piece.
  double external() const {
    return free_units == 0 ? 0 : 1 - double(largest_gap_units) / free_units;
  }
  double committed_per_live_byte() const {
    return double(committed_bytes) / double(live_bytes);
  }
};

// Sizes are drawn so that the logarithm is even, and so that over time the live
// bytes are two tenths slabs, three tenths runs and half extents. Everything
// has the same chance of being freed next. Deterministic by its seed.
class MixedLoad {
 public:
  struct Options {
    std::uint64_t live_bytes = 0;  // aimed at
    std::uint64_t max_extent_bytes = 0;
    std::uint32_t seed = 1;
  };
  MixedLoad(zcb::alloc::Allocator& allocator, const Options& options);

  // Allocations and frees.
  void Run(std::uint32_t operations);
  void FreeAll();
  Fragmentation Measure() const;
  // Allocations that found no memory.
  std::uint32_t refusals() const { return refusals_; }

 private:
  struct Buffer {
    zcb::alloc::BufferRef ref;
    std::uint64_t asked_bytes;
    SizeKind kind;
  };
  void AllocOne();
  void FreeOne();
  SizeKind DrawKind();
  std::uint64_t DrawBytes(SizeKind kind);

  zcb::alloc::Allocator& allocator_;
  Options options_;
  std::mt19937_64 random_;
  std::array<double, kSizeKinds> chances_{};
  std::vector<Buffer> live_;
  std::uint64_t live_bytes_ = 0;
  std::uint32_t refusals_ = 0;
};

}  // namespace zcb::bench

#endif  // ZCB_BENCH_FRAGMENTATION_MIXED_LOAD_H_
