// Which units a process keeps, and which it lets go.
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "allocator/unit_table.h"
#include "tests/allocator/allocator_testing.h"

namespace zcb::alloc {
namespace {

using testing::Child;
using testing::Talk;
using Kind = UnitWord::Kind;

// Counts what stands in the unit words.
class UnitCounts {
 public:
  explicit UnitCounts(const SharedTables& shared) : shared_(shared) {}
  std::uint32_t Of(Kind kind) const {
    std::uint32_t count = 0;
    for (std::uint32_t u = 0; u < shared_.unit_count(); ++u) {
      count += testing::UnitAt(shared_, u).kind() == kind;
    }
    return count;
  }
  // Grows with every unit that changes hands.
  std::uint64_t Changes() const {
    std::uint64_t sum = 0;
    for (std::uint32_t u = 0; u < shared_.unit_count(); ++u) {
      sum += testing::UnitAt(shared_, u).epoch();
    }
    return sum;
  }

 private:
  SharedTables shared_;
};

// --- spares, without the caches above them ---------------------------------

// The table of one process, in a region of 256 units: 16 spares at most.
class UnitSparesTest : public testing::AllocatorTest {
 protected:
  static constexpr std::uint32_t kUnits = 256;

  UnitSparesTest() : AllocatorTest(kUnits), counts_(shared()) {
    EndAllocator();
  }
  std::unique_ptr<UnitTable> MakeTable(std::uint32_t spares) {
    AllocatorOptions options;
    options.spare_bytes = spares * kUnitBytes;
    return std::make_unique<UnitTable>(shared(), region()->lease(), options);
  }
  // So many slabs of a whole unit each.
  static std::vector<std::uint32_t> Take(UnitTable& table,
                                         std::uint32_t count) {
    const SizeClass& cut = kSizeClasses[kFirstSmallUnitClass - 1];
    EXPECT_EQ(cut.granules, kGranulesPerUnit);
    std::vector<std::uint32_t> slabs;
    while (slabs.size() < count) {
      if (const auto first = table.TakeGranules(cut)) {
        slabs.push_back(*first);
        continue;
      }
      const auto unit = table.Claim(UnitTable::Want::kAny);
      if (!unit) break;
      table.Insert(*unit, GranuleMap::AllFree(kGranulesPerUnit));
    }
    EXPECT_EQ(slabs.size(), count);
    return slabs;
  }
  static void Give(UnitTable& table, const std::vector<std::uint32_t>& slabs) {
    for (const std::uint32_t first : slabs) {
      table.GiveGranules(first, kGranulesPerUnit);
    }
  }
  // Up and down again, as the layers above would tell of it.
  static void Swing(UnitTable& table, std::uint32_t units) {
    const std::vector<std::uint32_t> slabs = Take(table, units);
    if (table.NoteTraffic(units * kUnitBytes)) table.Settle();
    Give(table, slabs);
    if (table.NoteTraffic(units * kUnitBytes)) table.Settle();
  }
  // All but so many of the free units are somebody else's.
  void LeaveFree(std::uint32_t free) {
    for (std::uint32_t u = kUnits; u-- > 0 && counts_.Of(Kind::kFree) > free;) {
      if (unit(u).kind() != Kind::kFree) continue;
      shared().unit(u).store(unit(u).Reserve({9, 9}, 1).raw());
    }
  }

