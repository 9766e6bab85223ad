// Every call of the CPG API, with each of its calls to the system failing.
#include <gtest/gtest.h>

#include <cstdio>

#include "tests/faults/cpg_scenarios.h"
#include "tests/faults/cpg_world.h"
#include "tests/faults/sweep.h"

namespace zcb::faults {
namespace {

void Expect(const std::string& name, const Tally& tally) {
  std::printf("%s: %s\n", name.c_str(), tally.Figures().c_str());
  constexpr std::size_t kMostShown = 20;
  for (std::size_t i = 0; i < tally.complaints.size() && i < kMostShown; ++i) {
    ADD_FAILURE() << tally.complaints[i];
  }
  EXPECT_EQ(tally.complaints.size(), 0U) << name;
}

TEST(CpgFaultsTest, CallsThatMakeTheRegionFailClearlyAndLeaveNothing) {
  EmptyWorld world;
  for (const Scenario& scenario : LonelyScenarios()) {
    const Tally tally = Sweep(scenario, &world);
    Expect(scenario.name, tally);
    EXPECT_GE(tally.points, 5U);
  }
}

TEST(CpgFaultsTest, EveryCallFailsClearlyAndLeavesNothing) {
  KeptWorld world;
  Tally all;
  for (const Scenario& scenario : KeptScenarios(&world)) {
    const Tally tally = Sweep(scenario, &world);
    Expect(scenario.name, tally);
    all.Add(tally);
  }
  std::printf("all: %s\n", all.Figures().c_str());
  EXPECT_GE(all.points, 300U);
}

TEST(CpgFaultsTest, EndOfAProcessUnderFaultsIsNoWorseThanItsDeath) {
  EmptyWorld empty;
  Tally tally = SweepExit(EndOfAMember(), &empty);
  Expect("exit of the last one", tally);
  EXPECT_GE(tally.points, 10U);
  KeptWorld kept;
  tally = SweepExit(EndOfAMember(), &kept);
  Expect("exit", tally);
  EXPECT_GE(tally.points, 10U);
}

}  // namespace
}  // namespace zcb::faults
