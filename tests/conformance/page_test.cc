// docs/compatibility.md shows the table's differences, all of them and as they
// are.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

#include "tests/conformance/table.h"

namespace zcb::conformance {
namespace {

TEST(CompatibilityPageTest, ShowsEveryDifferenceOfTheTable) {
  std::ifstream file("docs/compatibility.md");
  ASSERT_TRUE(file.is_open());
  const std::string page{std::istreambuf_iterator<char>(file), {}};
  const std::string begin = "<!-- of tests/conformance/expected.txt: -->\n";
  const std::string end = "<!-- end -->\n";
  const std::size_t from = page.find(begin);
  const std::size_t to = page.find(end);
  ASSERT_NE(from, std::string::npos);
  ASSERT_NE(to, std::string::npos);
  const std::string shown =
      page.substr(from + begin.size(), to - from - begin.size());
  const std::string due =
      ToMarkdown(ReadTable("tests/conformance/expected.txt"));
  EXPECT_EQ(shown, due) << "put this between the marks:\n" << due;
}

TEST(CompatibilityPageTest, DifferencesAreMergedByReasonAndSortedByKind) {
  const std::vector<Row> table = {
      {"a.x", "1", "1", "", ""},
      {"a.y", "1", "2", "defect", "so"},
      {"a.z", "3", "4", "bug fixed", "thus"},
      {"b.y", "1", "2", "defect", "so"},
  };
  EXPECT_EQ(ToMarkdown(table),
            "| | seen by | Corosync 3.1.7 | zcb |\n"
            "| --- | --- | --- | --- |\n"
            "| bug fixed: thus | `a.z` | `4` | `3` |\n"
            "| defect: so | `a.y`, `b.y` | `2` | `1` |\n");
}

}  // namespace
}  // namespace zcb::conformance
