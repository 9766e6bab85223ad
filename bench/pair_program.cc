#include "bench/pair_program.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>

#include "bench/failure.h"
#include "bench/quantiles.h"

namespace zcb::bench {
namespace {

// A machine that changed by more than this during a repetition measured
// something else.
constexpr double kFloorDriftLimit = 0.15;

struct Options {
  std::string peer;  // "": the first variant
  std::string wait;  // "": as that peer's first variant
  std::vector<std::size_t> lengths_bytes = {kLeastPayloadBytes};
  std::string touch = "no";
  std::uint64_t count = 0;
  unsigned duration_ms = 200;
  int repetitions = 1;
  std::string cpus = "0,1";
  bool json = false;
};

// What one size of one variant has given.
struct Cell {
  const PairQuestion& question;
  const Variant& variant;
  std::size_t length_bytes;
  Touch touch;
  std::vector<PairFigures> repetitions;
  std::vector<bool> disturbed;
};

std::string_view NameOf(Wait wait) {
  return wait == Wait::kBusy ? "busy" : "sleep";
}

bool IsKept(const PairFigures& figures) {
  const auto [low, high] =
      std::minmax(figures.floor_before_ns, figures.floor_after_ns);
  return high <= low * (1 + kFloorDriftLimit);
}

const Variant& Choose(const PairProgram& program, const Options& options) {
  for (const Variant& variant : program.variants) {
    if (!options.peer.empty() && options.peer != variant.name) continue;
    if (!options.wait.empty() && options.wait != NameOf(variant.wait)) continue;
    return variant;
  }
  Fail("no such variant; see: {} list", program.name);
}

void List(const PairProgram& program) {
  for (const Variant& variant : program.variants) {
    const std::size_t largest = program.largest_bytes(variant);
    nlohmann::ordered_json line = {{"peer", variant.name},
                                   {"wait", NameOf(variant.wait)},
                                   {"what", variant.what}};
    if (largest < std::numeric_limits<std::size_t>::max()) {
      line["largest_bytes"] = largest;
    }
    fmt::print("{}\n", line.dump());
  }
}

nlohmann::ordered_json Row(const Cell& cell) {
  nlohmann::ordered_json row = {{"question", cell.question.question},
                                {"peer", cell.variant.name},
                                {"parameters",
                                 {{"length_bytes", cell.length_bytes},
                                  {"touched", cell.touch == Touch::kEveryByte},
                                  {"wait", NameOf(cell.variant.wait)}}}};
  for (const PairColumn& column : cell.question.columns) {
    row["figures"][column.title] = column.is_lower_better ? "lower" : "higher";
  }
  row["repetitions"] = nlohmann::ordered_json::array();
  for (std::size_t i = 0; i < cell.repetitions.size(); ++i) {
    const PairFigures& figures = cell.repetitions[i];
    nlohmann::ordered_json repetition = {
        {"kept", IsKept(figures)},
        {"disturbed", static_cast<bool>(cell.disturbed[i])},
        {"floor_before_ns", figures.floor_before_ns},
        {"floor_after_ns", figures.floor_after_ns},
        {"two_line_floor_ns", figures.two_line_floor_ns},
        {"count", figures.count}};
    for (const PairColumn& column : cell.question.columns) {
      repetition[column.title] = figures.*column.value;
    }
    row["pages"] = figures.pages.data();
    row["repetitions"].push_back(repetition);
  }
  return row;
}

void PrintSpread(const char* title, const std::vector<PairFigures>& kept,
                 double PairFigures::* value) {
  std::vector<double> values;
  for (const PairFigures& figures : kept) values.push_back(figures.*value);
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  const double least = *low;
  const double most = *high;
  fmt::print("  {:<18} {:>14.1f}   {:.1f} .. {:.1f}\n", title,
             Quantile(values, 0.5), least, most);
}

void PrintTable(const Cell& cell) {
  std::vector<PairFigures> kept;
  for (const PairFigures& figures : cell.repetitions) {
    if (IsKept(figures)) kept.push_back(figures);
  }
  fmt::print("{}: {}, {}, {} B, {}\n", cell.question.question,
             cell.variant.name, NameOf(cell.variant.wait), cell.length_bytes,
             cell.touch == Touch::kEveryByte ? "touched" : "untouched");
  fmt::print(
      "  of {} repetitions {} dropped, the floor moved by > {:.0f} %; {} "
      "disturbed\n",
      cell.repetitions.size(), cell.repetitions.size() - kept.size(),
      kFloorDriftLimit * 100,
      std::count(cell.disturbed.begin(), cell.disturbed.end(), true));
  if (kept.empty()) return;
  fmt::print("  {:<18} {:>14}   spread\n", "", "median");
  for (const PairColumn& column : cell.question.columns) {
    PrintSpread(column.title, kept, column.value);
  }
  PrintSpread("floor, one line", kept, &PairFigures::floor_before_ns);
  PrintSpread("floor, two lines", kept, &PairFigures::two_line_floor_ns);
}

void Measure(const PairProgram& program, const PairQuestion& question,
             const Options& options, std::size_t length_bytes, Touch touch) {
  Cell cell{question, Choose(program, options), length_bytes, touch, {}, {}};
  const std::size_t largest = program.largest_bytes(cell.variant);
  if (length_bytes > largest) {
    fmt::print(stderr, "left out: {}, {} B: its largest message is {} B\n",
               cell.variant.name, length_bytes, largest);
    return;
  }
  for (int i = 0; i < options.repetitions; ++i) {
    PairRun run{.variant = cell.variant,
                .length_bytes = length_bytes,
                .touch = touch,
                .count = options.count,
                .duration_ms = options.duration_ms,
                .places = ParsePlaces(options.cpus)};
    cell.repetitions.push_back(question.run(run));
    cell.disturbed.push_back(run.is_disturbed);
  }
  if (options.json) {
    fmt::print("{}\n", Row(cell).dump());
  } else {
    PrintTable(cell);
  }
  std::fflush(stdout);
}

void MeasureAll(const PairProgram& program, const PairQuestion& question,
                const Options& options) {
  const PrivateRegion region;
  for (const std::size_t length_bytes : options.lengths_bytes) {
    if (length_bytes < kLeastPayloadBytes ||
        length_bytes % kLeastPayloadBytes != 0) {
      Fail("--bytes must be multiples of {}", kLeastPayloadBytes);
    }
    for (const Touch touch : {Touch::kEveryByte, Touch::kFirstWord}) {
      const char* word = touch == Touch::kEveryByte ? "yes" : "no";
      if (options.touch != "both" && options.touch != word) continue;
      Measure(program, question, options, length_bytes, touch);
    }
  }
}

void AddOptions(CLI::App& app, Options& options) {
  app.add_option("--peer", options.peer, "which variant, if there are several");
  app.add_option("--wait", options.wait, "how the sides wait")
      ->check(CLI::IsMember({"busy", "sleep"}));
  app.add_option("--bytes", options.lengths_bytes,
                 "payloads, multiples of 64: 64,4096")
      ->delimiter(',')
      ->capture_default_str();
  app.add_option("--touch", options.touch,
                 "write and read every byte of the payload")
      ->check(CLI::IsMember({"no", "yes", "both"}))
      ->capture_default_str();
  app.add_option("--count", options.count,
                 "messages; 0: as many as fit into the duration")
      ->capture_default_str();
  app.add_option("--duration-ms", options.duration_ms, "of what is timed")
      ->check(CLI::Range(1, 60'000))
      ->capture_default_str();
  app.add_option("--repetitions", options.repetitions)
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--cpus", options.cpus, "where the sides run")
      ->capture_default_str();
  app.add_flag("--json", options.json, "a line for programs per size");
}

}  // namespace

int RunPairProgram(int argc, char** argv, const PairProgram& program) {
  Options options;
  CLI::App app("Two pinned processes, and messages between them.");
  app.require_subcommand(1);
  app.add_subcommand("list", "the variants, a line of JSON each")
      ->callback([&] { List(program); });
  for (const PairQuestion& question : program.questions) {
    CLI::App* command =
        app.add_subcommand(question.command, question.description);
    AddOptions(*command, options);
    command->callback([&] { MeasureAll(program, question, options); });
  }
  try {
    app.parse(argc, argv);
    return 0;
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}: {}\n", program.name, error.what());
    return 1;
  }
}

}  // namespace zcb::bench
