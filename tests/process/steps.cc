// Kills (or stops) each operation at each of its positions.
//
//   steps [--mode kill|stop] [--operation NAME] [--minutes N | --all]
//         [--state DIRECTORY] [--at POSITION]
//
// Goes on where the last run of this binary ended, as far as the minutes reach,
// each operation in its turn; --all: to the end. Operations that are the least
// done come first, short ones before long ones. --at: that position only. Exits
// with 1 if something was found.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/process/progress.h"
#include "tests/process/run.h"

namespace zcb::steps {
namespace {

using Clock = std::chrono::steady_clock;

// An operation that long has had its turn.
constexpr double kMostSecondsEach = 15 * 60;
constexpr double kLeastSecondsEach = 15;
constexpr double kTurns = 10;
constexpr double kSaveEverySeconds = 5;
constexpr std::size_t kMostFindings = 5;
// More of an operation's positions than this may not go missing.
constexpr double kMostMissed = 0.01;

// By SIGINT or SIGTERM: the region and what was done must not be lost.
volatile std::sig_atomic_t is_interrupted = 0;

struct Arguments {
  double minutes = 3;
  bool all = false;
  std::string mode;  // "": both
  std::string operation;
  std::string state;
  std::optional<std::uint64_t> at;
};

[[noreturn]] void Usage() {
  std::fputs(
      "usage: steps [--mode kill|stop] [--operation NAME] [--minutes N | "
      "--all]\n             [--state DIRECTORY] [--at POSITION]\noperations:",
      stderr);
  for (const Operation& operation : Operations()) {
    std::fprintf(stderr, " %s", operation.name.c_str());
  }
  std::fputs("\n", stderr);
  std::exit(2);
}

Arguments Parse(int count, char** words) {
  Arguments arguments;
  for (int i = 1; i < count; ++i) {
    const std::string_view name = words[i];
    if (name == "--all") {
      arguments.all = true;
      continue;
    }
    if (++i == count) Usage();
    char* end = words[i] + std::string_view(words[i]).size();
    if (name == "--minutes") {
      arguments.minutes = std::strtod(words[i], &end);
    } else if (name == "--at") {
      arguments.at = std::strtoull(words[i], &end, 10);
    } else if (name == "--mode") {
      arguments.mode = words[i];
      if (arguments.mode != "kill" && arguments.mode != "stop") Usage();
    } else if (name == "--operation") {
      arguments.operation = words[i];
    } else if (name == "--state") {
      arguments.state = words[i];
    } else {
      Usage();
    }
    if (*end != '\0') Usage();
  }
  return arguments;
}

double SecondsSince(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

class Steps {
 public:
  Steps(const Arguments& arguments, const std::string& mode, double minutes)
      : arguments_(arguments),
        mode_(mode),
        minutes_(minutes),
        progress_(arguments.at ? "" : arguments.state, mode,
                  CodeMap::OfThisProgram().build_id()) {}

  // False: something was found.
  bool Run() {
    std::vector<const Operation*> wanted;
    for (const Operation& operation : Operations()) {
      if (arguments_.operation.empty() ||
          arguments_.operation == operation.name) {
        wanted.push_back(&operation);
      }
    }
    if (wanted.empty()) Usage();
    const auto is_done = [this](const Operation* operation) {
      return progress_.Of(operation->name).is_done();
    };
    if (std::all_of(wanted.begin(), wanted.end(), is_done)) {
      std::puts("all done before: from the start again");
      progress_.Forget();
    }
    // Those of the list lie side by side: a tie goes by their order in it.
    std::sort(wanted.begin(), wanted.end(),
              [this](const Operation* a, const Operation* b) {
                return std::pair(Left(*a), a) < std::pair(Left(*b), b);
              });
    std::printf("%-17s %9s %9s %9s %7s %6s %8s  (%s)\n", "operation",
                "positions", "done", "this run", "per s", "missed", "findings",
                mode_.c_str());
    for (bool moved = true; moved && !IsOver();) {
      moved = false;
      for (const Operation* operation : wanted) {
        if (!IsOver() && !is_done(operation)) {
          moved = RunOne(*operation) || moved;
        }
      }
    }
    return PrintSum(wanted);
  }

 private:
  // Short ones first, what is done last.
  std::uint64_t Left(const Operation& operation) {
    const Share& share = progress_.Of(operation.name);
    return share.total - std::min(share.total, share.next);
  }
  bool IsOver() const {
    if (is_interrupted != 0) return true;
    return !arguments_.all && SecondsSince(begun_) > minutes_ * 60;
  }

  double SecondsOfATurn() const {
    if (arguments_.all || !arguments_.operation.empty()) {
      return kMostSecondsEach;
    }
    return std::max(kLeastSecondsEach, minutes_ * 60 / kTurns);
  }

  // True if that one may go on.
  bool RunOne(const Operation& operation) {
    const auto begun = Clock::now();
    OperationRun run(operation, mode_ == "kill" ? Mode::kKill : Mode::kStop);
    Share& share = progress_.Of(operation.name);
    if (run.Record()) {
      share.total = run.trace().size();
      auto saved = Clock::now();
      if (arguments_.at) {
        share.next = *arguments_.at;
        run.At(std::min(share.next, share.total - 1));
      }
      while (!arguments_.at && share.next < share.total && !IsOver() &&
             run.findings().size() < kMostFindings &&
             SecondsSince(begun) < SecondsOfATurn()) {
        run.At(share.next++);
        if (SecondsSince(saved) > kSaveEverySeconds) {
          progress_.Save();
          saved = Clock::now();
        }
      }
    }
    share.reached += run.reached();
    share.missed += run.missed();
    share.findings += run.findings().size();
    share.seconds += SecondsSince(begun);
    progress_.Save();
    std::printf("%-17s %9llu %9llu %9llu %7.0f %6llu %8llu\n",
                operation.name.c_str(),
                static_cast<unsigned long long>(share.total),
                static_cast<unsigned long long>(share.next),
                static_cast<unsigned long long>(run.reached()),
                static_cast<double>(run.reached()) / SecondsSince(begun),
                static_cast<unsigned long long>(share.missed),
                static_cast<unsigned long long>(share.findings));
    for (const Finding& finding : run.findings()) {
      std::printf(
          "  FOUND at %zu, %s\n  again: steps --mode %s --operation %s"
          " --at %zu\n",
          finding.position, finding.text.c_str(), mode_.c_str(),
          operation.name.c_str(), finding.position);
    }
    std::fflush(stdout);
    found_ += run.findings().size();
    const double tried =
        static_cast<double>(run.reached()) + static_cast<double>(run.missed());
    // A handful may go missing in any case.
    if (static_cast<double>(run.missed()) > 3 + kMostMissed * tried) {
      std::puts("  too many missed");
      ++found_;
    }
    return !arguments_.at && run.findings().empty();
  }

  bool PrintSum(const std::vector<const Operation*>& wanted) {
    Share sum;
    std::size_t done = 0;
    for (const Operation* operation : wanted) {
      const Share& share = progress_.Of(operation->name);
      sum.total += share.total;
      sum.next += std::min(share.next, share.total);
      sum.reached += share.reached;
      sum.missed += share.missed;
      sum.findings += share.findings;
      if (share.is_done()) ++done;
    }
    std::printf(
        "%s: %zu of %zu operations whole; %llu of %llu positions, %llu reached,"
        " %llu missed, %llu findings\n",
        mode_.c_str(), done, wanted.size(),
        static_cast<unsigned long long>(sum.next),
        static_cast<unsigned long long>(sum.total),
        static_cast<unsigned long long>(sum.reached),
        static_cast<unsigned long long>(sum.missed),
        static_cast<unsigned long long>(sum.findings));
    return found_ == 0;
  }

  const Arguments& arguments_;
  const std::string mode_;
  const double minutes_;
  const Clock::time_point begun_ = Clock::now();
  Progress progress_;
  std::size_t found_ = 0;
};

int Main(int count, char** words) {
  const Arguments arguments = Parse(count, words);
  for (const int number : {SIGINT, SIGTERM}) {
    std::signal(number, [](int) { is_interrupted = 1; });
  }
  std::vector<std::string> modes = {"kill", "stop"};
  if (!arguments.mode.empty()) modes = {arguments.mode};
  const double minutes = arguments.minutes / static_cast<double>(modes.size());
  bool good = true;
  for (const std::string& mode : modes) {
    if (!Steps(arguments, mode, minutes).Run()) good = false;
  }
  return good ? 0 : 1;
}

}  // namespace
}  // namespace zcb::steps

int main(int count, char** words) { return zcb::steps::Main(count, words); }
