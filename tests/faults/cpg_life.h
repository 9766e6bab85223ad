// All that a process does with groups, call after call, where little is to be
// had.
#ifndef ZCB_TESTS_FAULTS_CPG_LIFE_H_
#define ZCB_TESTS_FAULTS_CPG_LIFE_H_

#include <corosync/cpg.h>

#include <functional>
#include <string>

namespace zcb::faults {

struct Life {
  int calls = 0;
  int refused = 0;    // by an error that the page lists
  std::string wrong;  // errors that no page lists

  bool IsWhole() const { return refused == 0 && wrong.empty(); }
};

// Initializes, joins, sends small and large, reads, keeps, asks, leaves,
// finalizes. What cannot be had is left out, with all that needs it. `between`
// runs before each call, with its number.
Life Live(const std::function<void(int call)>& between = {});

}  // namespace zcb::faults

#endif  // ZCB_TESTS_FAULTS_CPG_LIFE_H_
