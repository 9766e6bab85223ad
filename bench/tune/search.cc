#include "bench/tune/search.h"

#include <utility>

namespace zcb::bench::tune {
namespace {

using Verdict = Trial::Verdict;

constexpr unsigned kComparisonRuns = kRounds * kRunsPerRound;
constexpr unsigned kProofRuns = kProofRounds * kRunsPerRound;
// The second pass sees whether knobs help that did not before others changed.
constexpr int kPasses = 2;

class Searcher {
 public:
  Searcher(const Measure& measure, const std::vector<Knob>& knobs,
           const SearchLimits& limits)
      : measure_(measure), knobs_(knobs), limits_(limits) {}

  SearchResult Run() {
    const Measurement first = measure_({});
    if (!first.cost) {
      result_.why_not = first.why_not;
      return result_;
    }
    for (int pass = 0; pass < kPasses && !result_.ended_early; ++pass) {
      const Setting before = best_;
      for (const Knob& knob : knobs_) Turn(knob);
      if (best_ == before) break;
    }
    for (const Knob& knob : knobs_) TurnBack(knob);
    Prove();
    return std::move(result_);
  }

 private:
  // So many runs, and what must follow: a look at each change, and the proof.
  bool HasRoom(unsigned runs) {
    const auto changes = static_cast<unsigned>(best_.size());
    if (limits_.has_room(runs + (changes + 1) * kComparisonRuns + kProofRuns)) {
      return true;
    }
    result_.ended_early = true;
    return false;
  }

  void Note(Trial trial) {
    if (limits_.on_trial) limits_.on_trial(trial);
    result_.trials.push_back(std::move(trial));
  }

  void Turn(const Knob& knob) {
    for (const std::string& value : knob.values) {
      if (value == ValueOf(best_, knob)) continue;
      if (!HasRoom(kComparisonRuns)) return;
      const Setting changed = With(best_, knob, value);
      Trial trial{knob.variable, value, best_,
                  Compare(measure_, best_, changed, kRounds, true)};
      trial.verdict = trial.comparison.failed()    ? Verdict::kCannotBeHad
                      : IsBetter(trial.comparison) ? Verdict::kBetter
                      : IsWorse(trial.comparison)  ? Verdict::kWorse
                                                   : Verdict::kNoBetter;
      if (trial.verdict == Verdict::kBetter) best_ = changed;
      Note(std::move(trial));
    }
  }

  // A change stays only if its absence is worse beyond noise, too.
  void TurnBack(const Knob& knob) {
    if (!best_.contains(knob.variable)) return;
    const Setting without = With(best_, knob, knob.default_text);
    // What is left of the bound was kept for this.
    Trial trial{knob.variable, knob.default_text, best_,
                Compare(measure_, best_, without, kRounds, false)};
    trial.verdict =
        IsWorse(trial.comparison) ? Verdict::kNeeded : Verdict::kNeedless;
    if (trial.verdict == Verdict::kNeedless) best_ = without;
    Note(std::move(trial));
  }

  void Prove() {
    result_.candidate = best_;
    if (best_.empty()) return;
    result_.proof = Compare(measure_, {}, best_, kProofRounds, false);
    if (IsBetter(result_.proof)) result_.best = best_;
  }

  const Measure& measure_;
  const std::vector<Knob>& knobs_;
  const SearchLimits& limits_;
  Setting best_;
  SearchResult result_;
};

}  // namespace

SearchResult Search(const Measure& measure, const std::vector<Knob>& knobs,
                    const SearchLimits& limits) {
  return Searcher(measure, knobs, limits).Run();
}

}  // namespace zcb::bench::tune
