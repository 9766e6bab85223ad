#include "tests/conformance/table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

namespace zcb::conformance {
namespace {

std::vector<std::string> Split(const std::string& text,
                               const std::string& separator) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  for (;;) {
    const std::size_t end = text.find(separator, begin);
    parts.push_back(text.substr(begin, end - begin));
    if (end == std::string::npos) return parts;
    begin = end + separator.size();
  }
}

Row ToRow(const std::string& line) {
  const std::vector<std::string> parts = Split(line, " | ");
  Row row;
  row.name = parts[0];
  EXPECT_NE(row.name.find('.'), std::string::npos) << line;
  if (parts.size() == 2) {
    row.zcb = row.corosync = parts[1];
    return row;
  }
  EXPECT_EQ(parts.size(), 4U) << line;
  if (parts.size() != 4) return row;
  row.zcb = parts[1];
  row.corosync = parts[2];
  EXPECT_NE(row.zcb, row.corosync) << line;
  const std::size_t colon = parts[3].find(": ");
  row.kind = parts[3].substr(0, colon);
  EXPECT_EQ(std::count(Kinds().begin(), Kinds().end(), row.kind), 1) << line;
  if (colon != std::string::npos) row.reason = parts[3].substr(colon + 2);
  EXPECT_FALSE(row.reason.empty()) << line;
  return row;
}

std::string Quoted(const std::string& text) { return "`" + text + "`"; }

// Rows that differ in nothing but their names are one row of the page.
bool SameDifference(const Row& a, const Row& b) {
  return a.kind == b.kind && a.reason == b.reason && a.zcb == b.zcb &&
         a.corosync == b.corosync;
}

}  // namespace

const std::vector<std::string>& Kinds() {
  static const std::vector<std::string> kKinds = {"bug fixed", "defect"};
  return kKinds;
}

std::vector<Row> ReadTable(const std::string& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file.is_open()) << path;
  std::vector<Row> table;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    table.push_back(ToRow(line));
  }
  return table;
}

std::map<std::string, std::vector<Row>> ByScenario(
    const std::vector<Row>& table) {
  std::map<std::string, std::vector<Row>> scenarios;
  for (const Row& row : table) {
    scenarios[row.name.substr(0, row.name.find('.'))].push_back(row);
  }
  return scenarios;
}

std::string ToMarkdown(const std::vector<Row>& table) {
  std::string page = "| | seen by | Corosync 3.1.7 | zcb |\n";
  page.append("| --- | --- | --- | --- |\n");
  for (const std::string& kind : Kinds()) {
    std::vector<bool> written(table.size());
    for (std::size_t i = 0; i < table.size(); ++i) {
      if (table[i].kind != kind || written[i]) continue;
      std::string names;
      for (std::size_t j = i; j < table.size(); ++j) {
        if (!SameDifference(table[i], table[j])) continue;
        written[j] = true;
        names.append(names.empty() ? "" : ", ").append(Quoted(table[j].name));
      }
      page.append("| ").append(kind).append(": ").append(table[i].reason);
      page.append(" | ").append(names).append(" | ");
      page.append(Quoted(table[i].corosync)).append(" | ");
      page.append(Quoted(table[i].zcb)).append(" |\n");
    }
  }
  return page;
}

}  // namespace zcb::conformance
