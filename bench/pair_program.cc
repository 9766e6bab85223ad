#include "bench/pair_program.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdio>
#include <exception>
#include <nlohmann/json.hpp>

#include "bench/peers/all_peers.h"
#include "bench/quantiles.h"

namespace zcb::bench {
namespace {

// A machine that changed by more than this during a repetition measured
// something else.
constexpr double kFloorDriftLimit = 0.15;

double Drift(const PairFigures& figures) {
  const double low = std::min(figures.floor_before_ns, figures.floor_after_ns);
  const double high = std::max(figures.floor_before_ns, figures.floor_after_ns);
  return low > 0 ? high / low - 1 : 0;
}

bool IsKept(const PairFigures& figures) {
  return Drift(figures) <= kFloorDriftLimit;
}

std::string ListPeers() {
  std::string list = "Peers:\n";
  for (const PeerName& peer : kPeers) {
    list += fmt::format("  {:<18} {}\n", peer.name, peer.what);
  }
  return list;
}

void PrintJson(const PairProgram& program, const PairOptions& options,
               const std::vector<PairFigures>& repetitions) {
  nlohmann::json report = {{"program", program.name},
                           {"peer", options.peer},
                           {"length_bytes", options.length_bytes},
                           {"touched", options.touch == Touch::kEveryByte},
                           {"count", options.count}};
  for (const PairFigures& figures : repetitions) {
    nlohmann::json row = {{"kept", IsKept(figures)},
                          {"floor_before_ns", figures.floor_before_ns},
                          {"floor_after_ns", figures.floor_after_ns},
                          {"two_line_floor_ns", figures.two_line_floor_ns}};
    for (const PairColumn& column : program.columns) {
      row[column.title] = figures.*column.value * column.factor;
    }
    report["pages"] = figures.pages.data();
    report["repetitions"].push_back(row);
  }
  fmt::print("{}\n", report.dump());
}

void PrintSpread(const char* title, const std::vector<PairFigures>& kept,
                 double PairFigures::* value, double factor) {
  std::vector<double> values;
  for (const PairFigures& figures : kept) {
    values.push_back(figures.*value * factor);
  }
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  const double least = *low;
  const double most = *high;
  fmt::print("  {:<18} {:>14.1f}   {:.1f} .. {:.1f}\n", title,
             Quantile(values, 0.5), least, most);
}

void PrintTable(const PairProgram& program, const PairOptions& options,
                const std::vector<PairFigures>& repetitions) {
  std::vector<PairFigures> kept;
  for (const PairFigures& figures : repetitions) {
    if (IsKept(figures)) kept.push_back(figures);
  }
  fmt::print("{}: {}, {} B, {}, {} x {}", program.name, options.peer,
             options.length_bytes,
             options.touch == Touch::kEveryByte ? "touched" : "untouched",
             repetitions.size(), options.count);
  const std::string pages = repetitions.front().pages.data();
  fmt::print("{}\n", pages.empty() ? "" : ", " + pages);
  fmt::print("  {} of {} repetitions dropped: the floor moved by > {:.0f} %\n",
             repetitions.size() - kept.size(), repetitions.size(),
             kFloorDriftLimit * 100);
  if (kept.empty()) return;
  fmt::print("  {:<18} {:>14}   spread\n", "", "median");
  for (const PairColumn& column : program.columns) {
    PrintSpread(column.title, kept, column.value, column.factor);
  }
  PrintSpread("floor, one line", kept, &PairFigures::floor_before_ns, 1);
  PrintSpread("floor, two lines", kept, &PairFigures::two_line_floor_ns, 1);
}

}  // namespace

int RunPairProgram(int argc, char** argv, const PairProgram& program) {
  PairOptions options;
  bool touched = false;
  std::string cpus = "0,1";
  CLI::App app(program.description);
  app.footer(ListPeers());
  app.add_option("--peer", options.peer, "which transport")->required();
  app.add_option("--bytes", options.length_bytes, "payload, a multiple of 64")
      ->capture_default_str();
  app.add_flag("--touch", touched, "write and read every byte of the payload");
  app.add_option("--count", options.count, "messages; 0: by their length")
      ->capture_default_str();
  app.add_option("--repetitions", options.repetitions)
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--cpus", cpus, "where the sides run")->capture_default_str();
  app.add_flag("--json", options.json, "one line for programs");
  CLI11_PARSE(app, argc, argv);
  try {
    if (options.length_bytes < kLeastPayloadBytes ||
        options.length_bytes % kLeastPayloadBytes != 0) {
      Fail("--bytes must be a multiple of {}", kLeastPayloadBytes);
    }
    options.touch = touched ? Touch::kEveryByte : Touch::kFirstWord;
    options.places = ParsePlaces(cpus);
    if (options.count == 0) {
      options.count = program.default_count(options.length_bytes);
    }
    const PrivateRegion region;
    std::vector<PairFigures> repetitions;
    for (int i = 0; i < options.repetitions; ++i) {
      repetitions.push_back(program.run(options));
    }
    (options.json ? PrintJson : PrintTable)(program, options, repetitions);
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}: {}\n", program.name, error.what());
    return 1;
  }
}

}  // namespace zcb::bench
