// Every call of the CPG API as something that can be swept with faults.
#ifndef ZCB_TESTS_FAULTS_CPG_SCENARIOS_H_
#define ZCB_TESTS_FAULTS_CPG_SCENARIOS_H_

#include <vector>

#include "tests/faults/cpg_world.h"
#include "tests/faults/sweep.h"

namespace zcb::faults {

// Those that say most without anybody else: the region is made, and removed.
std::vector<Scenario> LonelyScenarios();
// All, in a region that is there, with the keeper in the group.
std::vector<Scenario> KeptScenarios(KeptWorld* world);
// A process that is in the group, with a kept message, a message unread, and
// buffers; before its end.
Scenario EndOfAMember();

}  // namespace zcb::faults

#endif  // ZCB_TESTS_FAULTS_CPG_SCENARIOS_H_
