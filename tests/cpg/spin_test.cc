// When a wait begins with looking, and when it sleeps at once.
#include "cpg/spin.h"

#include <gtest/gtest.h>

namespace zcb::cpg {
namespace {

constexpr std::uint32_t kPatience = SpinBudget::kPatience;
constexpr std::uint32_t kProbeEvery = SpinBudget::kProbeEvery;

// How many of so many waits begin with looking; all of it in vain, or not.
std::uint32_t Spins(SpinBudget* budget, std::uint32_t waits, bool paid) {
  std::uint32_t spins = 0;
  for (std::uint32_t i = 0; i < waits; ++i) {
    if (!budget->ShouldSpin()) continue;
    ++spins;
    budget->Note(paid);
  }
  return spins;
}

TEST(SpinBudgetTest, LookingThatPaysGoesOn) {
  SpinBudget budget;
  EXPECT_EQ(Spins(&budget, 1000, true), 1000U);
}

TEST(SpinBudgetTest, LookingInVainIsTriedNowAndThenOnly) {
  SpinBudget budget;
  EXPECT_EQ(Spins(&budget, kPatience, false), kPatience);
  EXPECT_EQ(Spins(&budget, 10 * kProbeEvery, false), 10U);
}

TEST(SpinBudgetTest, OneThatPaysBringsItBack) {
  SpinBudget budget;
  Spins(&budget, kPatience, false);
  EXPECT_EQ(Spins(&budget, kProbeEvery, true), 1U);
  EXPECT_EQ(Spins(&budget, 100, true), 100U);
}

TEST(SpinBudgetTest, OneInVainNowAndThenDoesNotEndIt) {
  SpinBudget budget;
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(Spins(&budget, kPatience - 1, false), kPatience - 1);
    EXPECT_EQ(Spins(&budget, 1, true), 1U);
  }
}

TEST(SpinTest, NoTimeMeansOneLook) {
  int looks = 0;
  EXPECT_FALSE(SpinUntil(
      [&] {
        ++looks;
        return false;
      },
      0));
  EXPECT_EQ(looks, 1);
}

TEST(SpinTest, LooksUntilItIsThere) {
  if (!SpinningHelps()) GTEST_SKIP() << "one processor";
  int looks = 0;
  EXPECT_TRUE(SpinUntil([&] { return ++looks == 100; }, 10'000'000'000));
}

}  // namespace
}  // namespace zcb::cpg
