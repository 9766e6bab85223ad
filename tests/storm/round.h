// One round of the storm: a region of its own and a seed; some hundreds of
// processes, most of them killed. Then the verdict and the audit.
#ifndef ZCB_TESTS_STORM_ROUND_H_
#define ZCB_TESTS_STORM_ROUND_H_

#include <cstdint>
#include <string>
#include <vector>

#include "tests/order/verifier.h"

namespace zcb::storm {

struct RoundOptions {
  std::uint64_t seed = 0;
  std::uint32_t kills = 400;  // about that many
  // This program, or another that calls RunLifeIfAsked() first.
  std::string program;
};

struct RoundReport {
  order::Verdict verdict;
  std::vector<std::string> complaints;
  // States and stacks, if something hung; otherwise empty.
  std::string hang;
  std::uint64_t processes = 0;
  std::uint64_t executed = 0;       // of these, begun by execve(2)
  std::uint64_t kills = 0;          // by SIGKILL
  std::uint64_t kills_stopped = 0;  // of these, while stopped
  std::uint64_t stops = 0;
  std::uint64_t all_killed = 0;          // times
  std::uint64_t all_but_one_killed = 0;  // times
  std::uint64_t audits = 0;
  std::uint64_t memberships = 0;

  bool IsGood() const {
    return verdict.violations.empty() && complaints.empty() && hang.empty();
  }
  // Sums up figures, not what was wrong.
  void Add(const RoundReport& other);
};

// The caller has no thread but this one, no handle and no child. `seed` repeats
// the choices, not who is faster. While it runs, orphans of its processes
// become children of this one.
RoundReport RunRound(const RoundOptions& options);

// A line of figures; then one for each thing that was wrong.
std::string ToText(const RoundReport& report);

}  // namespace zcb::storm

#endif  // ZCB_TESTS_STORM_ROUND_H_
