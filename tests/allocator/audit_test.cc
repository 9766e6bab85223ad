// What the audit of a sound region says.
#include "allocator/audit.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <cstring>
#include <thread>

#include "tests/allocator/allocator_testing.h"

namespace zcb::alloc {
namespace {

class AuditTest : public testing::AllocatorTest {
 protected:
  AuditTest() : AllocatorTest(16) {}
  AuditReport Look(const AuditOptions& options = {.quiet = true}) {
    auto report = zcb::audit(*region(), options);
    EXPECT_TRUE(report.ok()) << report.reason();
    EXPECT_TRUE(report->IsSound()) << testing::TextOf(report->findings);
    return std::move(*report);
  }
  std::uint64_t MetaBlocks() {
    struct stat facts = {};
    EXPECT_EQ(::fstat(region()->meta_fd(), &facts), 0);
    return static_cast<std::uint64_t>(facts.st_blocks);
  }
};

TEST_F(AuditTest, AFreshRegionIsFree) {
  const AuditReport report = Look();
  EXPECT_EQ(report.region_bytes, 16 * kUnitBytes);
  EXPECT_EQ(report.of(AuditPlace::kFreeHole).bytes, 16 * kUnitBytes);
  EXPECT_EQ(report.living_leases, 1U);
  EXPECT_EQ(report.dead_leases, 0U);
}

TEST_F(AuditTest, EachBufferCountsWhereItIs) {
  MustAlloc(1000);  // its slab: one granule of 64 buffers
  Store(Send(MustAlloc(1000)), BufferWord().Send(3, 7).Keep().Retain());
  Store(Send(MustAlloc(1000)), BufferWord().Give(region()->lease()));
  Send(MustAlloc(1000));
  const AuditReport report = Look();
  EXPECT_EQ(report.of(AuditPlace::kPrivate).buffers, 61U);
  EXPECT_EQ(report.of(AuditPlace::kPrivate).bytes, 61U * 1024);
  EXPECT_EQ(report.of(AuditPlace::kRetained).bytes, 1024U);
  EXPECT_EQ(report.of(AuditPlace::kHeld).bytes, 1024U);
  EXPECT_EQ(report.of(AuditPlace::kSent).bytes, 1024U);
  EXPECT_EQ(report.of(AuditPlace::kSlabTail).bytes, 0U);
  EXPECT_EQ(report.of(AuditPlace::kOwnedFree).bytes, 31 * kGranuleBytes);
  EXPECT_EQ(report.of(AuditPlace::kFreeHole).bytes, 15 * kUnitBytes);
  const AuditClass& cut = report.classes[SizeClassOf(1000)];
  EXPECT_EQ(cut.slabs, 1U);
  EXPECT_EQ(cut.buffers, 64U);
  EXPECT_EQ(cut.buffers_out, 3U);
  EXPECT_EQ(cut.payload_bytes, kGranuleBytes);
}

TEST_F(AuditTest, WhatIsLeftAtTheEndOfASlabIsItsTail) {
  MustAlloc(320);  // 204 in a granule
  EXPECT_EQ(Look().of(AuditPlace::kSlabTail).bytes, kGranuleBytes - 204 * 320);
}

TEST_F(AuditTest, AnExtentCountsWithAllItsUnits) {
  const BufferRef inside = MustAlloc(3 * kUnitBytes);
  Send(MustAlloc(2 * kUnitBytes));
  const AuditReport report = Look();
  EXPECT_EQ(report.of(AuditPlace::kExtent).bytes, 3 * kUnitBytes);
  EXPECT_EQ(report.of(AuditPlace::kExtent).buffers, 1U);
  EXPECT_EQ(report.of(AuditPlace::kSent).bytes, 2 * kUnitBytes);
  EXPECT_EQ(report.classes[kExtentClass].payload_bytes, 5 * kUnitBytes);
  EXPECT_EQ(report.classes[kExtentClass].buffers_out, 1U);
  MustFree(inside);
  EXPECT_EQ(Look().of(AuditPlace::kFreeCommitted).bytes, 3 * kUnitBytes);
}

TEST_F(AuditTest, WhatAProcessLeavesWaitsForAdoption) {
  Send(MustAlloc(1000));
  Send(MustAlloc(2 * kUnitBytes));
  EndAllocator();
  const AuditReport report = Look();
  EXPECT_EQ(report.of(AuditPlace::kAbandoned).bytes, kUnitBytes - 1024);
  EXPECT_EQ(report.of(AuditPlace::kSent).bytes, 1024 + 2 * kUnitBytes);
  EXPECT_TRUE(report.IsClean());
}

TEST_F(AuditTest, EveryClassAddsUp) {
  for (std::uint32_t c = 0; c < kExtentClass; ++c) {
    const auto ref = allocator().Alloc(kSizeClasses[c].bytes());
    if (ref) MustFree(*ref);
    const AuditReport report = Look();
    std::uint64_t payload = 0;
    for (const AuditClass& sum : report.classes) payload += sum.payload_bytes;
    EXPECT_EQ(payload, report.of(AuditPlace::kPrivate).bytes) << c;
  }
}

TEST_F(AuditTest, MetadataIsReportedByTableAndByClass) {
  MustAlloc(64);  // dense: 1024 words, two pages; hints, a quarter of one
  const AuditReport report = Look();
  std::uint64_t virtual_bytes = 0;
  for (const AuditTable& table : report.tables) {
    EXPECT_LE(table.committed_bytes, table.virtual_bytes) << table.name;
    virtual_bytes += table.virtual_bytes;
    if (std::strcmp(table.name, "dense words") == 0) {
      EXPECT_EQ(table.committed_bytes, 2 * kMetaPageBytes);
    }
    if (std::strcmp(table.name, "sparse words") == 0) {
      EXPECT_EQ(table.committed_bytes, 0U);
    }
  }
  EXPECT_EQ(virtual_bytes, region()->geometry().meta_bytes);
  EXPECT_EQ(report.classes[0].metadata_bytes, 1024U * 9);
  EXPECT_EQ(report.classes[0].metadata_committed_bytes, 1024U * 9);
  EXPECT_EQ(report.classes[1].metadata_bytes, 0U);
}

TEST_F(AuditTest, LookingAddsNoPage) {
  Send(MustAlloc(64));
  Send(MustAlloc(3 * kUnitBytes));
  const std::uint64_t before = MetaBlocks();
  Look({.quiet = true, .check_backing = true});
  EXPECT_EQ(MetaBlocks(), before);
}

TEST_F(AuditTest, AnInheritedRegionIsRefused) {
  EXPECT_TRUE(testing::SucceedsInChild([&](testing::Talk&) {
    EXPECT_EQ(Audit(*region()).status(), Status::kBadHandle);
    EXPECT_EQ(allocator().AuditOwn().status(), Status::kBadHandle);
  }));
}

TEST_F(AuditTest, TheListIsBoundedTheCountsAreNot) {
  LeaveDamaged();
  for (std::uint32_t unit = 0; unit < 16; ++unit) {
    shared().unit(unit).store(UnitWord().Member(region()->lease(), 99).raw());
  }
  const auto report = Audit(*region(), {.max_findings = 5});
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->findings.list().size(), 5U);
  EXPECT_EQ(report->findings.damage(), 16U);
  EXPECT_EQ(report->findings.Count(AuditKind::kMemberAlone), 16U);
  EXPECT_EQ(report->of(AuditPlace::kDamaged).bytes, report->region_bytes);
  EXPECT_FALSE(report->IsSound());
}

// Whatever the words hold, the walk ends and every byte is somewhere.
TEST_F(AuditTest, NonsenseEverywhereStillAddsUp) {
  LeaveDamaged();
  MustAlloc(64);
  testing::Random random(7);
  const auto any = [&] {
    return std::uint64_t{random.Below(~0U)} << 32 | random.Below(~0U);
  };
  for (int round = 0; round < 200; ++round) {
    for (std::uint32_t unit = 0; unit < 16; ++unit) {
      ASSERT_TRUE(shared().CommitGranuleWords(unit).ok());
      shared().unit(unit).store(any() & 0xff0'000f);
      for (std::uint32_t g = 0; g < testing::kGranules; ++g) {
        shared().granule(unit * testing::kGranules + g).store(any() & 0x3'ffff);
      }
    }
    for (int i = 0; i < 1024; ++i) {
      (shared().words({0, 0}) + i)->store(any());
    }
    const auto report = Audit(*region());
    ASSERT_TRUE(report.ok());
    ASSERT_EQ(report->SumBytes(), report->region_bytes);
    ASSERT_GT(report->findings.damage(), 0U);
  }
}

TEST_F(AuditTest, ARegionAtWorkIsSoundAtAnyMoment) {
  constexpr int kAudits = 300;
  std::atomic<bool> stop{false};
  std::array<std::thread, 2> workers;
  for (std::uint32_t w = 0; w < 2; ++w) {
    workers[w] = std::thread([&, w] {
      testing::Random random(w);
      std::vector<BufferRef> mine;
      while (!stop) {
        if (mine.size() < 200) {
          const auto ref = allocator().Alloc(64U << random.Below(16));
          if (ref) mine.push_back(*ref);
        }
        if (!mine.empty() && random.Below(3) != 0) {
          std::swap(mine[random.Below(static_cast<std::uint32_t>(mine.size()))],
                    mine.back());
          if (random.Below(4) == 0) {
            const BufferPlace place = Send(mine.back());
            TurnFree(place);
            allocator().ComeBack(place);
          } else {
            MustFree(mine.back());
          }
          mine.pop_back();
        }
      }
      for (const BufferRef ref : mine) MustFree(ref);
    });
  }
  std::uint64_t moving = 0;
  for (int i = 0; i < kAudits; ++i) {
    moving += Look({.check_backing = true}).findings.moving();
  }
  stop = true;
  for (std::thread& worker : workers) worker.join();
  RecordProperty("moving", static_cast<int>(moving));
}

}  // namespace
}  // namespace zcb::alloc
