// Each kind of finding: a word is forged, and the audit sees that and no more.
#include <gtest/gtest.h>

#include <atomic>

#include "allocator/audit.h"
#include "tests/allocator/allocator_testing.h"

namespace zcb::alloc {
namespace {

using Severity = AuditSeverity;
using Where = AuditWhere;

constexpr LeaseId kStranger{40, 1};  // a lease that nobody has

class AuditForgedTest : public testing::AllocatorTest {
 protected:
  AuditForgedTest() : AllocatorTest(8) {
    options_.quiet = true;
    options_.check_backing = true;
  }
  // What the audit says, and nothing else.
  void ExpectOnly(Severity severity, AuditKind kind, Where where,
                  std::uint64_t index) {
    options_.list_notes = severity == Severity::kNote;
    const auto report = Audit(*region(), options_);
    ASSERT_TRUE(report.ok());
    ASSERT_EQ(report->findings.list().size(), 1U)
        << testing::TextOf(report->findings);
    const AuditFinding& finding = report->findings.list()[0];
    EXPECT_EQ(finding.severity, severity);
    EXPECT_EQ(finding.kind, kind) << Describe(finding.kind);
    EXPECT_EQ(finding.where, where);
    EXPECT_EQ(finding.index, index);
    EXPECT_EQ(report->SumBytes(), report->region_bytes);
    EXPECT_EQ(report->IsSound(), severity != Severity::kDamage);
    EXPECT_EQ(report->IsClean(), severity == Severity::kNote);
  }
  void ExpectNothing() {
    const auto report = Audit(*region(), options_);
    ASSERT_TRUE(report.ok());
    EXPECT_TRUE(report->IsClean()) << testing::TextOf(report->findings);
  }
  // Writes a word, and puts it back at the end of the test's block.
  template <typename T>
  class Forged {
   public:
    Forged(std::atomic<T>& word, T value)
        : word_(word), before_(word.exchange(value)) {}
    ~Forged() { word_.store(before_); }

   private:
    std::atomic<T>& word_;
    T before_;
  };
  Forged<std::uint64_t> ForgeUnit(std::uint32_t index, UnitWord word) {
    return {shared().unit(index), word.raw()};
  }
  Forged<std::uint64_t> ForgeGranule(std::uint32_t index, GranuleWord word) {
    return {shared().granule(index), word.raw()};
  }
  Forged<std::uint64_t> ForgeWord(const BufferPlace& place, BufferWord word) {
    return {*place.word, word.raw()};
  }
  Forged<std::uint64_t> ForgeLease(LeaseWord word) {
    return {region()->lease_word(kStranger.slot), word.raw()};
  }
  Forged<std::uint8_t> ForgeBooking(std::uint32_t huge_page,
                                    std::uint8_t value) {
    return {region()->meta<std::atomic<std::uint8_t>>(
                region()->geometry().committed_offset)[huge_page],
            value};
  }
  LeaseId me() { return region()->lease(); }
  static LeaseWord Died() { return LeaseWord().Attach(4711).Die(); }