  UnitCounts counts_;
};

TEST_F(UnitSparesTest, ASwingWithinTheSparesChangesNoUnit) {
  const auto table = MakeTable(12);
  Swing(*table, 12);
  const std::uint64_t before = counts_.Changes();
  for (int i = 0; i < 200; ++i) Swing(*table, 12);
  EXPECT_EQ(counts_.Changes(), before);
}

TEST_F(UnitSparesTest, NoMoreThanTheSparesAreKept) {
  for (const std::uint32_t spares : {0U, 1U, 5U, 16U}) {
    const auto table = MakeTable(spares);
    Give(*table, Take(*table, 20));
    EXPECT_EQ(table->owned_count(), spares);
    EXPECT_EQ(counts_.Of(Kind::kOwned), spares);
    EXPECT_EQ(table->ledger().held_units(), spares);
    table->LeaveAll();
  }
}

TEST_F(UnitSparesTest, NeverMoreThanASixteenthOfTheRegion) {
  const auto table = MakeTable(kUnits);
  Give(*table, Take(*table, 20));
  EXPECT_EQ(table->owned_count(), kUnits / 16);
}

TEST_F(UnitSparesTest, MostOfWhatIsFreeStaysWithTheRegion) {
  LeaveDamaged();
  LeaveFree(40);
  const auto first = MakeTable(16);
  Give(*first, Take(*first, 20));
  EXPECT_EQ(first->owned_count(), 10U) << "a quarter of 40";
  const auto second = MakeTable(16);
  Give(*second, Take(*second, 20));
  EXPECT_EQ(second->owned_count(), 7U) << "a quarter of 30";
}

TEST_F(UnitSparesTest, WhatIsTooMuchByNowGoesBackInTime) {
  LeaveDamaged();
  const auto table = MakeTable(16);
  Give(*table, Take(*table, 20));
  ASSERT_EQ(table->owned_count(), 16U);
  LeaveFree(4);
  // A quarter of 4 + 16.
  for (int i = 0; i < 100; ++i) Swing(*table, 3);
  EXPECT_LE(table->owned_count(), 5U);
}

TEST_F(UnitSparesTest, SparesThatAreNotNeededGoBackInTime) {
  const auto table = MakeTable(16);
  Give(*table, Take(*table, 20));
  ASSERT_EQ(table->owned_count(), 16U);
  // A period is 16 x 8 units of traffic; a swing of four has eight of it.
  const auto swing_for_a_period = [&] {
    for (int i = 0; i < 16; ++i) Swing(*table, 4);
  };
  swing_for_a_period();
  EXPECT_GT(table->owned_count(), 4U) << "by halves, not all at once";
  for (int i = 0; i < 8; ++i) swing_for_a_period();
  EXPECT_EQ(table->owned_count(), 4U) << "what it needs stays";
}

TEST_F(UnitSparesTest, PressureIsHeardOnce) {
  const auto table = MakeTable(16);
  EXPECT_FALSE(table->HearsPressure());
  const auto other = MakeTable(16);
  other->AskOthers();
  other->AskOthers();
  EXPECT_TRUE(table->HearsPressure());
  EXPECT_FALSE(table->HearsPressure());
}

// --- whole processes -------------------------------------------------------

std::unique_ptr<Allocator> MakeWith(std::shared_ptr<Region> region,
                                    const AllocatorOptions& options) {
  auto made = Allocator::Create(std::move(region), options);
  EXPECT_TRUE(made.ok()) << made.reason();
  return made ? std::move(*made) : nullptr;
}

class UnitPolicyTest : public testing::AllocatorTest {
 protected:
  static constexpr std::uint32_t kUnits = 64;
  static constexpr std::uint64_t kHalfUnit = kUnitBytes / 2;

  UnitPolicyTest() : AllocatorTest(kUnits), counts_(shared()) {
    EndAllocator();
  }
  std::uint32_t Count(Kind kind) const { return counts_.Of(kind); }
  static std::vector<BufferRef> Take(Allocator& from, std::uint32_t count) {
    std::vector<BufferRef> all;
    for (std::uint32_t i = 0; i < count; ++i) {
      const auto ref = from.Alloc(kHalfUnit);
      EXPECT_TRUE(ref.ok()) << ref.reason();
      if (ref) all.push_back(*ref);
    }
    return all;
  }
  static void Give(Allocator& to, const std::vector<BufferRef>& all) {
    for (const BufferRef ref : all) EXPECT_TRUE(to.Free(ref).ok());
  }

