// Rounds of many seeds, until the time is over, enough were killed, or one goes
// wrong.
//
//   storm [--minutes N] [--kills N] [--seed S] [--state FILE]
//
// Without --seed the rounds have consecutive seeds, from the clock; with it all
// have that one. FILE adds up what this build has done in all its runs; --kills
// then counts those, too. Exits with 1 if a round was bad.
#include <malloc.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "tests/cpg/abandoned_memory.h"
#include "tests/storm/life.h"
#include "tests/storm/round.h"
#include "tests/storm/state_file.h"
#include "tests/support/soak.h"

namespace {

using zcb::storm::RoundOptions;
using zcb::storm::RoundReport;
using zcb::storm::StateFile;

struct Arguments {
  double minutes = 0;
  std::uint64_t kills = 0;
  std::optional<std::uint64_t> seed;
  std::string state;
};

[[noreturn]] void Usage() {
  std::fputs(
      "usage: storm [--minutes N] [--kills N] [--seed S] [--state FILE]\n",
      stderr);
  std::exit(2);
}

Arguments Parse(int count, char** words) {
  Arguments arguments;
  for (int i = 1; i < count; i += 2) {
    if (i + 1 == count) Usage();
    const std::string_view name = words[i];
    char* const text = words[i + 1];
    char* end = nullptr;
    if (name == "--minutes") {
      arguments.minutes = std::strtod(text, &end);
    } else if (name == "--kills") {
      arguments.kills = std::strtoull(text, &end, 10);
    } else if (name == "--seed") {
      arguments.seed = std::strtoull(text, &end, 10);
    } else if (name == "--state") {
      arguments.state = text;
      continue;
    } else {
      Usage();
    }
    if (end == text || *end != '\0') Usage();
  }
  return arguments;
}

}  // namespace

int main(int count, char** words) {
  zcb::storm::RunLifeIfAsked(count, words);
  const Arguments arguments = Parse(count, words);
  const std::string program = std::filesystem::read_symlink("/proc/self/exe");
  StateFile state(arguments.state, program);
  if (state.kills() != 0) {
    std::printf("this build so far: %llu killed in %llu rounds\n",
                static_cast<unsigned long long>(state.kills()),
                static_cast<unsigned long long>(state.rounds()));
  }
  const zcb::testing::MinutesGone minutes_gone;
  RoundReport total;
  RoundOptions options;
  options.program = program;
  options.seed = arguments.seed.value_or(zcb::testing::SeedFromClock());
  for (std::uint64_t rounds = 1;; ++rounds) {
    // Before it begins: a round that hangs is known by it.
    std::printf("%6.1f min  seed %llu: ", minutes_gone(),
                static_cast<unsigned long long>(options.seed));
    std::fflush(stdout);
    const RoundReport report = RunRound(options);
    std::fputs(ToText(report).c_str(), stdout);
    if (!report.IsGood()) {
      std::printf(
          "FAILED, after %llu kills; again: tools/dev check storm --minutes 5"
          " --seed %llu\n",
          static_cast<unsigned long long>(total.kills + report.kills),
          static_cast<unsigned long long>(options.seed));
      return 1;
    }
    // Judging the logs took hundreds of MiB, whose page tables each fork of the
    // next round would copy.
    ::malloc_trim(0);
    total.Add(report);
    state.Add(report.kills);
    const bool enough =
        arguments.kills != 0 && state.kills() >= arguments.kills;
    const bool goes_on = arguments.minutes != 0
                             ? minutes_gone() < arguments.minutes
                             : arguments.kills != 0;
    if (enough || !goes_on) {
      std::printf("%llu rounds, %.1f min, good: %s",
                  static_cast<unsigned long long>(rounds), minutes_gone(),
                  ToText(total).c_str());
      break;
    }
    if (!arguments.seed) ++options.seed;
  }
  std::printf("this build in all: %llu killed in %llu rounds\n",
              static_cast<unsigned long long>(state.kills()),
              static_cast<unsigned long long>(state.rounds()));
  return 0;
}
