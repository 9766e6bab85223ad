#include "allocator/unit_claimer.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/allocator/allocator_testing.h"

namespace zcb::alloc {
namespace {

using Kind = UnitWord::Kind;
using Want = UnitClaimer::Want;

class UnitClaimerTest : public testing::AllocatorTest {
 protected:
  UnitClaimerTest()
      : ledger_(UnitLedger::kNoQuota),
        claimer_(shared(), region()->lease(), ledger_, {}) {
    EndAllocator();
  }
  ClaimedUnit MustClaim(Want want = Want::kAny) {
    const Result<ClaimedUnit> unit = claimer_.Claim(want);
    EXPECT_TRUE(unit.ok()) << unit.reason();
    return unit ? *unit : ClaimedUnit{};
  }
  void Free(const ClaimedUnit& unit) {
    claimer_.Release(unit.index, unit.word, unit.word.Free());
  }
  void Set(std::uint32_t index, UnitWord word) {
    shared().unit(index).store(word.raw());
  }

  UnitLedger ledger_;
  UnitClaimer claimer_;
};

TEST_F(UnitClaimerTest, AbandonedComeFirstThenCommittedThenHoles) {
  ASSERT_TRUE(region()->CommitUnits(2, 1).ok());
  ASSERT_TRUE(region()->CommitUnits(5, 1).ok());
  Set(6, UnitWord().Abandon());
  Set(7, UnitWord().Abandon());
  std::vector<std::uint32_t> order;
  for (int i = 0; i < 8; ++i) {
    const ClaimedUnit unit = MustClaim();
    EXPECT_EQ(unit.was_abandoned, unit.index >= 6);
    EXPECT_TRUE(region()->IsUnitCommitted(unit.index));
    EXPECT_TRUE(this->unit(unit.index).IsOwnedBy(region()->lease()));
    order.push_back(unit.index);
  }
  EXPECT_EQ(order, (std::vector<std::uint32_t>{6, 7, 2, 5, 0, 1, 3, 4}));
  EXPECT_FALSE(claimer_.Claim(Want::kAny).ok());
}

TEST_F(UnitClaimerTest, AUnitThatWeFreedIsTakenAgainBeforeAHole) {
  std::vector<ClaimedUnit> units;
  for (int i = 0; i < 6; ++i) units.push_back(MustClaim());
  Free(units[4]);
  Free(units[1]);
  EXPECT_EQ(MustClaim().index, 1U);
  EXPECT_EQ(MustClaim().index, 4U);
  EXPECT_EQ(MustClaim().index, 6U);
}

TEST_F(UnitClaimerTest, AUnitThatOthersFreedIsTakenAgainBeforeAHole) {
  for (int i = 0; i < 6; ++i) MustClaim();
  Set(3, unit(3).Free());
  EXPECT_EQ(MustClaim().index, 3U);
  Set(1, unit(1).Free());
  EXPECT_EQ(MustClaim().index, 1U);
  EXPECT_EQ(MustClaim().index, 6U);
}

TEST_F(UnitClaimerTest, AbandonmentsAreNoticedByTheirCount) {
  MustClaim();
  MustClaim();
  const ClaimedUnit third = MustClaim();
  claimer_.Release(third.index, third.word, third.word.Abandon());
  EXPECT_EQ(MustClaim().index, third.index);
  EXPECT_EQ(MustClaim().index, 3U) << "none is left";
  // One that was not counted is found all the same, when nothing else is left.
  Set(1, unit(1).Abandon());
  for (int i = 0; i < 4; ++i) EXPECT_FALSE(MustClaim().was_abandoned);
  EXPECT_EQ(MustClaim().index, 1U);
}

TEST_F(UnitClaimerTest, WhoWantsOnlyAbandonedUnitsGetsNoOthers) {
  EXPECT_EQ(claimer_.Claim(Want::kAbandonedOnly).status(), Status::kNoMemory);
  EXPECT_EQ(region()->pressure().load(), 0U) << "nothing is short";
  Set(5, UnitWord().Abandon());
  EXPECT_EQ(MustClaim(Want::kAbandonedOnly).index, 5U);
}

TEST_F(UnitClaimerTest, FailureIsTheOnlyThingThatRaisesPressure) {
  for (int i = 0; i < 8; ++i) MustClaim();
  EXPECT_EQ(region()->pressure().load(), 0U);
  EXPECT_FALSE(claimer_.Claim(Want::kAny).ok());
  EXPECT_EQ(region()->pressure().load(), 1U);
  EXPECT_EQ(ledger_.held_units(), 8U) << "a failed claim counts for nothing";
}

TEST_F(UnitClaimerTest, WhatAnExtentLeftBehindIsWipedBeforeUse) {
  ASSERT_TRUE(shared().CommitGranuleWords(0).ok());
  shared().granule(3).store(~std::uint64_t{0});
  EXPECT_EQ(MustClaim().index, 0U);
  EXPECT_EQ(shared().granule(3).load(), 0U);
}

TEST_F(UnitClaimerTest, ReleaseDoesNotTouchWhatSomebodyElseHasByNow) {
  LeaveDamaged();
  const ClaimedUnit ours = MustClaim();
  const UnitWord theirs = ours.word.Abandon().Own({9, 9});
  Set(ours.index, theirs);
  Free(ours);
  EXPECT_EQ(unit(ours.index), theirs);
}

TEST(UnitLedgerTest, TakesUpToTheQuotaAndNotOneMore) {
  UnitLedger ledger(10);
  EXPECT_TRUE(ledger.TryTake(7));
  EXPECT_FALSE(ledger.TryTake(4));
  EXPECT_TRUE(ledger.TryTake(3));
  EXPECT_FALSE(ledger.TryTake(1));
  ledger.Give(1);
  EXPECT_EQ(ledger.returned_units(), 0U);
  ledger.GiveBack(9);
  EXPECT_EQ(ledger.held_units(), 0U);
  EXPECT_EQ(ledger.returned_units(), 9U);
  EXPECT_FALSE(ledger.TryTake(11));
  UnitLedger none(0);
  EXPECT_FALSE(none.TryTake(1));
  UnitLedger unlimited(UnitLedger::kNoQuota);
  EXPECT_TRUE(unlimited.TryTake(~std::uint32_t{0}));
  EXPECT_TRUE(unlimited.TryTake(~std::uint32_t{0}));
}

}  // namespace
}  // namespace zcb::alloc