  UnitCounts counts_;
};

TEST_F(UnitPolicyTest, WholeUnitsStayFreeUnderAMixedLoad) {
  const auto mine = MakeWith(region(), {});
  testing::Random random(3);
  std::vector<BufferRef> all;
  std::uint64_t live_bytes = 0;
  for (int step = 0; step < 60'000; ++step) {
    // 48 MiB at most live, of sizes from 64 B to 1 MiB.
    const std::uint64_t bytes = 1 + random.Below(64U << random.Below(15));
    if (live_bytes < (24U << 20) || (live_bytes < (48U << 20) && step % 2)) {
      const auto ref = mine->Alloc(bytes);
      ASSERT_TRUE(ref.ok()) << ref.reason();
      all.push_back(*ref);
      live_bytes += mine->UsableBytes(*ref);
    } else {
      std::swap(all[random.Below(static_cast<std::uint32_t>(all.size()))],
                all.back());
      live_bytes -= mine->UsableBytes(all.back());
      ASSERT_TRUE(mine->Free(all.back()).ok());
      all.pop_back();
    }
  }
  // Three of four live buffers go: units must come free, whole.
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (i % 4 != 0) {
      live_bytes -= mine->UsableBytes(all[i]);
      ASSERT_TRUE(mine->Free(all[i]).ok());
    }
  }
  mine->Trim(AllocatorOptions::kKeepAll).ok();
  const std::uint64_t live_units = live_bytes / kUnitBytes;
  EXPECT_GE(Count(Kind::kFree), kUnits - 24) << live_units << " units are live";
}

// --- two processes ---------------------------------------------------------

using UnitPressureTest = UnitPolicyTest;

// Spares and depot keep four units each, the magazine a few more.
TEST_F(UnitPressureTest, ALivingProcessHandsOutWhatItKeepsWhenAnotherIsShort) {
  const RegionOptions region_options = region()->options();
  Child other([&](Talk& talk) {
    const auto own = Region::Open(region_options);
    ASSERT_TRUE(own.ok());
    const auto theirs = MakeWith(*own, {});
    Give(*theirs, Take(*theirs, 80));
    talk.Say('s');
    talk.Hear();
    // Any visit to the slabs: the first buffer of a class.
    const BufferRef one = *theirs->Alloc(5000);
    talk.Say('v');
    talk.Hear();
    EXPECT_TRUE(theirs->Free(one).ok());
  });
  ASSERT_EQ(other.Hear(), 's');
  const auto mine = MakeWith(region(), {});
  std::vector<BufferRef> all;
  while (const auto ref = mine->Alloc(kHalfUnit)) all.push_back(*ref);
  EXPECT_EQ(Count(Kind::kFree), 0U);
  EXPECT_FALSE(mine->Alloc(kHalfUnit).ok()) << "it has not heard us yet";
  other.Say('g');
  ASSERT_EQ(other.Hear(), 'v');
  EXPECT_GE(Count(Kind::kFree), 7U);
  for (int i = 0; i < 14; ++i) {
    const auto ref = mine->Alloc(kHalfUnit);
    ASSERT_TRUE(ref.ok()) << i << ": " << ref.reason();
    all.push_back(*ref);
  }
  Give(*mine, all);
  other.Say('e');
  EXPECT_EQ(other.Wait(), 0);
}

TEST_F(UnitPressureTest, AProcessThatDoesNothingKeepsThemAndNobodyWaits) {
  const RegionOptions region_options = region()->options();
  Child other([&](Talk& talk) {
    const auto own = Region::Open(region_options);
    ASSERT_TRUE(own.ok());
    const auto theirs = MakeWith(*own, {});
    Give(*theirs, Take(*theirs, 80));
    talk.Say('s');
    talk.Hear();
  });
  ASSERT_EQ(other.Hear(), 's');
  const auto mine = MakeWith(region(), {});
  std::vector<BufferRef> all;
  while (const auto ref = mine->Alloc(kHalfUnit)) all.push_back(*ref);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(mine->Alloc(kHalfUnit).status(), Status::kNoMemory);
  }
  Give(*mine, all);
  other.Say('e');
  EXPECT_EQ(other.Wait(), 0);
}

