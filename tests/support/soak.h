// A program of runs with seeds, until the time is over or one goes wrong.
#ifndef ZCB_TESTS_SUPPORT_SOAK_H_
#define ZCB_TESTS_SUPPORT_SOAK_H_

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string_view>

namespace zcb::testing {

// Other seeds each time.
inline std::uint64_t SeedFromClock() {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::seconds>(
          std::chrono::system_clock::now().time_since_epoch())
          .count());
}

class MinutesGone {
 public:
  double operator()() const {
    return std::chrono::duration<double, std::ratio<60>>(Clock::now() - begun_)
        .count();
  }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point begun_ = Clock::now();
};

struct SoakArguments {
  double minutes = 0;
  std::optional<std::uint64_t> seed;
};

[[noreturn]] inline void SoakUsage() {
  std::fputs("usage: soak [--minutes N] [--seed S]\n", stderr);
  std::exit(2);
}

//   soak [--minutes N] [--seed S]
//
// Anything else ends the program, with 2.
inline SoakArguments ParseSoakArguments(int count, char** words) {
  SoakArguments arguments;
  for (int i = 1; i < count; i += 2) {
    if (i + 1 == count) SoakUsage();
    const std::string_view name = words[i];
    char* end = nullptr;
    if (name == "--minutes") {
      arguments.minutes = std::strtod(words[i + 1], &end);
    } else if (name == "--seed") {
      arguments.seed = std::strtoull(words[i + 1], &end, 10);
    } else {
      SoakUsage();
    }
    if (end == words[i + 1] || *end != '\0') SoakUsage();
  }
  return arguments;
}

// Runs of many seeds; with --seed only that one, as often as the time allows
// (once, if no time is given): who is faster differs each time. `run(seed)`
// gives a report (IsGood(), Add(), ToText()); `step` is the command's name
// after "tools/dev check". The program's exit code: 1 if a run was bad.
template <typename Run>
int Soak(int count, char** words, const char* step, Run run) {
  constexpr std::uint64_t kRunsInALine = 50;
  const SoakArguments arguments = ParseSoakArguments(count, words);
  const MinutesGone minutes_gone;
  const std::uint64_t first = arguments.seed.value_or(SeedFromClock());
  decltype(run(first)) total;
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
    const auto report = run(seed);
    ++runs;
    if (!report.IsGood()) {
      std::printf(
          "\nseed %llu: %sFAILED; again: tools/dev check %s --minutes 1"
          " --seed %llu\n",
          static_cast<unsigned long long>(seed), ToText(report).c_str(), step,
          static_cast<unsigned long long>(seed));
      return 1;
    }
    total.Add(report);
    std::fputs(runs % kRunsInALine == 0 ? ".\n" : ".", stdout);
  } while (minutes_gone() < arguments.minutes);
  std::printf("%s%llu runs, good: %s", runs % kRunsInALine == 0 ? "" : "\n",
              static_cast<unsigned long long>(runs), ToText(total).c_str());
  return 0;
}

}  // namespace zcb::testing

#endif  // ZCB_TESTS_SUPPORT_SOAK_H_
