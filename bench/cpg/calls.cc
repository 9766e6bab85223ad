// How long each call of the CPG API takes, in one process. Linked to the
// system's libcpg, so the same program runs on Corosync's library and, by
// LD_LIBRARY_PATH, on ours.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <nlohmann/json.hpp>

#include "bench/clock.h"
#include "bench/cpg/call_cases.h"
#include "bench/cpg/client.h"
#include "bench/cpg/crowd.h"
#include "bench/process_pair.h"

namespace zcb::bench {
namespace {

struct Options {
  CallOptions calls;
  std::size_t members = 128;
  bool json = false;
};

nlohmann::ordered_json AsJson(const CallFigures& figures) {
  return {{"p50_ns", figures.p50_ns},
          {"p99_ns", figures.p99_ns},
          {"least_ns", figures.least_ns},
          {"samples", figures.samples},
          {"calls_per_sample", figures.calls_per_sample}};
}

CallFigures Single(double ns) {
  return {.p50_ns = ns, .p99_ns = ns, .least_ns = ns, .samples = 1};
}

void Measure(const Options& options) {
  constexpr std::size_t kFew = 16;
  const PrivateRegion region;
  const TickClock clock;
  const Crowd crowd(options.members - 1, kFew - 1);
  nlohmann::ordered_json json;  // in the order of the report
  const Report report = [&](const char* call, const CallFigures& figures) {
    if (options.json) {
      json[call] = AsJson(figures);
    } else {
      fmt::print("{:32} p50 {:12.1f} ns   p99 {:12.1f} ns   least {:12.1f}\n",
                 call, figures.p50_ns, figures.p99_ns, figures.least_ns);
    }
  };
  report("cpg_initialize, first of all", Single(crowd.very_first_ns()));
  const std::uint64_t start = MonotonicNs();
  const cpg_handle_t handle = Initialize();
  const std::uint64_t attached = MonotonicNs();
  Join(handle, Named("bench-first"));
  const std::uint64_t entered = MonotonicNs();
  report("cpg_initialize, first of a process",
         Single(static_cast<double>(attached - start)));
  report("join+confchg, first of a process",
         Single(static_cast<double>(entered - attached)));
  Check(cpg_finalize(handle), "cpg_finalize");

  TimeLifecycle(clock, options.calls, report);
  TimeHandleCalls(clock, options.calls, report);
  TimeMembershipCalls(clock, options.calls, report);
  TimeMessageCalls(clock, options.calls, report);
  if (options.json) fmt::print("{}\n", json.dump());
}

}  // namespace
}  // namespace zcb::bench

int main(int argc, char** argv) {
  zcb::bench::Options options;
  CLI::App app("Times every call of the CPG API, in one process.");
  app.add_option("--cycles", options.calls.cycles,
                 "from cpg_initialize to cpg_finalize")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  app.add_option("--samples", options.calls.samples, "of the shorter calls")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  app.add_option("--members", options.members,
                 "processes in the largest group, with this one")
      ->check(CLI::Range(16, 128))
      ->capture_default_str();
  app.add_flag("--json", options.json, "one line for programs");
  CLI11_PARSE(app, argc, argv);
  try {
    zcb::bench::Measure(options);
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "calls: {}\n", error.what());
    return 1;
  }
}