TEST_F(UnitPressureTest, AnExtentThatFindsNoRoomAsksTheOthersToo) {
  const auto theirs = MakeWith(region(), {});
  Give(*theirs, Take(*theirs, 80));
  const auto mine = MakeWith(region(), {});
  ASSERT_EQ(mine->Alloc(kUnits * kUnitBytes).status(), Status::kNoMemory);
  const std::uint32_t before = Count(Kind::kOwned);
  EXPECT_TRUE(theirs->Alloc(5000).ok());
  EXPECT_LE(Count(Kind::kOwned) + 7, before);
}

// --- quota -----------------------------------------------------------------

TEST_F(UnitPolicyTest, BeyondTheQuotaIsNoMemoryWithItsOwnReason) {
  AllocatorOptions options;
  options.quota_bytes = 10 * kUnitBytes + 4096;  // ten units
  const auto mine = MakeWith(region(), options);
  std::vector<BufferRef> all;
  Result<BufferRef> ref = mine->Alloc(kHalfUnit);
  for (; ref; ref = mine->Alloc(kHalfUnit)) all.push_back(*ref);
  EXPECT_EQ(ref.status(), Status::kNoMemory);
  EXPECT_STREQ(ref.reason(), "over this process's quota");
  EXPECT_EQ(all.size(), 20U);
  EXPECT_EQ(Count(Kind::kOwned), 10U);
  EXPECT_EQ(mine->Alloc(3 * kUnitBytes).status(), Status::kNoMemory);
  // Another process is not bound by it, and not asked for anything.
  const std::uint32_t pressure = region()->pressure().load();
  const auto other = MakeWith(region(), {});
  EXPECT_TRUE(other->Alloc(3 * kUnitBytes).ok());
  EXPECT_EQ(region()->pressure().load(), pressure);
  Give(*mine, all);
  EXPECT_TRUE(mine->Alloc(kHalfUnit).ok());
}

TEST_F(UnitPolicyTest, ExtentsCountAgainstTheQuota) {
  AllocatorOptions options;
  options.quota_bytes = 10 * kUnitBytes;
  const auto mine = MakeWith(region(), options);
  EXPECT_FALSE(mine->Alloc(11 * kUnitBytes).ok());
  for (int round = 0; round < 3; ++round) {
    const auto first = mine->Alloc(6 * kUnitBytes);
    ASSERT_TRUE(first.ok()) << first.reason();
    EXPECT_STREQ(mine->Alloc(5 * kUnitBytes).reason(),
                 "over this process's quota");
    const auto second = mine->Alloc(4 * kUnitBytes);
    ASSERT_TRUE(second.ok()) << second.reason();
    EXPECT_STREQ(mine->Alloc(64).reason(), "over this process's quota");
    EXPECT_TRUE(mine->Free(*first).ok());
    EXPECT_TRUE(mine->Free(*second).ok());
  }
}

TEST_F(UnitPolicyTest, AnExtentThatCannotBeHadDoesNotCount) {
  const auto other = MakeWith(region(), {});
  const auto most = other->Alloc((kUnits - 4) * kUnitBytes);
  ASSERT_TRUE(most.ok()) << most.reason();
  AllocatorOptions options;
  options.quota_bytes = 10 * kUnitBytes;
  const auto mine = MakeWith(region(), options);
  for (int i = 0; i < 5; ++i) {
    EXPECT_STREQ(mine->Alloc(6 * kUnitBytes).reason(),
                 "not enough free units in a row");
  }
  EXPECT_TRUE(mine->Alloc(4 * kUnitBytes).ok());
  EXPECT_TRUE(other->Free(*most).ok());
  EXPECT_TRUE(mine->Alloc(6 * kUnitBytes).ok());
}

TEST_F(UnitPolicyTest, OwnSparesMakeRoomUnderTheQuota) {
  AllocatorOptions options;
  options.quota_bytes = 10 * kUnitBytes;
  options.spare_bytes = 10 * kUnitBytes;
  const auto mine = MakeWith(region(), options);
  Give(*mine, Take(*mine, 20));
  const auto extent = mine->Alloc(10 * kUnitBytes);
  ASSERT_TRUE(extent.ok()) << extent.reason();
  EXPECT_TRUE(mine->Free(*extent).ok());
}

}  // namespace
}  // namespace zcb::alloc
