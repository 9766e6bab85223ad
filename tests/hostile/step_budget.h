// Finds calls that do not end: by the processor time that one of them has used,
// which says the same on a loaded machine as on an idle one.
#ifndef ZCB_TESTS_HOSTILE_STEP_BUDGET_H_
#define ZCB_TESTS_HOSTILE_STEP_BUDGET_H_

#include <cstdint>

namespace zcb::hostile {

// No speed limits: what an honest call takes is a thousandth of it.
inline constexpr int kMostCpuSeconds = 10;
// Of a call that sleeps where nothing can wake it.
inline constexpr int kMostSeconds = 120;

inline constexpr int kHangExitCode = 99;

// From now on this process, whose `seed` is printed, ends with kHangExitCode
// and a backtrace of this thread once one call has used that much.
void WatchCalls(std::uint64_t seed);
// The next call begins; `name` is a literal. Costs two stores.
void BeginCall(const char* name);

}  // namespace zcb::hostile

#endif  // ZCB_TESTS_HOSTILE_STEP_BUDGET_H_
