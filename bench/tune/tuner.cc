#include "bench/tune/tuner.h"

#include <signal.h>

#include <algorithm>
#include <utility>

#include "bench/clock.h"
#include "bench/failure.h"

namespace zcb::bench::tune {
namespace {

volatile sig_atomic_t interrupted = 0;

void OnSignal(int) { interrupted = 1; }

// A machine that is busy with something else fails a run now and then; a
// setting that cannot be had fails every one.
constexpr int kTries = 3;

class RealRuns {
 public:
  RealRuns(const TunePlan& plan, Progress& progress, Findings& findings)
      : plan_(plan),
        progress_(progress),
        findings_(findings),
        start_ns_(MonotonicNs()) {}

  Measurement Measure(const Setting& setting) {
    std::string why_not;
    for (int i = 0; i < kTries; ++i) {
      progress_.Show(Share(), runs_, TextOf(setting));
      ++runs_;
      try {
        const LoadFigures figures =
            RunLoad(plan_.workload, plan_.load, setting);
        if (interrupted != 0) Fail("interrupted");
        findings_.runs.push_back({setting, figures});
        return {CostOf(plan_.workload, figures), {}};
      } catch (const Failed& failed) {
        if (interrupted != 0) Fail("interrupted");
        ++findings_.failed_runs;
        why_not = failed.what();
      }
    }
    return {{}, why_not};
  }

  bool HasRoomFor(unsigned runs) const {
    if (plan_.runs != 0 && runs_ + runs > plan_.runs) return false;
    const double each_s = Seconds() / std::max(runs_, 1U);
    return Seconds() + runs * each_s <= 60 * plan_.minutes;
  }

  double Seconds() const {
    return static_cast<double>(MonotonicNs() - start_ns_) / 1e9;
  }

 private:
  double Share() const {
    const double of_time = Seconds() / (60 * plan_.minutes);
    return plan_.runs == 0
               ? of_time
               : std::max(of_time, static_cast<double>(runs_) / plan_.runs);
  }

  const TunePlan& plan_;
  Progress& progress_;
  Findings& findings_;
  std::uint64_t start_ns_;
  unsigned runs_ = 0;
};

}  // namespace

void EndOnSignals() {
  struct sigaction action{};
  action.sa_handler = OnSignal;  // no SA_RESTART: sleeps end
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

Findings Tune(const TunePlan& plan, Progress& progress) {
  Findings findings;
  findings.workload = plan.workload;
  RealRuns runs(plan, progress, findings);
  const SearchLimits limits{
      [&](unsigned count) { return runs.HasRoomFor(count); },
      [&](const Trial& trial) { progress.Say(TextOf(plan.workload, trial)); }};
  findings.search =
      Search([&](const Setting& setting) { return runs.Measure(setting); },
             KnobsFor(plan.workload, plan.only), limits);
  findings.seconds = runs.Seconds();
  if (!findings.search.why_not.empty()) {
    Fail("the workload cannot be run: {}", findings.search.why_not);
  }
  return findings;
}

}  // namespace zcb::bench::tune
