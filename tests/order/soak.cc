// Runs of many seeds, until the time is over or one goes wrong.
//
//   soak [--minutes N] [--seed S]
//
// With --seed only that one, as often as the time allows (once, if no time is
// given): who is faster differs each time. Exits with 1 if a run was bad.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "tests/cpg/abandoned_memory.h"
#include "tests/order/run.h"

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kRunsInALine = 50;

struct Arguments {
  double minutes = 0;
  std::optional<std::uint64_t> seed;
};

[[noreturn]] void Usage() {
  std::fputs("usage: soak [--minutes N] [--seed S]\n", stderr);
  std::exit(2);
}

Arguments Parse(int count, char** words) {
  Arguments arguments;
  for (int i = 1; i < count; i += 2) {
    if (i + 1 == count) Usage();
    const std::string_view name = words[i];
    char* end = nullptr;
    if (name == "--minutes") {
      arguments.minutes = std::strtod(words[i + 1], &end);
    } else if (name == "--seed") {
      arguments.seed = std::strtoull(words[i + 1], &end, 10);
    } else {
      Usage();
    }
    if (end == words[i + 1] || *end != '\0') Usage();
  }
  return arguments;
}

void Add(const zcb::order::RunReport& one, zcb::order::RunReport* total) {
  total->processes += one.processes;
  total->killed += one.killed;
  total->memberships += one.memberships;
  total->verdict.messages += one.verdict.messages;
  total->verdict.views += one.verdict.views;
  total->verdict.deliveries += one.verdict.deliveries;
  total->verdict.mentions += one.verdict.mentions;
}

}  // namespace

int main(int count, char** words) {
  const Arguments arguments = Parse(count, words);
  const auto begun = Clock::now();
  const auto minutes_gone = [&] {
    return std::chrono::duration<double, std::ratio<60>>(Clock::now() - begun)
        .count();
  };
  // Other seeds each time.
  const std::uint64_t first =
      arguments.seed.value_or(static_cast<std::uint64_t>(
          std::chrono::duration_cast<std::chrono::seconds>(
              std::chrono::system_clock::now().time_since_epoch())
              .count()));
  zcb::order::RunReport total;
  std::uint64_t runs = 0;
  do {
    const std::uint64_t seed = arguments.seed ? first : first + runs;
    // The seed of the first of each line, and a dot for each run that is over:
    // so a run that hangs is known.
    if (runs % kRunsInALine == 0) {
      std::printf("%6.1f min  seed %llu ", minutes_gone(),
                  static_cast<unsigned long long>(seed));
    }
    std::fflush(stdout);
    const zcb::order::RunReport report = zcb::order::RunSeed(seed);
    ++runs;
    if (!report.IsGood()) {
      std::printf("\nseed %llu: %sFAILED; again:%s --minutes 1 --seed %llu\n",
                  static_cast<unsigned long long>(seed), ToText(report).c_str(),
                  " tools/dev check order",
                  static_cast<unsigned long long>(seed));
      return 1;
    }
    Add(report, &total);
    std::fputs(runs % kRunsInALine == 0 ? ".\n" : ".", stdout);
  } while (minutes_gone() < arguments.minutes);
  std::printf("%s%llu runs, good: %s", runs % kRunsInALine == 0 ? "" : "\n",
              static_cast<unsigned long long>(runs), ToText(total).c_str());
  return 0;
}
