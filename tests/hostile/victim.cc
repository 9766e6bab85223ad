#include "tests/hostile/victim.h"

#include <cstdio>
#include <cstdlib>

#include "tests/hostile/caller.h"
#include "tests/hostile/group_victim.h"
#include "tests/hostile/memory_victim.h"
#include "tests/order/dice.h"

namespace zcb::hostile {

int RunVictim(const VictimPlan& plan, Stage* stage) {
  setenv("ZCB_DIR", plan.directory.c_str(), 1);
  setenv("ZCB_REGION_BYTES", std::to_string(plan.region_bytes).c_str(), 1);
  setenv("ZCB_SIGBUS", plan.handles_sigbus ? "1" : "0", 1);
  WatchCalls(plan.seed);
  order::Dice dice(plan.seed, plan.number);
  Caller caller(stage);
  GroupVictim groups(&caller, &dice);
  MemoryVictim memory(&caller, &dice);
  while (!stage->must_finish.load(std::memory_order_relaxed)) {
    if (dice.OneIn(3)) {
      memory.Step();
    } else {
      groups.Step();
    }
  }
  groups.End();
  memory.End();

  setenv("ZCB_DIR", plan.fresh_directory.c_str(), 1);
  if (!groups.SendsToItself()) {
    std::fprintf(stderr, "seed %llu: no groups in a new region\n",
                 static_cast<unsigned long long>(plan.seed));
    return kNoNewRegion;
  }
  if (!memory.Allocates()) {
    std::fprintf(stderr, "seed %llu: no memory in a new region: %s\n",
                 static_cast<unsigned long long>(plan.seed), zcb_last_reason());
    return kNoNewRegion;
  }
  // With the library's destructors, which detach from both regions.
  BeginCall("exit");
  std::exit(0);
}

}  // namespace zcb::hostile
