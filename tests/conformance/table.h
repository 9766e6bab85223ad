// expected.txt, read: what each scenario should say on zcb and on Corosync, and
// where they differ, why.
#ifndef ZCB_TESTS_CONFORMANCE_TABLE_H_
#define ZCB_TESTS_CONFORMANCE_TABLE_H_

#include <map>
#include <string>
#include <vector>

namespace zcb::conformance {

struct Row {
  std::string name;      // SCENARIO.OBSERVATION
  std::string zcb;       // the value, or several: "A or B"
  std::string corosync;  // the same
  std::string kind;      // empty: they agree; else one of Kinds()
  std::string reason;
};

// Why libraries may differ: a fault of Corosync that zcb has not; a fault of
// zcb that is known. There is no third reason.
const std::vector<std::string>& Kinds();

// Fails the running test where a line is not a row.
std::vector<Row> ReadTable(const std::string& path);

// The rows of each scenario.
std::map<std::string, std::vector<Row>> ByScenario(
    const std::vector<Row>& table);

// The differences as they stand in docs/compatibility.md.
std::string ToMarkdown(const std::vector<Row>& table);

}  // namespace zcb::conformance

#endif  // ZCB_TESTS_CONFORMANCE_TABLE_H_
