// Processes that work while another one changes their region at will: each of
// their calls ends, and nothing else happens to them.
#include <gtest/gtest.h>

#include "tests/cpg/abandoned_memory.h"
#include "tests/hostile/round.h"

namespace zcb::hostile {
namespace {

class LiveMemoryTest : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(LiveMemoryTest, EachCallEndsAndANewRegionWorks) {
  constexpr std::uint64_t kRounds = 8;
  RoundReport total;
  for (std::uint64_t i = 0; i < kRounds; ++i) {
    const std::uint64_t seed = GetParam() + i;
    RoundOptions options;
    if (i % 4 == 0) options.one_truncation_in = 24;
    const RoundReport report = RunRound(seed, options);
    ASSERT_TRUE(report.IsGood()) << "seed " << seed << ": " << ToText(report);
    total.Add(report);
  }
  RecordProperty("report", ToText(total));
  // Not of a region that was never there, or that took no notice.
  EXPECT_GT(total.attacks, 0U);
  EXPECT_GT(total.errors, 0U);
  EXPECT_GT(total.calls, total.errors);
}

INSTANTIATE_TEST_SUITE_P(Seeds, LiveMemoryTest,
                         ::testing::Values(1000, 2000, 3000, 4000));

}  // namespace
}  // namespace zcb::hostile
