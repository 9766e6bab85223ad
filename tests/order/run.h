// One run: a region of its own, a witness, and a dozen workers that come and
// go, some of them killed. Then the verdict.
#ifndef ZCB_TESTS_ORDER_RUN_H_
#define ZCB_TESTS_ORDER_RUN_H_

#include <cstdint>
#include <string>
#include <vector>

#include "tests/order/verifier.h"

namespace zcb::order {

struct RunReport {
  Verdict verdict;
  // What else went wrong: unexpected errors, buffers or files left behind.
  std::vector<std::string> complaints;
  std::uint32_t processes = 0;
  std::uint32_t killed = 0;
  std::uint32_t memberships = 0;

  bool IsGood() const {
    return verdict.violations.empty() && complaints.empty();
  }
  void Add(const RunReport& good);
};

// The caller has no thread but this one and no handle; it forks. `seed` repeats
// every choice, though not who is faster.
RunReport RunSeed(std::uint64_t seed);

// One line of figures; then one for each thing that was wrong.
std::string ToText(const RunReport& report);

}  // namespace zcb::order

#endif  // ZCB_TESTS_ORDER_RUN_H_
