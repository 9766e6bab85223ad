// What tune found, as text and as JSON.
#ifndef ZCB_BENCH_TUNE_REPORT_H_
#define ZCB_BENCH_TUNE_REPORT_H_

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "bench/tune/load.h"
#include "bench/tune/search.h"
#include "bench/tune/workload.h"

namespace zcb::bench::tune {

// One run and what it measured.
struct Run {
  Setting setting;
  LoadFigures figures;
};

struct Findings {
  Workload workload;
  SearchResult search;
  std::vector<Run> runs;  // in their order
  unsigned failed_runs = 0;
  double seconds = 0;
};

void PrintText(const Findings& findings);
nlohmann::json ToJson(const Findings& findings);

// "export ZCB_...=..." a line each; nothing for the defaults.
std::string Snippet(const Setting& setting);
// One line about a trial, for progress and report.
std::string TextOf(const Workload& workload, const Trial& trial);
std::string CostText(const Workload& workload, double cost);

}  // namespace zcb::bench::tune

#endif  // ZCB_BENCH_TUNE_REPORT_H_
