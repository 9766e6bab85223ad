// The search, with costs that are made up: what it must find, and what not.
#include "bench/tune/search.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace zcb::bench::tune {
namespace {

using Verdict = Trial::Verdict;

const std::vector<Knob>& MadeUpKnobs() {
  static const std::vector<Knob> knobs = {
      {"A", "1", {"0", "2", "4"}, ""},
      {"B", "x", {"y", "z"}, ""},
      {"C", "8", {"16", "32"}, ""},
      {"D", "no", {"yes"}, ""},
  };
  return knobs;
}

// What each value does to a cost of 1000; times noise, times drift.
class MadeUpMachine {
 public:
  explicit MadeUpMachine(unsigned seed, double noise = 0)
      : random_(seed), noise_(0, 1), noise_share_(noise) {}

  std::map<std::pair<std::string, std::string>, double> factors;
  std::string impossible;    // a variable whose values cannot be had
  double drift_per_run = 0;  // the machine gets slower
  double together = 1;       // what A=4 with B=z costs besides
  bool defaults_work = true;
  unsigned runs = 0;

  Measurement Run(const Setting& setting) {
    ++runs;
    if (!defaults_work) return {{}, "nothing works"};
    double cost = 1000 * (1 + drift_per_run * runs);
    for (const auto& [variable, value] : setting) {
      if (variable == impossible) return {{}, "not here"};
      const auto found = factors.find({variable, value});
      if (found != factors.end()) cost *= found->second;
    }
    const auto is = [&](const char* variable, const char* value) {
      const auto found = setting.find(variable);
      return found != setting.end() && found->second == value;
    };
    if (is("A", "4") && is("B", "z")) cost *= together;
    if (noise_share_ > 0) cost *= std::exp(noise_share_ * noise_(random_));
    return {cost, {}};
  }

  SearchResult Search(unsigned most_runs = 10'000) {
    return tune::Search([this](const Setting& setting) { return Run(setting); },
                        MadeUpKnobs(),
                        {[this, most_runs](unsigned count) {
                           return runs + count <= most_runs;
                         },
                         {}});
  }

 private:
  std::mt19937 random_;
  std::normal_distribution<double> noise_;
  double noise_share_;
};

TEST(SearchTest, FindsTheBestValueOfEachKnob) {
  MadeUpMachine machine(1);
  machine.factors = {{{"A", "2"}, 0.9},
                     {{"A", "4"}, 0.7},
                     {{"B", "y"}, 1.3},
                     {{"C", "32"}, 0.8}};
  const SearchResult result = machine.Search();
  EXPECT_EQ(result.best, (Setting{{"A", "4"}, {"C", "32"}}));
  EXPECT_NEAR(result.proof.Ratio(), 0.56, 0.001);
  EXPECT_FALSE(result.ended_early);
}

TEST(SearchTest, FindsTheBestInNoiseThatIsSmallerThanTheEffect) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    MadeUpMachine machine(seed, 0.03);
    machine.factors = {{{"A", "4"}, 0.8}, {{"C", "32"}, 0.8}};
    EXPECT_EQ(machine.Search().best, (Setting{{"A", "4"}, {"C", "32"}}))
        << seed;
  }
}

TEST(SearchTest, KnobsThatOnlyHelpTogetherAreFoundInTheSecondPass) {
  MadeUpMachine machine(1);
  machine.factors = {{{"A", "4"}, 1.1}, {{"B", "z"}, 0.9}};
  machine.together = 0.5;
  EXPECT_EQ(machine.Search().best, (Setting{{"A", "4"}, {"B", "z"}}));
}

// A knob that was taken because of another one, and is of no use in the end.
TEST(SearchTest, WhatIsOfNoUseInTheEndIsTakenBack) {
  MadeUpMachine machine(1);
  machine.factors = {{{"A", "2"}, 0.95}, {{"B", "y"}, 0.5}};
  // A=2 helps alone; with B=y it no longer does.
  const auto run = [&](const Setting& setting) {
    Measurement measured = machine.Run(setting);
    if (setting.contains("A") && setting.contains("B")) {
      measured.cost = 1000 * 0.5;
    }
    return measured;
  };
  const SearchResult result =
      Search(run, MadeUpKnobs(), {[](unsigned) { return true; }, {}});
  EXPECT_EQ(result.best, (Setting{{"B", "y"}}));
  EXPECT_TRUE(std::any_of(
      result.trials.begin(), result.trials.end(), [](const Trial& trial) {
        return trial.verdict == Verdict::kNeedless && trial.variable == "A";
      }));
}

TEST(SearchTest, DoesNotFollowNoise) {
  int recommended = 0;
  for (unsigned seed = 0; seed < 200; ++seed) {
    MadeUpMachine machine(seed, 0.08);
    if (!machine.Search().best.empty()) ++recommended;
  }
  EXPECT_LE(recommended, 1) << "of 200 searches where nothing matters";
}

