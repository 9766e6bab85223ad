// The process's own books, each fault made by hand.
#include "allocator/audit_private.h"

#include <gtest/gtest.h>

#include "allocator/buffer_supply.h"
#include "tests/allocator/allocator_testing.h"

namespace zcb::alloc {
namespace {

constexpr std::uint32_t kClass = SizeClassOf(1000);

class AuditPrivateTest : public ::testing::Test {
 protected:
  AuditPrivateTest()
      : region_(testing::OpenRegion(directory_, 8)), supply_(*region_, {}) {}
  ~AuditPrivateTest() override { supply_.Leave(); }

  OwnAuditReport Look() {
    auto report = AuditPrivate(supply_, region_->lease());
    EXPECT_TRUE(report.ok()) << report.reason();
    return std::move(*report);
  }
  void ExpectOnly(AuditKind kind, AuditWhere where, std::uint64_t index) {
    const OwnAuditReport report = Look();
    ASSERT_EQ(report.findings.list().size(), 1U)
        << testing::TextOf(report.findings);
    EXPECT_EQ(report.findings.list()[0].kind, kind);
    EXPECT_EQ(report.findings.list()[0].where, where);
    EXPECT_EQ(report.findings.list()[0].index, index);
    EXPECT_FALSE(report.IsSound());
  }
  // A buffer that is in the hands of this test.
  std::uint32_t Obtain(BufferState state) {
    const auto line = supply_.Obtain(kClass);
    EXPECT_TRUE(line.ok());
    Set(*line, state);
    return *line;
  }
  void Set(std::uint32_t line, BufferState state) {
    supply_.tables().state(line).store(state);
  }

