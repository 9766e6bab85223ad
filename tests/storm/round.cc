#include "tests/storm/round.h"

#include <sys/prctl.h>

#include <algorithm>
#include <cstdlib>
#include <set>
#include <utility>

#include "tests/order/dice.h"
#include "tests/order/journal.h"
#include "tests/storm/board.h"
#include "tests/storm/crowd.h"
#include "tests/storm/life.h"
#include "tests/support/temp_directory.h"

namespace zcb::storm {
namespace {

using testing::TempDirectory;

// A run of the region: from its first process to the moment when all are dead,
// or have ended.
class Round {
 public:
  explicit Round(const RoundOptions& options)
      : options_(options),
        dice_(options.seed, 1),
        journal_(kMostMemberships, kLogBytes) {
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) std::abort();
    setenv("ZCB_DIR", directory_.path().c_str(), 1);
    // Small units and a region that is full now and then, or neither.
    setenv("ZCB_REGION_BYTES", dice_.OneIn(2) ? "32m" : "256m", 1);
    for (const char* name : {"ZCB_REGION", "ZCB_NODEID", "ZCB_KEEP"}) {
      unsetenv(name);
    }
    board_.SetProgram(options.program.c_str());
  }

  RoundReport Run() {
    const std::uint32_t eras = 1 + dice_.Below(3);
    for (std::uint32_t era = 0; era < eras; ++era) {
      if (!RunEra(era, options_.kills * (era + 1) / eras, era + 1 == eras)) {
        break;
      }
    }
    if (report_.hang.empty() && journal_.Complaints().empty() &&
        directory_.CountFiles() != 0) {
      journal_.Complain("files are left in the region's directory");
    }
    order::History history = journal_.Read();
    history.cut_short = std::move(cut_short_);
    report_.complaints = journal_.Complaints();
    report_.processes += board_.LifeEnd() - 1;
    report_.memberships = history.memberships.size();
    if (report_.hang.empty()) report_.verdict = order::Verify(history);
    return std::move(report_);
  }

 private:
  // False: something hangs, or nobody could go on.
  bool RunEra(std::uint32_t era, std::uint64_t kills, bool is_last) {
    CrowdOptions options;
    options.seed = options_.seed;
    options.plan = {era * order::kGroupsOfARegion, 2 + dice_.Below(3),
                    6 + dice_.Below(6)};
    options.most_alive = 12 + dice_.Below(37);
    Crowd crowd(options, &board_, &journal_, &dice_, &report_);
    const std::uint64_t audit_at =
        report_.kills + (kills - std::min(kills, report_.kills)) / 2;
    bool good = crowd.Start() && crowd.KillUntil(audit_at) &&
                crowd.KillAllButTheWitness() && crowd.Audit() &&
                crowd.KillUntil(kills);
    if (good && !is_last && dice_.OneIn(2)) {
      good = crowd.KillAll();
      for (std::uint32_t i = 0; i < options.plan.count; ++i) {
        cut_short_.insert(options.plan.first + i);
      }
    } else if (good) {
      good =
          (dice_.OneIn(2) ? crowd.FinishAll() : crowd.KillAllButTheWitness()) &&
          crowd.Audit() && crowd.End();
    }
    if (!good) crowd.GiveUp();
    return good;
  }

  const RoundOptions options_;
  order::Dice dice_;
  TempDirectory directory_;
  order::Journal journal_;
  Board board_;
  RoundReport report_;
  std::set<std::uint32_t> cut_short_;
};

}  // namespace

void RoundReport::Add(const RoundReport& other) {
  verdict.messages += other.verdict.messages;
  verdict.views += other.verdict.views;
  verdict.deliveries += other.verdict.deliveries;
  verdict.mentions += other.verdict.mentions;
  processes += other.processes;
  executed += other.executed;
  kills += other.kills;
  kills_stopped += other.kills_stopped;
  stops += other.stops;
  all_killed += other.all_killed;
  all_but_one_killed += other.all_but_one_killed;
  audits += other.audits;
  memberships += other.memberships;
}

RoundReport RunRound(const RoundOptions& options) {
  return Round(options).Run();
}

std::string ToText(const RoundReport& report) {
  const order::Verdict& verdict = report.verdict;
  std::string text;
  for (const auto& [count, what] :
       {std::pair{report.processes, " processes ("},
        std::pair{report.executed, " executed), "},
        std::pair{report.kills, " killed ("},
        std::pair{report.kills_stopped, " stopped), "},
        std::pair{report.stops, " stops, "},
        std::pair{report.all_killed, " times all, "},
        std::pair{report.all_but_one_killed, " times all but one, "},
        std::pair{report.audits, " audits, "},
        std::pair{report.memberships, " joins, "},
        std::pair{std::uint64_t{verdict.messages}, " messages, "},
        std::pair{std::uint64_t{verdict.views}, " views, "},
        std::pair{std::uint64_t{verdict.deliveries}, " deliveries\n"}}) {
    text += std::to_string(count) + what;
  }
  constexpr std::size_t kMost = 20;
  for (std::size_t i = 0; i < verdict.violations.size(); ++i) {
    if (i == kMost) {
      text += "  and " + std::to_string(verdict.violations.size() - kMost) +
              " more violations\n";
      break;
    }
    const order::Violation& violation = verdict.violations[i];
    text += "  " + std::string(NameOf(violation.kind)) + ": membership " +
            std::to_string(violation.membership) + " " + violation.text + "\n";
  }
  for (const std::string& complaint : report.complaints) {
    text += "  " + complaint + "\n";
  }
  return text + report.hang;
}

}  // namespace zcb::storm
