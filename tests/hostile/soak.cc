// Rounds of many seeds, until the time is over or one goes wrong.
//
//   soak [--minutes N] [--seed S]
//
// With --seed only that one, as often as the time allows (once, if no time is
// given): who is hit where differs each time. Exits with 1 if a round was bad.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "tests/cpg/abandoned_memory.h"
#include "tests/hostile/round.h"

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kRoundsInALine = 50;

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
  zcb::hostile::RoundReport total;
  std::uint64_t rounds = 0;
  do {
    const std::uint64_t seed = arguments.seed ? first : first + rounds;
    // The seed of the first of each line, and a dot for each that is over.
    if (rounds % kRoundsInALine == 0) {
      std::printf("%6.1f min  seed %llu ", minutes_gone(),
                  static_cast<unsigned long long>(seed));
    }
    std::fflush(stdout);
    zcb::hostile::RoundOptions options;
    options.one_truncation_in = seed % 4 == 0 ? 24 : 0;
    const auto report = zcb::hostile::RunRound(seed, options);
    ++rounds;
    if (!report.IsGood()) {
      std::printf(
          "\nseed %llu: %sagain: tools/dev check fuzz --minutes 1"
          " --seed %llu\n",
          static_cast<unsigned long long>(seed), ToText(report).c_str(),
          static_cast<unsigned long long>(seed));
      return 1;
    }
    total.Add(report);
    std::fputs(rounds % kRoundsInALine == 0 ? ".\n" : ".", stdout);
  } while (minutes_gone() < arguments.minutes);
  std::printf("%s%llu rounds, good: %s",
              rounds % kRoundsInALine == 0 ? "" : "\n",
              static_cast<unsigned long long>(rounds), ToText(total).c_str());
  return 0;
}
