// How long a receiver waits at an empty place, by how many messages there were.
#include "ipc/burst_pause.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace zcb::ipc {
namespace {

constexpr std::uint32_t kMostNs = 2000;

// Some messages of others, then an empty place: how long is waited there.
std::uint32_t After(BurstPause& pause, std::uint32_t messages) {
  for (std::uint32_t i = 0; i < messages; ++i) pause.Found();
  return pause.NextNs();
}

// As many empty places as it takes until one is a probe.
void UntilItProbes(BurstPause& pause, std::uint32_t messages) {
  for (std::uint32_t i = 1; i < BurstPause::kProbeEvery; ++i) {
    ASSERT_EQ(After(pause, messages), 0U) << i;
  }
  ASSERT_EQ(After(pause, messages), BurstPause::kLeastNs);
}

TEST(BurstPauseTest, SingleMessagesAreWaitedForInAProbeOnly) {
  BurstPause pause(kMostNs);
  for (int round = 0; round < 5; ++round) {
    UntilItProbes(pause, 1);
    EXPECT_EQ(After(pause, 1), 0U) << "it did not pay";
  }
}

TEST(BurstPauseTest, WhereManyComeItWaitsLongerAndLongerUpToTheMost) {
  BurstPause pause(kMostNs);
  UntilItProbes(pause, 1);
  std::uint32_t wanted_ns = BurstPause::kLeastNs;
  for (int i = 0; i < 10; ++i) {
    wanted_ns = wanted_ns * 2 < kMostNs ? wanted_ns * 2 : kMostNs;
    EXPECT_EQ(After(pause, BurstPause::kMany), wanted_ns);
  }
  EXPECT_EQ(wanted_ns, kMostNs);
}

TEST(BurstPauseTest, WhereFewComeItWaitsLessAndThenNotAtAll) {
  BurstPause pause(kMostNs);
  UntilItProbes(pause, 1);
  for (int i = 0; i < 8; ++i) After(pause, BurstPause::kMany);
  EXPECT_EQ(After(pause, BurstPause::kFew), kMostNs) << "neither many nor few";
  EXPECT_EQ(After(pause, BurstPause::kFew - 1), kMostNs / 2);
  EXPECT_EQ(After(pause, 1), kMostNs / 4);
  EXPECT_EQ(After(pause, 1), 0U);
  for (std::uint32_t i = 2; i < BurstPause::kProbeEvery; ++i) {
    EXPECT_EQ(After(pause, 1), 0U);
  }
}

TEST(BurstPauseTest, WhoLooksAgainAndWhoReadsHisOwnIsNotMadeToWait) {
  BurstPause pause(kMostNs);
  UntilItProbes(pause, 1);
  ASSERT_NE(After(pause, BurstPause::kMany), 0U);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(pause.NextNs(), 0U);
  EXPECT_FALSE(pause.Wait());
}

TEST(BurstPauseTest, AskedForAnotherLookItHasWaited) {
  BurstPause pause(kMostNs);
  UntilItProbes(pause, 1);
  for (std::uint32_t i = 0; i < BurstPause::kMany; ++i) pause.Found();
  const std::int64_t before_ns = NowNs();
  EXPECT_TRUE(pause.Wait());
  EXPECT_GE(NowNs() - before_ns, 2 * BurstPause::kLeastNs);
}

TEST(BurstPauseTest, ZeroIsNever) {
  BurstPause pause(0);
  for (std::uint32_t i = 0; i < 4 * BurstPause::kProbeEvery; ++i) {
    EXPECT_EQ(After(pause, BurstPause::kMany), 0U);
  }
}

TEST(BurstPauseTest, TheMostMayBeLessThanTheLeast) {
  BurstPause pause(50);
  for (std::uint32_t i = 1; i < BurstPause::kProbeEvery; ++i) After(pause, 1);
  EXPECT_EQ(After(pause, 1), 50U);
  EXPECT_EQ(After(pause, BurstPause::kMany), 50U);
}

}  // namespace
}  // namespace zcb::ipc
