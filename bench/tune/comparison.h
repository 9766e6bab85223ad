// Two settings against each other, in turns, and whether they differ.
#ifndef ZCB_BENCH_TUNE_COMPARISON_H_
#define ZCB_BENCH_TUNE_COMPARISON_H_

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "bench/tune/knobs.h"

namespace zcb::bench::tune {

// What one run of one setting cost: less is better. No cost: it cannot be run.
struct Measurement {
  std::optional<double> cost;
  std::string why_not;
};

using Measure = std::function<Measurement(const Setting&)>;

// A round is A B B A, so that a machine that gets slower or faster steadily
// gives both the same; its figure is the logarithm of what B costs over what A
// costs.
inline constexpr unsigned kRunsPerRound = 4;

struct Comparison {
  std::vector<double> a_costs;  // in the order in which they were measured
  std::vector<double> b_costs;
  std::vector<double> log_ratios;  // one a round
  std::string why_not;             // a side cannot be run, and why

  bool failed() const { return !why_not.empty(); }
  // Of the rounds, as ratios B/A: the geometric mean, and the interval in which
  // it lies with 99 % (Student's t, one-sided at either end).
  double Ratio() const;
  double LowRatio() const;
  double HighRatio() const;
};

// A difference that is smaller is nobody's concern, noise or not.
inline constexpr double kLeastGain = 0.02;

// B costs less: by kLeastGain in the mean, and beyond what chance explains.
bool IsBetter(const Comparison& comparison);
bool IsWorse(const Comparison& comparison);
// After a few rounds: B will hardly turn out to be better.
bool LooksHopeless(const Comparison& comparison);

// Measures `rounds` rounds; fewer if one side cannot be run, or, with
// `may_give_up`, if B looks hopeless after the first two. It never ends early
// because B looks good: that would find good luck.
Comparison Compare(const Measure& measure, const Setting& a, const Setting& b,
                   unsigned rounds, bool may_give_up);

double Median(std::vector<double> values);

}  // namespace zcb::bench::tune

#endif  // ZCB_BENCH_TUNE_COMPARISON_H_
