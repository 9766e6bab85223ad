// zcb-tune: finds out which settings a workload is better served with, if any.
#include <fmt/format.h>
#include <sched.h>
#include <stdlib.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <system_error>
#include <vector>

#include "bench/failure.h"
#include "bench/tune/knobs.h"
#include "bench/tune/recorder.h"
#include "bench/tune/report.h"
#include "bench/tune/tuner.h"
#include "bench/tune/workload.h"

namespace zcb::bench::tune {
namespace {

// A latency without a rate would be that of a full ring.
constexpr double kDefaultRate = 10'000;
// So many messages should be in a window, if that is not too long.
constexpr double kWantedMessages = 500;
constexpr double kLongestWindow = 3;

struct Arguments {
  std::string sizes = "64";
  double rate = 0;
  unsigned senders = 1;
  unsigned receivers = 1;
  std::string goal = "latency";
  unsigned percentile = 50;
  std::string workload_file;
  std::string record_group;
  double record_s = 10;
  std::string output_file;
  std::vector<std::string> knobs;
  std::vector<int> cpus;
  double minutes = 3;
  unsigned runs = 0;
  double window_s = 0;
  bool untouched = false;
  bool json = false;
  bool quiet = false;
};

// Where the regions of the runs lie; gone at the end.
class RunDirectory {
 public:
  RunDirectory() {
    const char* const base = getenv("ZCB_DIR");
    path_ =
        std::string(base == nullptr ? "/dev/shm" : base) + "/zcb-tune-XXXXXX";
    if (mkdtemp(path_.data()) == nullptr) {
      Fail("cannot make a directory like {}: {}", path_, std::strerror(errno));
    }
  }
  ~RunDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  RunDirectory(const RunDirectory&) = delete;
  RunDirectory& operator=(const RunDirectory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::vector<int> OurCpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return {0};
  std::vector<int> cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(static_cast<unsigned>(cpu), &set)) cpus.push_back(cpu);
  }
  return cpus;
}

nlohmann::json ReadJson(const std::string& file) {
  std::ifstream input(file);
  if (!input) Fail("cannot read {}", file);
  try {
    return nlohmann::json::parse(input);
  } catch (const nlohmann::json::exception& error) {
    Fail("{}: {}", file, error.what());
  }
}

Workload WorkloadOf(const Arguments& arguments) {
  Workload workload;
  if (arguments.workload_file.empty()) {
    workload.sizes = ParseSizes(arguments.sizes);
    workload.rate_per_s = arguments.rate;
    workload.senders = arguments.senders;
    workload.receivers = arguments.receivers;
  } else {
    workload = FromJson(ReadJson(arguments.workload_file));
  }
  workload.goal =
      arguments.goal == "latency" ? Goal::kLatency : Goal::kThroughput;
  workload.percentile = arguments.percentile;
  if (workload.goal == Goal::kLatency && workload.rate_per_s == 0) {
    workload.rate_per_s = kDefaultRate;
  }
  return workload;
}

// The comparison is with the library's own defaults.
void ForgetKnobs() {
  Workload everything;
  everything.sizes = {{std::uint64_t{1} << 20, 1}};
  everything.rate_per_s = 1;
  for (const Knob& knob : KnobsFor(everything, {})) {
    if (getenv(knob.variable.c_str()) == nullptr) continue;
    fmt::print(stderr, "tune: {} of the environment does not count here\n",
               knob.variable);
    unsetenv(knob.variable.c_str());
  }
}

int RecordTo(const Arguments& arguments) {
  const std::string text =
      ToJson(Record(arguments.record_group, arguments.record_s)).dump(1);
  if (arguments.output_file.empty()) {
    fmt::print("{}\n", text);
    return 0;
  }
  std::ofstream output(arguments.output_file);
  output << text << '\n';
  if (!output.flush()) Fail("cannot write {}", arguments.output_file);
  return 0;
}

int TuneAll(const Arguments& arguments) {
  ForgetKnobs();
  EndOnSignals();
  const RunDirectory directory;
  TunePlan plan;
  plan.workload = WorkloadOf(arguments);
  plan.load.directory = directory.path();
  plan.load.touched = !arguments.untouched;
  plan.load.cpus = arguments.cpus.empty() ? OurCpus() : arguments.cpus;
  const double rate = plan.workload.rate_per_s;
  if (arguments.window_s > 0) {
    plan.load.window_s = arguments.window_s;
  } else if (rate > 0) {
    plan.load.window_s =
        std::clamp(kWantedMessages / rate, plan.load.window_s, kLongestWindow);
  }
  plan.only = arguments.knobs;
  plan.minutes = arguments.minutes;
  plan.runs = arguments.runs;
  Findings findings;
  {
    Progress progress(arguments.quiet);
    progress.Say("Workload: " + plan.workload.Describe());
    findings = Tune(plan, progress);
  }
  if (arguments.json) {
    fmt::print("{}\n", ToJson(findings).dump(1));
  } else {
    PrintText(findings);
  }
  return 0;
}

void AddOptions(CLI::App& app, Arguments& a) {
  app.add_option(
         "--size", a.sizes,
         "payload bytes: 64,4096:0.2 (a fifth has 4096), 64..4k (evenly "
         "by doublings)")
      ->capture_default_str();
  app.add_option("--rate", a.rate,
                 "messages a second of all senders; 0: as fast as it goes "
                 "(goal latency: 10000)")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--senders", a.senders)
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app.add_option("--receivers", a.receivers)
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app.add_option("--goal", a.goal,
                 "latency, or throughput (with a rate: least processor time)")
      ->check(CLI::IsMember({"latency", "throughput"}))
      ->capture_default_str();
  app.add_option("--percentile", a.percentile, "of the latency: 50, 90 or 99")
      ->check(CLI::IsMember({50, 90, 99}))
      ->capture_default_str();
  app.add_option("--workload", a.workload_file,
                 "sizes, rate, senders and receivers from a recording")
      ->excludes("--size", "--rate", "--senders", "--receivers");
  app.add_option("--record", a.record_group,
                 "writes the workload of a live group, and tunes nothing; the "
                 "region is that of ZCB_DIR and ZCB_REGION");
  app.add_option("--seconds", a.record_s, "how long to record")
      ->check(CLI::Range(0.1, 86400.0))
      ->capture_default_str();
  app.add_option("--output", a.output_file, "of --record; otherwise stdout");
  app.add_option("--minutes", a.minutes, "the search ends by then")
      ->check(CLI::Range(0.05, 1440.0))
      ->capture_default_str();
  app.add_option("--runs", a.runs, "and after so many runs; 0: no such bound")
      ->capture_default_str();
  app.add_option("--window", a.window_s, "seconds that each run measures")
      ->check(CLI::Range(0.02, 60.0));
  app.add_option("--knobs", a.knobs, "only these variables")->delimiter(',');
  app.add_option("--cpus", a.cpus, "to use; otherwise all that we may")
      ->delimiter(',');
  app.add_flag("--untouched", a.untouched,
               "payloads are neither written nor read, but for 8 bytes");
  app.add_flag("--json", a.json, "all that was measured, for programs");
  app.add_flag("--quiet", a.quiet, "no progress");
}

int Main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app(
      "Measures a workload with the library's settings changed one at a time, "
      "in turns, and prints those that make it better beyond noise.");
  AddOptions(app, arguments);
  CLI11_PARSE(app, argc, argv);
  try {
    return arguments.record_group.empty() ? TuneAll(arguments)
                                          : RecordTo(arguments);
  } catch (const std::exception& error) {
    fmt::print(stderr, "tune: {}\n", error.what());
    return 1;
  }
}

}  // namespace
}  // namespace zcb::bench::tune

int main(int argc, char** argv) { return zcb::bench::tune::Main(argc, argv); }