  AuditOptions options_;
};

// --- units -------------------------------------------------------------------

TEST_F(AuditForgedTest, AFreeUnitNamesNobody) {
  const auto forged = ForgeUnit(5, UnitWord(std::uint64_t{1} << 20));
  ExpectOnly(Severity::kDamage, AuditKind::kUnitFields, Where::kUnit, 5);
}

TEST_F(AuditForgedTest, AUnitOfNobodysLeaseIsLost) {
  const auto forged = ForgeUnit(5, UnitWord().Own(kStranger));
  ExpectOnly(Severity::kDamage, AuditKind::kUnitLease, Where::kUnit, 5);
}

TEST_F(AuditForgedTest, AUnitOfAnEarlierGenerationIsLost) {
  const auto forged = ForgeUnit(5, UnitWord().Own({me().slot, 77}));
  ExpectOnly(Severity::kDamage, AuditKind::kUnitLease, Where::kUnit, 5);
}

TEST_F(AuditForgedTest, AReservationOfNobodysIsLost) {
  const auto forged = ForgeUnit(5, UnitWord().Reserve(kStranger, 1));
  ExpectOnly(Severity::kDamage, AuditKind::kUnitLease, Where::kUnit, 5);
}

TEST_F(AuditForgedTest, WhatADeadLeaseHasWaitsForItsReaper) {
  const auto lease = ForgeLease(Died());
  for (const UnitWord word :
       {UnitWord().Own(kStranger), UnitWord().Reserve(kStranger, 2),
        UnitWord().ExtentHead(kStranger, 1).Freeing(kStranger)}) {
    const auto forged = ForgeUnit(5, word);
    ExpectOnly(Severity::kRepair, AuditKind::kUnitDead, Where::kUnit, 5);
  }
}

TEST_F(AuditForgedTest, AnAliveLeaseWithoutItsLockIsDead) {
  const auto lease = ForgeLease(LeaseWord().Attach(4711));
  const auto forged = ForgeUnit(5, UnitWord().Own(kStranger));
  ExpectOnly(Severity::kRepair, AuditKind::kUnitDead, Where::kUnit, 5);
}

TEST_F(AuditForgedTest, NothingIsHalfWayWhenAllIsQuiet) {
  const auto forged = ForgeUnit(5, UnitWord().Reserve(me(), 2));
  ExpectOnly(Severity::kDamage, AuditKind::kUnitHalfway, Where::kUnit, 5);
  options_.quiet = false;
  ExpectOnly(Severity::kNote, AuditKind::kUnitHalfway, Where::kUnit, 5);
}

TEST_F(AuditForgedTest, AMemberNeedsItsHead) {
  for (const std::uint32_t distance : {0U, 1U, 5U, 6U, UnitWord::kMaxLength}) {
    const auto forged = ForgeUnit(5, UnitWord().Member(me(), distance));
    ExpectOnly(Severity::kDamage, AuditKind::kMemberAlone, Where::kUnit, 5);
  }
}

TEST_F(AuditForgedTest, AMemberBehindTheEndOfItsHeadIsAlone) {
  MustAlloc(2 * kUnitBytes);
  MustAlloc(2 * kUnitBytes);  // below the first: units 4 and 5
  const auto forged = ForgeUnit(7, UnitWord().Member(me(), 3));
  options_.quiet = false;
  const auto report = Audit(*region(), options_);
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->findings.Count(AuditKind::kMemberAlone), 1U);
  EXPECT_EQ(report->findings.Count(AuditKind::kExtentBroken), 1U);
}

TEST_F(AuditForgedTest, AnExtentNeedsItsMembers) {
  MustAlloc(3 * kUnitBytes);
  const auto forged = ForgeUnit(6, UnitWord());
  ExpectOnly(Severity::kDamage, AuditKind::kExtentBroken, Where::kUnit, 6);
}

TEST_F(AuditForgedTest, AnExtentEndsInsideTheRegion) {
  for (const std::uint32_t units : {0U, 4U, UnitWord::kMaxLength}) {
    const auto forged = ForgeUnit(5, UnitWord().ExtentHead(me(), units));
    ExpectOnly(Severity::kDamage, AuditKind::kExtentLength, Where::kUnit, 5);
  }
}

TEST_F(AuditForgedTest, AnExtentsGranuleWordSaysItsLength) {
  const BufferRef extent = MustAlloc(3 * kUnitBytes);
  for (const GranuleWord word :
       {GranuleWord(), GranuleWord::Make(kExtentClass, 0, 2),
        GranuleWord::Make(3, 0, 3), GranuleWord::Make(kExtentClass, 1, 3)}) {
    const auto forged = ForgeGranule(extent.granule(), word);
    ExpectOnly(Severity::kDamage, AuditKind::kExtentGranule, Where::kGranule,
               extent.granule());
  }
}

TEST_F(AuditForgedTest, AnOrphanWhoseBufferIsBackIsToBeFreed) {
  const BufferRef extent = MustAlloc(2 * kUnitBytes);
  const UnitWord head = unit(6);
  const auto forged = ForgeUnit(6, head.Orphan());
  ExpectOnly(Severity::kRepair, AuditKind::kOrphanBack, Where::kUnit, 6);
  const BufferPlace place{extent, 0, shared().sparse_word(extent.granule())};
  const auto out = ForgeWord(place, BufferWord().Send(3, 1));
  ExpectNothing();
}

TEST_F(AuditForgedTest, ATailWithoutItsExtentIsTheUnitsOwn) {
  const std::uint32_t granule = MustAlloc(64).granule() + 1;
  const auto forged =
      ForgeGranule(granule, GranuleWord::Make(kExtentClass + 1, 1, 3));
  ExpectOnly(Severity::kNote, AuditKind::kTailAlone, Where::kGranule, granule);
}

TEST_F(AuditForgedTest, AnExtentNeedsItsTail) {
  MustAlloc(kUnitBytes);  // unit 7
  const BufferRef extent = MustAlloc(2 * kUnitBytes);
  const auto forged =
      ForgeGranule(extent.granule(), GranuleWord::Make(kExtentClass, 2, 2));
  ExpectOnly(Severity::kDamage, AuditKind::kTailAlone, Where::kGranule,
             7 * testing::kGranules);
}

TEST_F(AuditForgedTest, AnExtentIsBookedAsMemory) {
  MustAlloc(2 * kUnitBytes);
  for (const std::uint32_t unit : {6U, 7U}) {
    const auto forged = ForgeBooking(unit, 0);
    ExpectOnly(Severity::kDamage, AuditKind::kUncommitted, Where::kUnit, unit);
  }
}

TEST_F(AuditForgedTest, WhatIsBookedAsMemoryIsMemory) {
  const auto forged = ForgeBooking(3, 1);
  ExpectOnly(Severity::kDamage, AuditKind::kCommittedHole, Where::kHugePage, 3);
  options_.check_backing = false;
  ExpectNothing();
}

// --- granules ----------------------------------------------------------------

TEST_F(AuditForgedTest, AGranuleWordFitsItsPlace) {
  const std::uint32_t granule = MustAlloc(64).granule() + 1;
  const std::uint32_t run = SizeClassOf(8 * kGranuleBytes);
  for (const GranuleWord word :
       {GranuleWord::Make(200, 0, 1), GranuleWord::Make(5, 0, 7),
        GranuleWord::Make(SizeClassOf(40'000), 0, 8),  // misplaced
        GranuleWord::Make(run, 7, 8), GranuleWord(0x100)}) {
    const auto forged = ForgeGranule(granule, word);
    ExpectOnly(Severity::kDamage, AuditKind::kGranuleFields, Where::kGranule,
               granule);
  }
}

TEST_F(AuditForgedTest, APartOfASlabNeedsItsHead) {
  const std::uint32_t granule = MustAlloc(64).granule() + 10;
  const auto forged =
      ForgeGranule(granule, GranuleWord::Make(SizeClassOf(40'000), 2, 8));
  ExpectOnly(Severity::kDamage, AuditKind::kGranuleAlone, Where::kGranule,
             granule);
  options_.quiet = false;  // then somebody may just be cutting or dissolving it
  ExpectOnly(Severity::kNote, AuditKind::kGranuleAlone, Where::kGranule,
             granule);
}

TEST_F(AuditForgedTest, ASlabNeedsItsParts) {
  const std::uint32_t head = MustAlloc(40'000).granule();  // eight granules
  {
    const auto forged = ForgeGranule(head + 3, GranuleWord());
    ExpectOnly(Severity::kDamage, AuditKind::kSlabBroken, Where::kGranule,
               head + 3);
  }
  const auto forged =
      ForgeGranule(head + 3, GranuleWord::Make(SizeClassOf(40'000), 4, 8));
  options_.quiet = false;  // nobody writes another word there
  ExpectOnly(Severity::kDamage, AuditKind::kSlabBroken, Where::kGranule,
             head + 3);
}

TEST_F(AuditForgedTest, SlabsDoNotOverlap) {
  const std::uint32_t head = MustAlloc(40'000).granule();
  const auto forged = ForgeGranule(head + 3, GranuleWord::Make(0, 0, 1));
  options_.quiet = false;
  const auto report = Audit(*region(), options_);
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->findings.Count(AuditKind::kSlabOverlap), 1U);
  EXPECT_EQ(report->findings.Count(AuditKind::kSlabBroken), 1U);
  EXPECT_EQ(report->findings.damage(), 2U);
  EXPECT_EQ(report->SumBytes(), report->region_bytes);
}

// --- buffers -----------------------------------------------------------------

class AuditForgedWordTest : public AuditForgedTest {
 protected:
  AuditForgedWordTest() : place_(*allocator().Locate(MustAlloc(1000))) {}
  void ExpectOnlyHere(Severity severity, AuditKind kind) {
    ExpectOnly(severity, kind, Where::kLine, place_.ref.line());
  }
  // The unit goes to nobody, the buffer stays out.
  void Abandon() {
    Send(place_.ref);
    EndAllocator();
  }
  BufferPlace place_;
};

TEST_F(AuditForgedWordTest, AFreeWordHasAGenerationAndNoMore) {
  const auto forged = ForgeWord(place_, BufferWord().Keep());
  ExpectOnlyHere(Severity::kDamage, AuditKind::kWordFields);
}

TEST_F(AuditForgedWordTest, AWordThatStandsForNoBufferIsFree) {
  const std::uint32_t granule = place_.ref.granule();
  auto* const beyond = shared().sparse_word(granule) + 64;  // of 64 buffers
  const Forged<std::uint64_t> forged(*beyond, BufferWord().Send(3, 1).raw());
  ExpectOnly(Severity::kDamage, AuditKind::kWordStray, Where::kLine,
             granule * kLinesPerGranule + 64 * 8);
}

TEST_F(AuditForgedWordTest, AGroupNumberIsOneOfTheRegions) {
  options_.group_count = 3;
  const auto forged = ForgeWord(place_, BufferWord().Send(3, 1));
  ExpectOnlyHere(Severity::kDamage, AuditKind::kSentGroup);
  options_.group_count = 4;
  ExpectNothing();
}

TEST_F(AuditForgedWordTest, AMessageIsInARing) {
  options_.is_published = [](void*, BufferRef, BufferWord) { return false; };
  const auto forged = ForgeWord(place_, BufferWord().Send(3, 1));
  ExpectOnlyHere(Severity::kDamage, AuditKind::kSentNowhere);
  options_.quiet = false;  // its sender may be just before the publication
  ExpectOnlyHere(Severity::kNote, AuditKind::kSentNowhere);
}

// Published between two looks: the region was at work, nothing is wrong.
TEST_F(AuditForgedWordTest, WhatIsGoneAtTheSecondLookIsMovingNotWrong) {
  const auto forged = ForgeWord(place_, BufferWord().Send(3, 1));
  int calls = 0;
  options_.context = &calls;
  options_.is_published = [](void* context, BufferRef, BufferWord) {
    return ++*static_cast<int*>(context) > 1;
  };
  const auto report = Audit(*region(), options_);
  ASSERT_TRUE(report.ok());
  EXPECT_TRUE(report->IsClean()) << testing::TextOf(report->findings);
  EXPECT_EQ(report->findings.moving(), 1U);
  EXPECT_EQ(report->of(AuditPlace::kSent).buffers, 1U);
}

TEST_F(AuditForgedWordTest, AMessageOfNobodysIsInARingOrLost) {
  Abandon();
  options_.quiet = false;
  options_.is_published = [](void*, BufferRef, BufferWord) { return false; };
  ExpectOnlyHere(Severity::kDamage, AuditKind::kSentNowhere);
}

TEST_F(AuditForgedWordTest, AMessageThatTheDeadDidNotPublishIsToBeFreed) {
  Abandon();
  const auto lease = ForgeLease(Died());
  const std::uint32_t index = testing::UnitOf(place_.ref);
  const auto forged = ForgeUnit(index, unit(index).Own(kStranger));
  options_.is_published = [](void*, BufferRef, BufferWord) { return false; };
  const auto report = Audit(*region(), options_);
  ASSERT_TRUE(report.ok());
  EXPECT_TRUE(report->IsSound());
  EXPECT_EQ(report->findings.Count(AuditKind::kSentNowhere), 1U);
  EXPECT_EQ(report->of(AuditPlace::kRepair).bytes, kUnitBytes);
}

TEST_F(AuditForgedWordTest, WhatIsRetainedIsKeptBySomebody) {
  const auto forged = ForgeWord(place_, BufferWord().Send(3, 1).Retain());
  ExpectNothing();
  options_.is_kept = [](void*, BufferRef) { return true; };
  ExpectNothing();
  options_.is_kept = [](void*, BufferRef) { return false; };
  ExpectOnlyHere(Severity::kDamage, AuditKind::kRetainedByNobody);
}

TEST_F(AuditForgedWordTest, WhatNobodysLeaseHoldsIsLost) {
  const auto forged = ForgeWord(place_, BufferWord().Give(kStranger));
  ExpectOnlyHere(Severity::kDamage, AuditKind::kHeldLease);
}

TEST_F(AuditForgedWordTest, AnEarlierGenerationHoldsNothing) {
  const auto forged =
      ForgeWord(place_, BufferWord().Give({me().slot, me().generation + 1}));
  ExpectOnlyHere(Severity::kDamage, AuditKind::kHeldLease);
}

TEST_F(AuditForgedWordTest, WhatADeadLeaseHoldsWaitsForItsReaper) {
  const auto lease = ForgeLease(Died());
  const auto forged = ForgeWord(place_, BufferWord().Give(kStranger));
  const Geometry& g = region()->geometry();
  const std::uint64_t touched = g.touched_offset +
                                kStranger.slot * g.touched_bytes_per_lease +
                                place_.ref.granule() / 64 * 8;
  ASSERT_TRUE(region()->CommitMeta(touched, 8).ok());
  const Forged<std::uint64_t> begun(
      region()->lease_record(kStranger.slot).touched_generation,
      kStranger.generation);
  const Forged<std::uint64_t> mark(
      *region()->meta<std::atomic<std::uint64_t>>(touched),
      std::uint64_t{1} << (place_.ref.granule() % 64));
  ExpectOnlyHere(Severity::kRepair, AuditKind::kHeldDead);
}

TEST_F(AuditForgedWordTest, WhoHoldsInAnothersUnitHasMarkedTheGranule) {
  Abandon();
  const auto forged = ForgeWord(place_, BufferWord().Give(me()));
  ExpectOnlyHere(Severity::kDamage, AuditKind::kHeldUntouched);
}

TEST_F(AuditForgedWordTest, AHintMayBeWrong) {
  Send(place_.ref);
  const Forged<std::uint8_t> forged(*place_.hint, 1);
  ExpectOnlyHere(Severity::kNote, AuditKind::kHintAhead);
}

}  // namespace
}  // namespace zcb::alloc
