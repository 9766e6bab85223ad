// A number that a stale or made-up handle does not guess.
#ifndef ZCB_CPG_RANDOM_CHECK_H_
#define ZCB_CPG_RANDOM_CHECK_H_

#include <sys/random.h>
#include <time.h>

#include <cstdint>

#include "cpg/pin_word.h"

namespace zcb::cpg {

// 31 random bits, never 0.
inline std::uint32_t RandomCheck() {
  std::uint32_t bits = 0;
  if (getrandom(&bits, sizeof(bits), GRND_NONBLOCK) !=
      static_cast<ssize_t>(sizeof(bits))) {
    // Early in boot, or no such call: different from time to time will do.
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    bits = static_cast<std::uint32_t>(now.tv_nsec) * 2654435761U ^
           static_cast<std::uint32_t>(now.tv_sec);
  }
  bits &= PinWord::kMaxCheck;
  return bits == 0 ? 1 : bits;
}

}  // namespace zcb::cpg

#endif  // ZCB_CPG_RANDOM_CHECK_H_
