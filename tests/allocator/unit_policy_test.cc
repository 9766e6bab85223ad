// Which units a process keeps, and which it lets go.
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "tests/allocator/allocator_testing.h"

namespace zcb::alloc {
namespace {

using testing::Child;
using testing::Talk;
using Kind = UnitWord::Kind;

constexpr std::uint32_t kUnits = 64;
constexpr std::uint64_t kHalfUnit = kUnitBytes / 2;

std::unique_ptr<Allocator> MakeWith(std::shared_ptr<Region> region,
                                    const AllocatorOptions& options) {
  auto made = Allocator::Create(std::move(region), options);
  EXPECT_TRUE(made.ok()) << made.reason();
  return made ? std::move(*made) : nullptr;
}

class UnitPolicyTest : public testing::AllocatorTest {
 protected:
  UnitPolicyTest() : AllocatorTest(kUnits) { EndAllocator(); }

  std::uint32_t Count(Kind kind) const {
    std::uint32_t count = 0;
    for (std::uint32_t u = 0; u < kUnits; ++u) count += unit(u).kind() == kind;
    return count;
  }
  // Grows with every unit that changes hands.
  std::uint64_t Changes() const {
    std::uint64_t sum = 0;
    for (std::uint32_t u = 0; u < kUnits; ++u) sum += unit(u).epoch();
    return sum;
  }
  static std::vector<BufferRef> Take(Allocator& from, std::uint32_t count,
                                     std::uint64_t bytes = kHalfUnit) {
    std::vector<BufferRef> all;
    for (std::uint32_t i = 0; i < count; ++i) {
      const auto ref = from.Alloc(bytes);
      EXPECT_TRUE(ref.ok()) << ref.reason();
      if (ref) all.push_back(*ref);
    }
    return all;
  }
  static void Give(Allocator& to, const std::vector<BufferRef>& all) {
    for (const BufferRef ref : all) EXPECT_TRUE(to.Free(ref).ok());
  }
};

TEST_F(UnitPolicyTest, ASwingWithinTheSparesChangesNoUnit) {
  AllocatorOptions options;
  options.spare_bytes = 12 * kUnitBytes;
  const auto mine = MakeWith(region(), options);
  Give(*mine, Take(*mine, 20));
  const std::uint64_t before = Changes();
  // Far longer than it takes spares to grow old.
  for (int i = 0; i < 300; ++i) Give(*mine, Take(*mine, 20));
  EXPECT_EQ(Changes(), before);
}

TEST_F(UnitPolicyTest, WithoutSparesEveryEmptyUnitGoesBackAtOnce) {
  AllocatorOptions options;
  options.spare_bytes = 0;
  const auto mine = MakeWith(region(), options);
  Give(*mine, Take(*mine, 20));
  // Magazine and depot hold the last few runs.
  EXPECT_LE(Count(Kind::kOwned), 8U);
  const std::uint64_t before = Changes();
  Give(*mine, Take(*mine, 20));
  EXPECT_GT(Changes(), before);
}

TEST_F(UnitPolicyTest, NoMoreThanTheSparesAreKept) {
  AllocatorOptions options;
  options.spare_bytes = 5 * kUnitBytes;
  const auto mine = MakeWith(region(), options);
  const auto with_spares = [&] {
    Give(*mine, Take(*mine, 60));
    return Count(Kind::kOwned);
  }();
  options.spare_bytes = 0;
  mine->Trim(AllocatorOptions::kKeepAll).ok();
  const auto other = MakeWith(region(), options);
  Give(*other, Take(*other, 60));
  EXPECT_EQ(with_spares, Count(Kind::kOwned) + 5);
}

TEST_F(UnitPolicyTest, MostOfWhatIsFreeStaysWithTheRegion) {
  AllocatorOptions options;
  options.spare_bytes = kUnits * kUnitBytes;
  std::vector<std::unique_ptr<Allocator>> all;
  for (int i = 0; i < 4; ++i) {
    all.push_back(MakeWith(region(), options));
    const std::uint32_t free = Count(Kind::kFree);
    Give(*all.back(), Take(*all.back(), free));
    EXPECT_GE(Count(Kind::kFree) + 8, free * 3 / 4) << i;
  }
}

TEST_F(UnitPolicyTest, SparesThatAreNotNeededGoBackInTime) {
  AllocatorOptions options;
  options.spare_bytes = 16 * kUnitBytes;
  const auto mine = MakeWith(region(), options);
  Give(*mine, Take(*mine, 60));
  ASSERT_GE(Count(Kind::kOwned), 16U);
  // A small working set from now on: a swing of four units.
  for (int i = 0; i < 2000 && Count(Kind::kOwned) > 10; ++i) {
    Give(*mine, Take(*mine, 8));
  }
  EXPECT_LE(Count(Kind::kOwned), 10U);
}

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

class UnitPressureTest : public UnitPolicyTest {};

TEST_F(UnitPressureTest, ALivingProcessHandsOutItsSparesWhenAnotherIsShort) {
  const RegionOptions region_options = region()->options();
  Child other([&](Talk& talk) {
    const auto own = Region::Open(region_options);
    ASSERT_TRUE(own.ok());
    AllocatorOptions options;
    options.spare_bytes = 16 * kUnitBytes;
    const auto theirs = MakeWith(*own, options);
    const BufferRef kept = *theirs->Alloc(100);
    Give(*theirs, Take(*theirs, 80));
    talk.Say('s');
    talk.Hear();
    // Any visit to the slabs: the first buffer of a class.
    const BufferRef one = *theirs->Alloc(5000);
    talk.Say('v');
    talk.Hear();
    EXPECT_TRUE(theirs->Free(kept).ok());
    EXPECT_TRUE(theirs->Free(one).ok());
  });
  ASSERT_EQ(other.Hear(), 's');
  const auto mine = MakeWith(region(), {});
  std::vector<BufferRef> all;
  while (const auto ref = mine->Alloc(kHalfUnit)) all.push_back(*ref);
  EXPECT_EQ(Count(Kind::kFree), 0U);
  const std::uint32_t theirs_before = Count(Kind::kOwned);
  EXPECT_EQ(theirs_before, kUnits);
  EXPECT_FALSE(mine->Alloc(kHalfUnit).ok()) << "it has not heard us yet";
  other.Say('g');
  ASSERT_EQ(other.Hear(), 'v');
  EXPECT_GE(Count(Kind::kFree), 14U);
  for (int i = 0; i < 28; ++i) {
    const auto ref = mine->Alloc(kHalfUnit);
    ASSERT_TRUE(ref.ok()) << i << ": " << ref.reason();
    all.push_back(*ref);
  }
  Give(*mine, all);
  other.Say('e');
  EXPECT_EQ(other.Wait(), 0);
}

TEST_F(UnitPressureTest, AStoppedProcessKeepsItsSparesAndNobodyWaits) {
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
  AllocatorOptions options;
  options.spare_bytes = 16 * kUnitBytes;
  const auto theirs = MakeWith(region(), options);
  Give(*theirs, Take(*theirs, 80));
  const auto mine = MakeWith(region(), {});
  // A whole region less what magazines hold: not while there are spares.
  const std::uint64_t bytes = (kUnits - 10) * kUnitBytes;
  ASSERT_EQ(mine->Alloc(bytes).status(), Status::kNoMemory);
  EXPECT_TRUE(theirs->Alloc(5000).ok());
  const auto extent = mine->Alloc(bytes / 2);
  ASSERT_TRUE(extent.ok()) << extent.reason();
  EXPECT_TRUE(mine->Free(*extent).ok());
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
