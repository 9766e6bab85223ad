// Alloc and free, as one process sees them.
#include "allocator/allocator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <thread>

#include "tests/allocator/allocator_testing.h"

namespace zcb::alloc {
namespace {

class AllocatorBasicTest : public testing::AllocatorTest {
 protected:
  AllocatorBasicTest() : AllocatorTest(16) {}
  std::string WhyNotFree(BufferRef ref) {
    const Outcome freed = allocator().Free(ref);
    EXPECT_EQ(freed.status(), Status::kInvalidParam);
    return freed.reason();
  }
};

TEST_F(AllocatorBasicTest, EverySizeGivesAnAlignedBufferThatIsBigEnough) {
  for (std::uint64_t bytes = 0; bytes <= 6 * kUnitBytes;
       bytes += 1 + bytes / 7) {
    const BufferRef ref = MustAlloc(bytes);
    EXPECT_TRUE(allocator().IsLive(ref));
    EXPECT_GE(allocator().UsableBytes(ref), std::max<std::uint64_t>(bytes, 1));
    EXPECT_LE(ref.offset_bytes() + allocator().UsableBytes(ref),
              region()->geometry().region_bytes);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(allocator().Pointer(ref)) % 64,
              0U);
    allocator().Pointer(ref)[0] = std::byte{1};
    allocator().Pointer(ref)[allocator().UsableBytes(ref) - 1] = std::byte{1};
    MustFree(ref);
    EXPECT_FALSE(allocator().IsLive(ref));
    EXPECT_EQ(allocator().UsableBytes(ref), 0U);
  }
}

TEST_F(AllocatorBasicTest, LiveBuffersOfAllClassesNeverOverlap) {
  std::vector<BufferRef> all;
  for (int round = 0; round < 3; ++round) {
    for (std::uint32_t c = 0; c < kExtentClass; ++c) {
      const auto ref = allocator().Alloc(kSizeClasses[c].bytes());
      if (ref) all.push_back(*ref);
    }
  }
  ASSERT_GT(all.size(), 100U);
  for (std::size_t i = 0; i < all.size(); ++i) {
    std::memset(allocator().Pointer(all[i]), static_cast<int>(i % 251),
                allocator().UsableBytes(all[i]));
  }
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::byte* const bytes = allocator().Pointer(all[i]);
    const std::uint64_t usable = allocator().UsableBytes(all[i]);
    ASSERT_TRUE(std::all_of(bytes, bytes + usable, [&](std::byte byte) {
      return byte == static_cast<std::byte>(i % 251);
    })) << i;
  }
  FreeAll(all);
}

TEST_F(AllocatorBasicTest, MoreThanTheRegionIsTooBigNotJustNow) {
  EXPECT_EQ(allocator().Alloc(17 * kUnitBytes).status(), Status::kTooBig);
  EXPECT_EQ(allocator().Alloc(~std::uint64_t{0}).status(), Status::kTooBig);
  MustAlloc(64);
  EXPECT_EQ(allocator().Alloc(16 * kUnitBytes).status(), Status::kNoMemory);
}

TEST_F(AllocatorBasicTest, AFreeThatIsWrongSaysWhyAndHasNoEffect) {
  const BufferRef ref = MustAlloc(1000);
  EXPECT_EQ(WhyNotFree(BufferRef(ref.line() + 1)),
            "inside a buffer, not at its start");
  EXPECT_EQ(WhyNotFree(BufferRef(BufferRef::kMax)), "outside the region");
  EXPECT_EQ(WhyNotFree(BufferRef(15 * testing::kLinesPerUnit)),
            "not memory of this process, or freed long ago");
  EXPECT_TRUE(allocator().IsLive(ref));
  MustFree(ref);
  EXPECT_EQ(WhyNotFree(ref), "already free");
  const BufferRef run = MustAlloc(10 * kGranuleBytes);
  EXPECT_EQ(WhyNotFree(BufferRef(run.line() + 1024)),
            "inside a buffer, not at its start");
  MustFree(run);
  EXPECT_EQ(WhyNotFree(run), "already free");
  const BufferRef extent = MustAlloc(2 * kUnitBytes);
  EXPECT_EQ(WhyNotFree(BufferRef(extent.line() + testing::kLinesPerUnit)),
            "inside a buffer, not at its start");
  MustFree(extent);
  EXPECT_EQ(WhyNotFree(extent),
            "not memory of this process, or freed long ago");
}

TEST_F(AllocatorBasicTest, PointersAndReferencesNameTheSamePlaces) {
  const BufferRef ref = MustAlloc(300);
  std::byte* const pointer = allocator().Pointer(ref);
  EXPECT_EQ(allocator().RefOf(pointer), ref);
  EXPECT_FALSE(allocator().RefOf(pointer + 1));
  EXPECT_STREQ(allocator().CheckPointer(pointer + 1).reason(),
               "not aligned as a buffer is");
  EXPECT_FALSE(allocator().RefOf(&ref));
  EXPECT_FALSE(allocator().RefOf(nullptr));
  EXPECT_FALSE(allocator().RefOf(region()->data() - 64));
  EXPECT_STREQ(
      allocator()
          .CheckPointer(region()->data() + region()->geometry().region_bytes)
          .reason(),
      "outside the region");
  MustFree(ref);
}

