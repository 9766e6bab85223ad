// One message of the demo: a header, then bytes of the file.
#ifndef ZCB_TOOLS_DEMO_CHUNK_H_
#define ZCB_TOOLS_DEMO_CHUNK_H_

#include <time.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>

namespace zcb::demo {

struct ChunkHeader {
  std::uint64_t number;        // 0, 1, ...
  std::uint64_t sent_ns;       // CLOCK_MONOTONIC, just before the send
  std::uint64_t file_inode;    // the region's file in which the sender sees
  std::uint64_t place_offset;  // this message, and where in it
  std::uint64_t is_last;
};

inline constexpr std::size_t kLeastChunkBytes = 64;
inline constexpr std::size_t kMostChunkBytes = 1 << 20;
inline constexpr std::size_t kPacedChunkBytes = 256;

// The same seed, the same sizes: every size from 64 B to 1 MiB, as many small
// ones as large ones by orders of magnitude.
class ChunkSizes {
 public:
  explicit ChunkSizes(std::uint64_t seed) : random_(seed) {}
  std::size_t Next() {
    return static_cast<std::size_t>(std::exp2(exponent_(random_)));
  }

 private:
  std::mt19937_64 random_;
  std::uniform_real_distribution<double> exponent_{6.0, 20.0};
};

// The same clock for every process of the machine.
inline std::uint64_t NowNs() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U +
         static_cast<std::uint64_t>(now.tv_nsec);
}

}  // namespace zcb::demo

#endif  // ZCB_TOOLS_DEMO_CHUNK_H_
