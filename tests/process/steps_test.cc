// Every operation, killed or stopped at some of its positions; all of them:
// tools/dev check steps. STEPS_MODE is set by the BUILD file.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>

#include "tests/process/run.h"

namespace zcb::steps {
namespace {

constexpr std::size_t kPositions = 24;

Mode WantedMode() {
  const char* const mode = std::getenv("STEPS_MODE");
  return mode != nullptr && std::strcmp(mode, "stop") == 0 ? Mode::kStop
                                                           : Mode::kKill;
}

// ZCB_STEPS_SEED repeats the choice.
std::size_t Seed() {
  static const std::size_t seed = [] {
    const char* const wanted = std::getenv("ZCB_STEPS_SEED");
    const std::size_t chosen = wanted != nullptr
                                   ? std::strtoul(wanted, nullptr, 10)
                                   : std::random_device{}() % 1'000'000;
    std::printf("ZCB_STEPS_SEED=%zu\n", chosen);
    return chosen;
  }();
  return seed;
}

class StepsTest : public ::testing::TestWithParam<std::string> {};

TEST_P(StepsTest, ADeathOrAStopAnywhereHurtsNobodyElse) {
  const auto& all = Operations();
  const auto found = std::find_if(
      all.begin(), all.end(),
      [](const Operation& operation) { return operation.name == GetParam(); });
  ASSERT_NE(found, all.end());
  OperationRun run(*found, WantedMode());
  const bool is_recorded = run.Record();
  if (is_recorded) {
    const std::size_t size = run.trace().size();
    const std::size_t stride = std::max<std::size_t>(size / kPositions, 1);
    for (std::size_t at = Seed() % stride; at < size; at += stride) run.At(at);
    // The end, where everything has been done.
    run.At(size - 1);
    EXPECT_LE(run.missed(), 2 + kPositions / 8) << "went other ways";
    EXPECT_GE(run.reached(), std::min(size, kPositions) / 2);
  }
  EXPECT_TRUE(is_recorded);
  for (const Finding& finding : run.findings()) {
    ADD_FAILURE() << "position " << finding.position << ", " << finding.text;
  }
}

std::vector<std::string> Names() {
  std::vector<std::string> names;
  for (const Operation& operation : Operations()) {
    names.push_back(operation.name);
  }
  return names;
}

INSTANTIATE_TEST_SUITE_P(Every, StepsTest, ::testing::ValuesIn(Names()),
                         [](const auto& parameter) {
                           std::string name = parameter.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace zcb::steps
