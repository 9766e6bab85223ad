// Many senders, groups, joins, leaves and kills, judged by the verifier. The
// long version is soak.cc's, under "tools/dev check order".
#include <gtest/gtest.h>

#include <cstdint>
#include <iostream>

#include "tests/cpg/abandoned_memory.h"
#include "tests/order/run.h"

namespace zcb::order {
namespace {

class OrderTest : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(OrderTest, EveryMemberSeesWhatClosedProcessGroupsPromise) {
  // Before it begins: a run that hangs is known by it.
  std::cout << "seed " << GetParam() << std::endl;
  const RunReport report = RunSeed(GetParam());
  std::cout << ToText(report);
  EXPECT_TRUE(report.IsGood())
      << "seed " << GetParam() << ": " << ToText(report);
  // A run in which little happened proves little.
  EXPECT_GT(report.killed, 0U);
  EXPECT_GT(report.verdict.messages, 1000U);
  EXPECT_GT(report.verdict.views, 20U);
  EXPECT_GT(report.verdict.mentions, 100U);
}

INSTANTIATE_TEST_SUITE_P(Seeds, OrderTest,
                         ::testing::Range(std::uint64_t{1}, std::uint64_t{5}));

}  // namespace
}  // namespace zcb::order
