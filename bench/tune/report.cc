#include "bench/tune/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "bench/tune/waste.h"

namespace zcb::bench::tune {
namespace {

// A rate that was reached by less than this was not reached.
constexpr double kReached = 0.95;

const char* NameOf(Trial::Verdict verdict) {
  switch (verdict) {
    case Trial::Verdict::kBetter:
      return "better: taken";
    case Trial::Verdict::kNoBetter:
      return "no better beyond noise";
    case Trial::Verdict::kWorse:
      return "worse";
    case Trial::Verdict::kCannotBeHad:
      return "cannot be had";
    case Trial::Verdict::kNeedless:
      return "as good without: taken back";
    case Trial::Verdict::kNeeded:
      return "worse without: stays";
  }
  return "";
}

std::string RatioText(const Comparison& comparison) {
  // Of fewer rounds the interval is too wide to say anything.
  constexpr std::size_t kLeastRounds = 3;
  if (comparison.log_ratios.size() < kLeastRounds) {
    return fmt::format("{:.3f} ({} rounds)", comparison.Ratio(),
                       comparison.log_ratios.size());
  }
  return fmt::format("{:.3f} ({:.3f} .. {:.3f}, {} rounds)", comparison.Ratio(),
                     comparison.LowRatio(), comparison.HighRatio(),
                     comparison.log_ratios.size());
}

std::string SpreadText(const Workload& workload,
                       const std::vector<double>& costs) {
  const auto [low, high] = std::minmax_element(costs.begin(), costs.end());
  return fmt::format(
      "median {}, {} .. {}, {} runs", CostText(workload, Median(costs)),
      CostText(workload, *low), CostText(workload, *high), costs.size());
}

std::vector<LoadFigures> FiguresOf(const Findings& findings,
                                   const Setting& setting) {
  std::vector<LoadFigures> figures;
  for (const Run& run : findings.runs) {
    if (run.setting == setting) figures.push_back(run.figures);
  }
  return figures;
}

double MedianOf(const std::vector<LoadFigures>& all,
                double LoadFigures::* figure) {
  std::vector<double> values;
  for (const LoadFigures& figures : all) values.push_back(figures.*figure);
  return Median(values);
}

// All of what was measured with a setting, whatever the goal.
void PrintFigures(const char* title, const std::vector<LoadFigures>& all) {
  if (all.empty()) return;
  std::uint64_t refused = 0;
  for (const LoadFigures& figures : all) refused += figures.refused;
  fmt::print(
      "  {:<10} {:>10.0f}/s   p50 {:>8.2f} us   p90 {:>8.2f} us   p99 {:>8.2f} "
      "us   {:>6.2f} us of CPU a message   {} refused   {}\n",
      title, MedianOf(all, &LoadFigures::messages_per_s),
      MedianOf(all, &LoadFigures::p50_ns) / 1e3,
      MedianOf(all, &LoadFigures::p90_ns) / 1e3,
      MedianOf(all, &LoadFigures::p99_ns) / 1e3,
      MedianOf(all, &LoadFigures::processor_ns_per_message) / 1e3,
      refused / all.size(), all.front().pages);
}

void PrintWaste(const Workload& workload) {
  const std::vector<Waste> all = WasteOf(workload.sizes);
  fmt::print(
      "\nSizes (the classes are fixed; what can be chosen is the size)\n"
      "  {:>10} {:>7} {:>10} {:>6}   {}\n",
      "message", "share", "buffer", "idle", "less memory by");
  for (const Waste& waste : all) {
    fmt::print("  {:>8} B {:>5.1f} % {:>8} B {:>4.0f} %   {}\n",
               waste.length_bytes, 100 * waste.share, waste.buffer_bytes,
               100 * waste.Idle(), waste.Advice());
  }
}

// How far apart the runs of one and the same setting were.
void PrintNoise(const Workload& workload,
                const std::vector<LoadFigures>& defaults) {
  constexpr std::size_t kLeastRuns = 4;
  constexpr double kQuiet = 1.5;
  std::vector<double> costs;
  for (const LoadFigures& figures : defaults) {
    costs.push_back(CostOf(workload, figures));
  }
  if (costs.size() < kLeastRuns) return;
  std::sort(costs.begin(), costs.end());
  const double low = costs[costs.size() / 4];
  const double high = costs[costs.size() - 1 - costs.size() / 4];
  if (high <= kQuiet * low) return;
  fmt::print(
      "  Half of the runs of the defaults alone lie between {} and {}, the "
      "others beyond:\n  this machine does other work, and only large "
      "differences can be seen.\n",
      CostText(workload, low), CostText(workload, high));
}

const char* WhyDefaults(const SearchResult& search) {
  if (search.trials.empty()) {
    return "Nothing was tried: the bound leaves no room for a comparison and "
           "its "
           "proof.";
  }
  return search.candidate.empty()
             ? "Nothing that was tried is better beyond noise."
             : "What looked better was not so when measured anew.";
}

void PrintProof(const Findings& findings) {
  const SearchResult& search = findings.search;
  const Workload& workload = findings.workload;
  fmt::print("\nMeasured anew, in turns\n");
  fmt::print("  defaults   {}\n", SpreadText(workload, search.proof.a_costs));
  fmt::print("  {:<10} {}\n", "candidate",
             SpreadText(workload, search.proof.b_costs));
  fmt::print(
      "  candidate / defaults: {}; in brackets where it lies with 99 %\n",
      RatioText(search.proof));
}

nlohmann::json ToJson(const Comparison& comparison) {
  if (comparison.failed()) return {{"failed", comparison.why_not}};
  return {{"a_costs_ns", comparison.a_costs},
          {"b_costs_ns", comparison.b_costs},
          {"ratio", comparison.Ratio()},
          {"low", comparison.LowRatio()},
          {"high", comparison.HighRatio()}};
}

nlohmann::json ToJson(const LoadFigures& figures) {
  return {{"messages_per_s", figures.messages_per_s},
          {"p50_ns", figures.p50_ns},
          {"p90_ns", figures.p90_ns},
          {"p99_ns", figures.p99_ns},
          {"max_ns", figures.max_ns},
          {"processor_ns_per_message", figures.processor_ns_per_message},
          {"refused", figures.refused},
          {"pages", figures.pages}};
}

}  // namespace

std::string CostText(const Workload& workload, double cost) {
  const char* const unit = workload.goal == Goal::kLatency ? "" : " a message";
  return cost < 10'000 ? fmt::format("{:.0f} ns{}", cost, unit)
                       : fmt::format("{:.1f} us{}", cost / 1e3, unit);
}

std::string TextOf(const Workload& workload, const Trial& trial) {
  const Comparison& comparison = trial.comparison;
  const std::string what = trial.variable + "=" + trial.value;
  if (comparison.failed()) {
    return fmt::format("{:<28} {}: {}", what, NameOf(trial.verdict),
                       comparison.why_not);
  }
  return fmt::format("{:<28} {:>22}   {:<38} {}", what,
                     CostText(workload, Median(comparison.b_costs)),
                     RatioText(comparison), NameOf(trial.verdict));
}

std::string Snippet(const Setting& setting) {
  std::string text;
  for (const auto& [variable, value] : setting) {
    text += "export " + variable + "=" + value + "\n";
  }
  return text;
}

void PrintText(const Findings& findings) {
  const SearchResult& search = findings.search;
  fmt::print("Workload: {}\n", findings.workload.Describe());
  fmt::print(
      "{} runs in {:.0f} s{}\n\n", findings.runs.size(), findings.seconds,
      search.ended_early ? "; the bound was reached before all was tried" : "");
  fmt::print("Tried, each against the best so far\n");
  for (const Trial& trial : search.trials) {
    fmt::print("  {}\n", TextOf(findings.workload, trial));
  }
  if (search.trials.empty()) fmt::print("  nothing\n");
  if (!search.candidate.empty()) PrintProof(findings);
  fmt::print("\nFigures, medians of all runs\n");
  const std::vector<LoadFigures> defaults = FiguresOf(findings, {});
  PrintFigures("defaults", defaults);
  if (!search.candidate.empty()) {
    PrintFigures("candidate", FiguresOf(findings, search.candidate));
  }
  const double rate = findings.workload.rate_per_s;
  if (rate > 0 && !defaults.empty() &&
      MedianOf(defaults, &LoadFigures::messages_per_s) < kReached * rate) {
    fmt::print("  The rate that was asked for was not reached.\n");
  }
  PrintNoise(findings.workload, defaults);
  PrintWaste(findings.workload);
  if (search.best.empty()) {
    fmt::print("\nRecommended: the defaults. {}\n", WhyDefaults(search));
    return;
  }
  fmt::print("\nRecommended, for every process of the region:\n\n{}",
             Snippet(search.best));
}

nlohmann::json ToJson(const Findings& findings) {
  const SearchResult& search = findings.search;
  nlohmann::json json = {
      {"workload", ToJson(findings.workload)},
      {"goal",
       findings.workload.goal == Goal::kLatency ? "latency" : "throughput"},
      {"percentile", findings.workload.percentile},
      {"recommended", search.best},
      {"candidate", search.candidate},
      {"proof", ToJson(search.proof)},
      {"ended_early", search.ended_early},
      {"seconds", findings.seconds},
      {"failed_runs", findings.failed_runs},
      {"trials", nlohmann::json::array()},
      {"runs", nlohmann::json::array()}};
  for (const Trial& trial : search.trials) {
    json["trials"].push_back({{"variable", trial.variable},
                              {"value", trial.value},
                              {"against", trial.against},
                              {"verdict", NameOf(trial.verdict)},
                              {"comparison", ToJson(trial.comparison)}});
  }
  for (const Run& run : findings.runs) {
    json["runs"].push_back(
        {{"setting", run.setting}, {"figures", ToJson(run.figures)}});
  }
  for (const Waste& waste : WasteOf(findings.workload.sizes)) {
    json["sizes"].push_back({{"length_bytes", waste.length_bytes},
                             {"share", waste.share},
                             {"buffer_bytes", waste.buffer_bytes},
                             {"idle", waste.Idle()},
                             {"advice", waste.Advice()}});
  }
  return json;
}

}  // namespace zcb::bench::tune