TEST(SearchTest, DoesNotFollowAMachineThatGetsSlowerOrFaster) {
  for (const double drift : {0.01, -0.002}) {
    MadeUpMachine machine(1);
    machine.drift_per_run = drift;
    const SearchResult result = machine.Search();
    EXPECT_TRUE(result.best.empty()) << TextOf(result.best);
    EXPECT_TRUE(result.candidate.empty()) << TextOf(result.candidate);
  }
}

TEST(SearchTest, AGainTooSmallToMatterIsNoGain) {
  MadeUpMachine machine(1);
  machine.factors = {{{"A", "2"}, 0.99}};
  EXPECT_TRUE(machine.Search().best.empty());
}

TEST(SearchTest, StaysWithinItsBoundAndSaysSo) {
  for (const unsigned bound : {1U, 50U, 57U, 100U, 150U, 200U}) {
    MadeUpMachine machine(1);
    machine.factors = {
        {{"A", "2"}, 0.9}, {{"B", "y"}, 0.9}, {{"D", "yes"}, 0.9}};
    const SearchResult result = machine.Search(bound);
    EXPECT_LE(machine.runs, bound);
    EXPECT_TRUE(result.ended_early) << bound;
    // What was found until then is proved, or nothing is recommended.
    EXPECT_TRUE(result.best.empty() || IsBetter(result.proof)) << bound;
  }
}

TEST(SearchTest, WhatCannotBeHadIsSaidAndTheRestIsTried) {
  MadeUpMachine machine(1);
  machine.impossible = "B";
  machine.factors = {{{"C", "16"}, 0.5}};
  const SearchResult result = machine.Search();
  EXPECT_EQ(result.best, (Setting{{"C", "16"}}));
  int impossible = 0;
  for (const Trial& trial : result.trials) {
    if (trial.verdict != Verdict::kCannotBeHad) continue;
    EXPECT_EQ(trial.variable, "B");
    EXPECT_NE(trial.comparison.why_not.find("not here"), std::string::npos);
    ++impossible;
  }
  EXPECT_GE(impossible, 2);
}

TEST(SearchTest, DefaultsThatCannotBeRunEndItAtOnce) {
  MadeUpMachine machine(1);
  machine.defaults_work = false;
  const SearchResult result = machine.Search();
  EXPECT_EQ(result.why_not, "nothing works");
  EXPECT_EQ(machine.runs, 1U);
}

TEST(SearchTest, LuckThatDoesNotLastIsNotRecommended) {
  // A=2 is fast for as long as the search tries it, and slow afterwards.
  unsigned runs = 0;
  const auto run = [&](const Setting& setting) -> Measurement {
    ++runs;
    const bool lucky = setting.contains("A");
    return {lucky && runs <= 113 ? 500.0 : 1000.0, {}};
  };
  const std::vector<Knob> knobs = {{"A", "1", {"2"}, ""},
                                   {"B", "1", {"2", "3", "4", "5"}, ""}};
  const SearchResult result =
      Search(run, knobs, {[](unsigned) { return true; }, {}});
  EXPECT_TRUE(result.best.empty());
}

TEST(ComparisonTest, AKnownDifferenceIsWithinItsInterval) {
  int covered = 0;
  constexpr int kTimes = 300;
  std::mt19937 random(7);
  std::normal_distribution<double> noise(0, 0.05);
  for (int i = 0; i < kTimes; ++i) {
    const auto run = [&](const Setting& setting) -> Measurement {
      return {(setting.empty() ? 100 : 90) * std::exp(noise(random)), {}};
    };
    const Comparison comparison = Compare(run, {}, {{"A", "2"}}, 6, false);
    if (comparison.LowRatio() <= 0.9 && 0.9 <= comparison.HighRatio()) {
      ++covered;
    }
  }
  // 98 % are to be expected.
  EXPECT_GE(covered, kTimes * 95 / 100);
}

TEST(ComparisonTest, AMachineThatGetsFasterSteadilyFavoursNobody) {
  double cost = 1000;
  const auto run = [&](const Setting&) -> Measurement {
    cost *= 0.95;
    return {cost, {}};
  };
  const Comparison comparison = Compare(run, {}, {{"A", "2"}}, 6, false);
  EXPECT_NEAR(comparison.Ratio(), 1, 1e-9);
  EXPECT_FALSE(IsBetter(comparison));
}

TEST(ComparisonTest, OneRoundProvesNothing) {
  const auto run = [](const Setting& setting) -> Measurement {
    return {setting.empty() ? 100 : 50, {}};
  };
  EXPECT_FALSE(IsBetter(Compare(run, {}, {{"A", "2"}}, 1, false)));
  EXPECT_TRUE(IsBetter(Compare(run, {}, {{"A", "2"}}, 2, false)));
  EXPECT_TRUE(IsWorse(Compare(run, {{"A", "2"}}, {}, 2, false)));
}

TEST(ComparisonTest, MedianIsTheMiddle) {
  EXPECT_EQ(Median({}), 0);
  EXPECT_EQ(Median({3}), 3);
  EXPECT_EQ(Median({5, 1, 3}), 3);
  EXPECT_EQ(Median({1, 2, 10, 4}), 3);
}

}  // namespace
}  // namespace zcb::bench::tune
