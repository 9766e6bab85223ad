// A thousand kills; "tools/dev check storm" goes on from there.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <iostream>

#include "tests/cpg/abandoned_memory.h"
#include "tests/storm/round.h"

namespace zcb::storm {
namespace {

class StormTest : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(StormTest, NothingIsLostDoubledOrWaitedForWhoeverIsKilled) {
  // Before it begins: a round that hangs is known by it.
  std::cout << "seed " << GetParam() << std::endl;
  RoundOptions options;
  options.seed = GetParam();
  options.kills = 250;
  const char* const program = std::getenv("ZCB_STORM");
  ASSERT_NE(program, nullptr);
  options.program = program;
  const RoundReport report = RunRound(options);
  std::cout << ToText(report);
  EXPECT_TRUE(report.IsGood())
      << "seed " << GetParam() << ": " << ToText(report);
  // A round in which little happened proves little.
  EXPECT_GE(report.kills, options.kills);
  EXPECT_GT(report.kills_stopped, 0U);
  EXPECT_GT(report.executed, 0U);
  EXPECT_GT(report.verdict.messages, 1000U);
  EXPECT_GT(report.audits, 0U);
}

INSTANTIATE_TEST_SUITE_P(Seeds, StormTest,
                         ::testing::Range(std::uint64_t{1}, std::uint64_t{5}));

}  // namespace
}  // namespace zcb::storm