TEST_F(AllocatorBasicTest, ReuseRotatesOverAFewMebibytes) {
  // 64 KiB: half a magazine of 64 is 2 MiB.
  std::vector<BufferRef> seen;
  for (int i = 0; i < 100; ++i) {
    const BufferRef ref = MustAlloc(64 * 1024);
    if (std::find(seen.begin(), seen.end(), ref) == seen.end()) {
      seen.push_back(ref);
    }
    MustFree(ref);
  }
  EXPECT_GE(seen.size(), 8U);
  EXPECT_LE(seen.size(), 64U);
}

// Or a processor that reads them in turn fetches those that come next, from
// whoever is about to write them.
TEST_F(AllocatorBasicTest, BuffersThatFollowEachOtherAreNoNeighbours) {
  for (const std::uint64_t bytes : {64U, 128U, 512U}) {
    std::vector<BufferRef> all;
    for (int i = 0; i < 256; ++i) all.push_back(MustAlloc(bytes));
    const std::uint32_t lines = kSizeClasses[SizeClassOf(bytes)].lines;
    int neighbours = 0;
    for (std::size_t i = 1; i < all.size(); ++i) {
      neighbours += all[i].line() - all[i - 1].line() == lines;
    }
    // Where two batches, or two slabs, meet.
    EXPECT_LE(neighbours, 8) << bytes;
    FreeAll(all);
  }
}

TEST_F(AllocatorBasicTest, ABufferMayBeFreedByAnotherThread) {
  constexpr int kCount = 5000;
  std::vector<BufferRef> all;
  for (int i = 0; i < kCount; ++i) all.push_back(MustAlloc(200));
  EXPECT_EQ(allocator().Stats().live_buffers, kCount);
  std::thread([&] { FreeAll(all); }).join();
  const AllocatorStats stats = allocator().Stats();
  EXPECT_EQ(stats.live_buffers, 0U);
  EXPECT_EQ(stats.out_buffers, 0U);
}

TEST_F(AllocatorBasicTest, AThousandShortThreadsLeaveNothingBehind) {
  std::uint64_t units = 0;
  for (int i = 0; i < 1000; ++i) {
    std::thread([&] {
      const BufferRef small = MustAlloc(64);
      const BufferRef large = MustAlloc(100'000);
      MustFree(small);
      MustFree(large);
    }).join();
    if (i == 0) units = allocator().Stats().owned_units;
  }
  EXPECT_EQ(allocator().Stats().owned_units, units);
  EXPECT_EQ(allocator().Stats().live_buffers, 0U);
}

TEST_F(AllocatorBasicTest, StatsCountWhatThereIs) {
  std::vector<BufferRef> live;
  for (int i = 0; i < 10; ++i) live.push_back(MustAlloc(500));
  const BufferRef extent = MustAlloc(3 * kUnitBytes);
  const BufferPlace out = Send(live.back());
  live.pop_back();
  AllocatorStats stats = allocator().Stats();
  EXPECT_EQ(stats.live_buffers, 10U);
  EXPECT_EQ(stats.out_buffers, 1U);
  EXPECT_EQ(stats.owned_extent_units, 3U);
  EXPECT_EQ(stats.owned_units, 1U);
  EXPECT_EQ(stats.cached_buffers + 10, kSizeClasses[SizeClassOf(500)].count);
  TurnFree(out);
  allocator().ComeBack(out);
  MustFree(extent);
  FreeAll(live);
  stats = allocator().Stats();
  EXPECT_EQ(stats.live_buffers + stats.out_buffers, 0U);
  EXPECT_EQ(stats.owned_extent_units, 0U);
}

TEST_F(AllocatorBasicTest, ACleanEndLeavesEveryUnitFreeOrAbandoned) {
  const BufferRef out = MustAlloc(64);
  MustFree(MustAlloc(10'000));
  MustAlloc(5 * kGranuleBytes);
  MustFree(MustAlloc(2 * kUnitBytes));
  Send(out);
  EndAllocator();
  for (std::uint32_t u = 0; u < shared().unit_count(); ++u) {
    EXPECT_TRUE(unit(u).kind() == UnitWord::Kind::kFree ||
                unit(u).kind() == UnitWord::Kind::kAbandoned);
  }
  EXPECT_EQ(unit(testing::UnitOf(out)).kind(), UnitWord::Kind::kAbandoned);
}

TEST_F(AllocatorBasicTest, AnInheritedAllocatorRefusesEverything) {
  const BufferRef ref = MustAlloc(64);
  EXPECT_TRUE(testing::SucceedsInChild([&](testing::Talk&) {
    EXPECT_EQ(allocator().Alloc(64).status(), Status::kBadHandle);
    EXPECT_EQ(allocator().Alloc(4 * kUnitBytes).status(), Status::kBadHandle);
    EXPECT_EQ(allocator().Free(ref).status(), Status::kBadHandle);
    EXPECT_EQ(allocator().BeginSend(ref).status(), Status::kBadHandle);
    EXPECT_FALSE(allocator().IsLive(ref));
    EndAllocator();
  }));
  EXPECT_EQ(unit(testing::UnitOf(ref)).kind(), UnitWord::Kind::kOwned);
  MustFree(ref);
}

}  // namespace
}  // namespace zcb::alloc
