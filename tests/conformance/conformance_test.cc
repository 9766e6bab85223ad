// Runs every scenario on one library and compares what it says with the table.
// ZCB_CONFORMANCE=corosync: on Debian's library, each next to a daemon of its
// own. Otherwise on ours.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tests/conformance/table.h"
#include "tests/support/shared_library.h"
#include "tests/support/temp_directory.h"

namespace zcb::conformance {
namespace {

using zcb::testing::OutputOf;

constexpr const char* kClient = "tests/conformance/client";
constexpr const char* kTable = "tests/conformance/expected.txt";

bool OnCorosync() {
  const char* const told = std::getenv("ZCB_CONFORMANCE");
  return told != nullptr && std::string(told) == "corosync";
}

// A watchdog, so that one scenario that hangs is named and the others still
// run: it ends the scenario with all its processes.
constexpr const char* kWatchdog = "timeout --kill-after=1 60 ";

std::string RunOnZcb(const std::string& scenario) {
  const zcb::testing::TempDirectory directory;
  return OutputOf("ZCB_DIR=" + directory.path() +
                  " ZCB_REGION_BYTES=256m LD_LIBRARY_PATH=cpg " + kWatchdog +
                  kClient + " " + scenario + " </dev/null");
}

// What hangs there is given up after this time; on zcb nothing may.
std::string RunOnCorosync(const std::string& scenario) {
  return OutputOf("ZCB_CONFORMANCE_PATIENCE_S=10 " + std::string(kWatchdog) +
                  "tests/conformance/with_corosync.sh " + kClient + " " +
                  scenario + " </dev/null");
}

// A value of the table may be several, of which a race picks one.
bool Matches(const std::string& value, const std::string& expected) {
  const std::string all = " or " + expected + " or ";
  return value == expected ||
         all.find(" or " + value + " or ") != std::string::npos;
}

std::vector<std::string> LinesOf(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

class ConformanceTest : public ::testing::TestWithParam<std::string> {};

TEST_P(ConformanceTest, SaysWhatTheTableSays) {
  const std::vector<Row> rows = ByScenario(ReadTable(kTable))[GetParam()];
  std::vector<std::string> lines =
      LinesOf(OnCorosync() ? RunOnCorosync(GetParam()) : RunOnZcb(GetParam()));
  for (const Row& row : rows) {
    const std::string prefix = row.name + ": ";
    const auto line = std::find_if(
        lines.begin(), lines.end(),
        [&](const auto& each) { return each.rfind(prefix, 0) == 0; });
    if (line == lines.end()) {
      ADD_FAILURE() << row.name << " was not observed";
      continue;
    }
    const std::string& expected = OnCorosync() ? row.corosync : row.zcb;
    EXPECT_TRUE(Matches(line->substr(prefix.size()), expected))
        << *line << ", and the table says: " << expected;
    lines.erase(line);
  }
  for (const std::string& line : lines) {
    ADD_FAILURE() << "not in the table: " << line;
  }
}

std::vector<std::string> Scenarios() {
  std::vector<std::string> names;
  for (const auto& [name, rows] : ByScenario(ReadTable(kTable))) {
    names.push_back(name);
  }
  return names;
}

INSTANTIATE_TEST_SUITE_P(All, ConformanceTest, ::testing::ValuesIn(Scenarios()),
                         [](const auto& each) { return each.param; });

TEST(ConformanceTableTest, HasEveryScenarioOfTheClient) {
  EXPECT_EQ(LinesOf(OutputOf(std::string(kClient) + " --list")), Scenarios());
}

TEST(ConformanceTableTest, HasEveryObservationOnce) {
  std::set<std::string> names;
  for (const Row& row : ReadTable(kTable)) {
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
  }
}

}  // namespace
}  // namespace zcb::conformance
