// A process that works in a region under attack: every call of both public
// APIs, by dice. Whatever a call answers is right; that it answers is the test.
#ifndef ZCB_TESTS_HOSTILE_VICTIM_H_
#define ZCB_TESTS_HOSTILE_VICTIM_H_

#include <cstdint>
#include <string>

#include "tests/hostile/stage.h"

namespace zcb::hostile {

struct VictimPlan {
  std::uint64_t seed = 0;
  std::uint32_t number = 0;  // among the victims of the round
  std::uint64_t region_bytes = 0;
  bool handles_sigbus = false;
  std::string directory;        // where the region under attack is
  std::string fresh_directory;  // where a new one must work afterwards
};

// What went wrong, for the exit code; step_budget.h has one more.
inline constexpr int kNoNewRegion = 90;    // a new region does not work
inline constexpr int kStrangeAnswer = 91;  // no code of the API

// Works until the stage says so, ends everything that it has, and does the same
// in a new region. The body of a child process: returns its exit code.
int RunVictim(const VictimPlan& plan, Stage* stage);

}  // namespace zcb::hostile

#endif  // ZCB_TESTS_HOSTILE_VICTIM_H_
