// The same kill test on zcb and its peers; bench/README.md says what is killed
// and what counts.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "bench/peers/kill/trial.h"

namespace zcb::bench {
namespace {

struct Options {
  int kills = 60;
  unsigned most_us = 3000;
  unsigned patience_s = 5;
  unsigned seed = 1;
  std::string only;
  bool json = false;
};

struct Tally {
  int kills = 0;
  int blocked = 0;
  int kills_counted = 0;  // after which leaks could be counted
  std::int64_t leaked = 0;
};

Tally Try(const KillPeer& peer, const Options& options) {
  std::mt19937 random(options.seed);
  Tally tally;
  for (int i = 0; i < options.kills; ++i) {
    const auto kill_case = peer.make();
    const KillResult result =
        TryKill(kill_case.get(), &random, options.most_us, options.patience_s);
    ++tally.kills;
    if (result.is_blocked) ++tally.blocked;
    if (result.leaked_buffers >= 0) {
      ++tally.kills_counted;
      tally.leaked += result.leaked_buffers;
    }
  }
  return tally;
}

std::string LeakText(const Tally& tally) {
  return tally.kills_counted == 0
             ? "not counted"
             : fmt::format("{} in {} kills", tally.leaked, tally.kills_counted);
}

void Run(const Options& options) {
  nlohmann::ordered_json json;
  if (!options.json) {
    fmt::print("| {:<18} | {:<34} | {:>5} | {:>7} | {:<18} |\n", "peer",
               "killed", "kills", "blocked", "buffers leaked");
  }
  for (const KillPeer& peer : KillPeers()) {
    if (!options.only.empty() && options.only != peer.name) continue;
    if (const auto why_not = peer.why_not()) {
      fmt::print(stderr, "skipped: {}: {}\n", peer.name, *why_not);
      continue;
    }
    const Tally tally = Try(peer, options);
    if (options.json) {
      json[peer.name] = {{"killed", peer.what},
                         {"kills", tally.kills},
                         {"blocked", tally.blocked},
                         {"kills_counted", tally.kills_counted},
                         {"leaked_buffers", tally.leaked}};
    } else {
      fmt::print("| {:<18} | {:<34} | {:>5} | {:>7} | {:<18} |\n", peer.name,
                 peer.what, tally.kills, tally.blocked, LeakText(tally));
      std::fflush(stdout);
    }
  }
  if (options.json) fmt::print("{}\n", json.dump());
}

}  // namespace

std::vector<KillPeer> KillPeers() {
  const auto always = []() -> std::optional<std::string> {
    return std::nullopt;
  };
  return {
      {"zcb_group", "a member that sends", &MakeZcbGroup, always},
      {"zcb_memory", "a process that allocates and gives", &MakeZcbMemory,
       always},
      {"boost_queue", "a sender", &MakeBoostQueue, always},
      {"boost_memory", "a process that allocates", &MakeBoostMemory, always},
      {"iceoryx", "a publisher", &MakeIceoryx, &WhyNoIceoryx},
  };
}

}  // namespace zcb::bench

int main(int argc, char** argv) {
  zcb::bench::Options options;
  CLI::App app(
      "Kills a busy process of each kind, over and over, and counts how often "
      "the others are blocked for ever.");
  app.add_option("--kills", options.kills, "of each")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  app.add_option("--most-us", options.most_us,
                 "latest instant, after the victim is at work")
      ->check(CLI::Range(1U, 1'000'000U))
      ->capture_default_str();
  app.add_option("--patience-s", options.patience_s,
                 "who has not gone on by then is blocked")
      ->check(CLI::Range(1U, 600U))
      ->capture_default_str();
  app.add_option("--seed", options.seed)->capture_default_str();
  app.add_option("--only", options.only, "one peer's name");
  app.add_flag("--json", options.json, "one line for programs");
  CLI11_PARSE(app, argc, argv);
  try {
    zcb::bench::Run(options);
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "kills: {}\n", error.what());
    return 1;
  }
}