  testing::TempDirectory directory_;
  std::shared_ptr<Region> region_;
  BufferSupply supply_;
};

TEST_F(AuditPrivateTest, EveryBufferIsInOnePlace) {
  const std::uint32_t live = Obtain(BufferState::kLive);
  const std::uint32_t away = Obtain(BufferState::kAway);
  supply_.OwnPlace(away)->word->store(BufferWord().Send(3, 1).raw());
  const auto extent = supply_.ObtainExtent({2, 0});
  ASSERT_TRUE(extent.ok());
  const OwnAuditReport report = Look();
  EXPECT_TRUE(report.IsSound()) << testing::TextOf(report.findings);
  EXPECT_EQ(report.live, 2U);
  EXPECT_EQ(report.away, 1U);
  EXPECT_EQ(report.in_magazines + report.in_maps + report.in_depot, 62U);
  EXPECT_EQ(report.units, 1U);
  EXPECT_EQ(report.slabs, 1U);
  EXPECT_EQ(report.extents, 1U);
  Set(live, BufferState::kCached);
  supply_.Store(live, kClass);
}

TEST_F(AuditPrivateTest, ABufferOfTwoMagazinesIsDoubled) {
  const std::uint32_t line = Obtain(BufferState::kCached);
  supply_.Store(line, kClass);
  ThreadCache* const cache = supply_.caches().Find();
  cache->OfClass(kClass).Push(cache->lines, line);
  ExpectOnly(AuditKind::kOwnDoubled, AuditWhere::kLine, line);
  // Out again, so that the end does not meet it twice.
  while (cache->OfClass(kClass).Pop(cache->lines) != line) {
  }
}

TEST_F(AuditPrivateTest, AFreeBufferOfNoPlaceIsLost) {
  const std::uint32_t line = Obtain(BufferState::kCached);
  ExpectOnly(AuditKind::kOwnLost, AuditWhere::kLine, line);
}

TEST_F(AuditPrivateTest, AStoredBufferIsNotInUse) {
  const std::uint32_t line = Obtain(BufferState::kCached);
  supply_.Store(line, kClass);
  Set(line, BufferState::kLive);
  ExpectOnly(AuditKind::kOwnState, AuditWhere::kLine, line);
  Set(line, BufferState::kCached);
}

TEST_F(AuditPrivateTest, ALiveBufferIsNotOut) {
  const std::uint32_t line = Obtain(BufferState::kLive);
  supply_.OwnPlace(line)->word->store(BufferWord().Send(3, 1).raw());
  ExpectOnly(AuditKind::kOwnOut, AuditWhere::kLine, line);
}

TEST_F(AuditPrivateTest, ATakenBuffersWordNamesUs) {
  const std::uint32_t line = Obtain(BufferState::kAway);
  auto& word = *supply_.OwnPlace(line)->word;
  ASSERT_TRUE(supply_.touched().Add(line / kLinesPerGranule).ok());
  Set(line, BufferState::kTaken);
  word.store(BufferWord().Give(region_->lease()).raw());
  EXPECT_TRUE(Look().IsSound());
  EXPECT_EQ(Look().taken, 1U);
  word.store(BufferWord().Give({40, 1}).raw());
  ExpectOnly(AuditKind::kOwnTaken, AuditWhere::kLine, line);
}

TEST_F(AuditPrivateTest, AFreeWordOfABufferThatIsAwayIsNoFault) {
  Obtain(BufferState::kAway);
  const OwnAuditReport report = Look();
  EXPECT_TRUE(report.IsSound());
  EXPECT_EQ(report.findings.Count(AuditKind::kOwnAwayFree), 1U);
}

TEST_F(AuditPrivateTest, AMagazineHoldsLinesOfItsClass) {
  const std::uint32_t line = Obtain(BufferState::kCached);
  ThreadCache* const cache = supply_.caches().Find();
  Magazine& other = cache->OfClass(kClass + 1);
  other.Push(cache->lines, line);
  ExpectOnly(AuditKind::kOwnCode, AuditWhere::kLine, line);
  other.Pop(cache->lines);
}

TEST_F(AuditPrivateTest, AMagazineHoldsLinesOfTheRegion) {
  Obtain(BufferState::kLive);
  ThreadCache* const cache = supply_.caches().Find();
  Magazine& other = cache->OfClass(kClass + 1);
  other.Push(cache->lines, ~0U);
  ExpectOnly(AuditKind::kOwnCount, AuditWhere::kLine, ~0U);
  other.Pop(cache->lines);
}

TEST_F(AuditPrivateTest, AnOwnedUnitsWordIsOurs) {
  const std::uint32_t line = Obtain(BufferState::kLive);
  const std::uint32_t unit = line / testing::kLinesPerUnit;
  auto& word = supply_.shared().unit(unit);
  const std::uint64_t before = word.load();
  word.store(UnitWord(before).Abandon().raw());
  ExpectOnly(AuditKind::kOwnUnitWord, AuditWhere::kUnit, unit);
  word.store(before);
}

TEST_F(AuditPrivateTest, AUnitThatNamesUsIsInOurBooks) {
  Obtain(BufferState::kLive);
  for (const UnitWord word : {UnitWord().Own(region_->lease()),
                              UnitWord().Reserve(region_->lease(), 1),
                              UnitWord().ExtentHead(region_->lease(), 1)}) {
    supply_.shared().unit(6).store(word.raw());
    ExpectOnly(AuditKind::kOwnUnitUnknown, AuditWhere::kUnit, 6);
  }
  supply_.shared().unit(6).store(0);
}

TEST_F(AuditPrivateTest, AFreeGranuleHasNoCode) {
  const std::uint32_t line = Obtain(BufferState::kLive);
  const std::uint32_t granule = line / std::uint32_t{kLinesPerGranule} + 1;
  supply_.tables().code(granule).store(CodeOf(3));
  ExpectOnly(AuditKind::kOwnCode, AuditWhere::kGranule, granule);
  supply_.tables().code(granule).store(kNoCode);
}

TEST_F(AuditPrivateTest, ATakenGranuleIsCut) {
  Obtain(BufferState::kLive);
  const auto granule = supply_.units().TakeGranules(kSizeClasses[0]);
  ASSERT_TRUE(granule);
  ExpectOnly(AuditKind::kOwnLost, AuditWhere::kGranule, *granule);
  supply_.units().GiveGranules(*granule, 1);
}

TEST_F(AuditPrivateTest, AGranuleIsFreeOrOfOneSlab) {
  const std::uint32_t line = Obtain(BufferState::kLive);
  const std::uint32_t granule = line / std::uint32_t{kLinesPerGranule};
  // Another slab beside it, so that the unit does not go when this one does.
  const auto other = supply_.Obtain(kClass + 1);
  ASSERT_TRUE(other.ok());
  Set(*other, BufferState::kLive);
  supply_.units().GiveGranules(granule, 1);
  const OwnAuditReport report = Look();
  EXPECT_EQ(report.findings.Count(AuditKind::kOwnDoubled), 1U);
  EXPECT_EQ(report.findings.Count(AuditKind::kOwnCode), 1U);
  EXPECT_EQ(report.findings.damage(), 2U);
  ASSERT_EQ(supply_.units().TakeGranules(kSizeClasses[0]), granule);
}

TEST_F(AuditPrivateTest, ASlabsMapAndStatesAgree) {
  ASSERT_TRUE(supply_.Obtain(0).ok());  // 1024 buffers: a refill leaves most
  std::uint32_t mapped = ~0U;
  supply_.slabs().ForEachSlab(
      0, [&](const SlabShape& slab, std::span<const std::uint64_t> map) {
        for (std::uint32_t i = 0; i < 1024; ++i) {
          if ((map[i / 64] >> (i % 64) & 1) != 0)
            mapped = slab.first_line() + i;
        }
      });
  ASSERT_NE(mapped, ~0U);
  EXPECT_TRUE(supply_.slabs().IsConsistent(0, 100));
  Set(mapped, BufferState::kAway);
  EXPECT_FALSE(supply_.slabs().IsConsistent(0, 100));
  const OwnAuditReport report = Look();
  EXPECT_EQ(report.findings.Count(AuditKind::kOwnCount), 1U);
  EXPECT_EQ(report.findings.Count(AuditKind::kOwnState), 1U);
  Set(mapped, BufferState::kCached);
}

}  // namespace
}  // namespace zcb::alloc
