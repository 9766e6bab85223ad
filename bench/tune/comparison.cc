#include "bench/tune/comparison.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>

namespace zcb::bench::tune {
namespace {

// Student's t at 99 %, one-sided, for 1, 2, ... degrees of freedom.
constexpr std::array<double, 15> kStudent = {
    31.821, 6.965, 4.541, 3.747, 3.365, 3.143, 2.998, 2.896,
    2.821,  2.764, 2.718, 2.681, 2.650, 2.624, 2.602};

double Mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

// Half of the width of the interval around the mean; endless for one value.
double HalfWidth(const std::vector<double>& values) {
  if (values.size() < 2) return std::numeric_limits<double>::infinity();
  const double mean = Mean(values);
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  const auto freedom = static_cast<double>(values.size() - 1);
  const double error =
      std::sqrt(squares / freedom / static_cast<double>(values.size()));
  return kStudent[std::min(values.size() - 2, kStudent.size() - 1)] * error;
}

// One run of each side; false if one cannot be run.
bool RunPairOf(const Measure& measure, const Setting& first,
               const Setting& second, double* first_cost, double* second_cost,
               Comparison* comparison) {
  for (const auto& [setting, cost] :
       {std::pair{&first, first_cost}, std::pair{&second, second_cost}}) {
    const Measurement run = measure(*setting);
    if (!run.cost) {
      comparison->why_not = TextOf(*setting) + ": " + run.why_not;
      return false;
    }
    *cost = *run.cost;
  }
  return true;
}

}  // namespace

double Comparison::Ratio() const {
  return log_ratios.empty() ? 1 : std::exp(Mean(log_ratios));
}

double Comparison::LowRatio() const {
  return log_ratios.empty()
             ? 0
             : std::exp(Mean(log_ratios) - HalfWidth(log_ratios));
}

double Comparison::HighRatio() const {
  return log_ratios.empty()
             ? std::numeric_limits<double>::infinity()
             : std::exp(Mean(log_ratios) + HalfWidth(log_ratios));
}

bool IsBetter(const Comparison& comparison) {
  return !comparison.failed() && comparison.Ratio() <= 1 - kLeastGain &&
         comparison.HighRatio() < 1;
}

bool IsWorse(const Comparison& comparison) {
  return !comparison.failed() && comparison.Ratio() >= 1 / (1 - kLeastGain) &&
         comparison.LowRatio() > 1;
}

bool LooksHopeless(const Comparison& comparison) {
  return comparison.Ratio() > 1 - kLeastGain / 2;
}

Comparison Compare(const Measure& measure, const Setting& a, const Setting& b,
                   unsigned rounds, bool may_give_up) {
  constexpr unsigned kRoundsBeforeGivingUp = 2;
  Comparison comparison;
  for (unsigned round = 0; round < rounds; ++round) {
    double a1 = 0;
    double b1 = 0;
    double a2 = 0;
    double b2 = 0;
    if (!RunPairOf(measure, a, b, &a1, &b1, &comparison) ||
        !RunPairOf(measure, b, a, &b2, &a2, &comparison)) {
      return comparison;
    }
    comparison.a_costs.insert(comparison.a_costs.end(), {a1, a2});
    comparison.b_costs.insert(comparison.b_costs.end(), {b1, b2});
    comparison.log_ratios.push_back(std::log((b1 / a1) * (b2 / a2)) / 2);
    if (may_give_up && round + 1 == kRoundsBeforeGivingUp &&
        LooksHopeless(comparison)) {
      break;
    }
  }
  return comparison;
}

double Median(std::vector<double> values) {
  if (values.empty()) return 0;
  const std::size_t middle = values.size() / 2;
  std::nth_element(values.begin(),
                   values.begin() + static_cast<std::ptrdiff_t>(middle),
                   values.end());
  const double upper = values[middle];
  if (values.size() % 2 != 0) return upper;
  return (upper + *std::max_element(
                      values.begin(),
                      values.begin() + static_cast<std::ptrdiff_t>(middle))) /
         2;
}

}  // namespace zcb::bench::tune
