// Units change hands with the buffers that are in them.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "allocator/granule_word.h"
#include "tests/allocator/allocator_testing.h"

namespace zcb::alloc {
namespace {

using Kind = UnitWord::Kind;

class UnitAdoptionTest : public testing::AllocatorTest {
 protected:
  // Fills the region, sends every third buffer, and leaves it all behind.
  std::vector<BufferPlace> FillAndLeave(std::uint64_t bytes) {
    std::vector<BufferPlace> out;
    const std::vector<BufferRef> all = AllocAll(bytes);
    filled_ = all.size();
    for (std::size_t i = 0; i < all.size(); i += 3) out.push_back(Send(all[i]));
    EndAllocator();
    NewAllocator();
    return out;
  }
  static std::set<std::uint32_t> LinesOf(const std::vector<BufferRef>& all) {
    std::set<std::uint32_t> lines;
    for (const BufferRef ref : all) lines.insert(ref.line());
    return lines;
  }
  std::size_t filled_ = 0;
};

TEST_F(UnitAdoptionTest,
       TheAdopterGetsTheFreeBuffersAndTheOthersAsTheyComeBack) {
  for (const std::uint64_t bytes :
       {std::uint64_t{64}, std::uint64_t{1000}, std::uint64_t{40'000},
        std::uint64_t{250'000}, 8 * kGranuleBytes}) {
    const std::vector<BufferPlace> out = FillAndLeave(bytes);
    std::vector<BufferRef> all = AllocAll(bytes);
    EXPECT_EQ(all.size(), filled_ - out.size()) << bytes;
    const std::set<std::uint32_t> lines = LinesOf(all);
    EXPECT_EQ(lines.size(), all.size()) << "none twice";
    for (const BufferPlace& place : out) {
      EXPECT_FALSE(lines.contains(place.ref.line())) << "still out";
    }
    for (const BufferPlace& place : out) {
      TurnFree(place);
      place.hint->store(1, std::memory_order_release);
    }
    const std::vector<BufferRef> rest = AllocAll(bytes);
    EXPECT_EQ(rest.size(), out.size()) << bytes;
    FreeAll(all);
    FreeAll(rest);
    EndAllocator();
    for (std::uint32_t u = 0; u < shared().unit_count(); ++u) {
      EXPECT_EQ(unit(u).kind(), Kind::kFree) << bytes;
    }
    NewAllocator();
  }
}

TEST_F(UnitAdoptionTest, HintsThatTheDeadOwnerLeftMeanNothing) {
  const std::vector<BufferPlace> out = FillAndLeave(30'000);
  for (const BufferPlace& place : out) place.hint->store(1);
  EXPECT_EQ(AllocAll(30'000).size(), filled_ - out.size());
}

TEST_F(UnitAdoptionTest, ABufferThatComesBackToNobodyWaitsForTheAdopter) {
  const std::vector<BufferPlace> out = FillAndLeave(30'000);
  for (const BufferPlace& place : out) {
    TurnFree(place);
    allocator().ComeBack(place);
  }
  EXPECT_EQ(AllocAll(30'000).size(), filled_);
}

TEST_F(UnitAdoptionTest, EachAdoptionRaisesTheEpoch) {
  const std::uint32_t line = FillAndLeave(30'000).front().ref.line();
  const std::uint32_t before = unit(testing::UnitOf(BufferRef(line))).epoch();
  AllocAll(30'000);
  const UnitWord word = unit(testing::UnitOf(BufferRef(line)));
  EXPECT_EQ(word.epoch(), before + 1);
  EXPECT_TRUE(word.IsOwnedBy(region()->lease()));
}

// What a process that is killed while it makes or dissolves a slab leaves.
TEST_F(UnitAdoptionTest, HalfWrittenSlabsAreMendedOrFree) {
  const BufferRef first = MustAlloc(40'000);  // eight granules
  const std::uint32_t head = first.granule();
  Send(first);
  EndAllocator();
  // Made: the head and the last granule are there, the middle is not.
  for (std::uint32_t g = 1; g < 5; ++g) shared().granule(head + g).store(0);
  // Half-dissolved slab next to it: no head any more.
  for (std::uint32_t g = 1; g < 8; ++g) {
    shared()
        .granule(head + 8 + g)
        .store(GranuleWord::Make(SizeClassOf(40'000), g, 8).raw());
  }
  NewAllocator();
  const std::vector<BufferRef> all = AllocAll(40'000);
  EXPECT_EQ(all.size(), 8U * 4 * kSizeClasses[SizeClassOf(40'000)].count - 1);
  for (std::uint32_t g = 0; g < 8; ++g) {
    EXPECT_EQ(shared().granule(head + g).load(),
              GranuleWord::Make(SizeClassOf(40'000), g, 8).raw());
  }
}

TEST_F(UnitAdoptionTest, GranulesWithNonsenseAreLeftAlone) {
  LeaveDamaged();
  const BufferRef first = MustAlloc(64);
  Send(first);
  EndAllocator();
  const std::uint32_t unit_granule = testing::UnitOf(first) * kGranulesPerUnit;
  const auto Scribble = [&](std::uint32_t g, GranuleWord word) {
    shared().granule(unit_granule + g).store(word.raw());
  };
  Scribble(9, GranuleWord::Make(200, 0, 1));                   // no such class
  Scribble(11, GranuleWord::Make(5, 0, 7));                    // wrong span
  Scribble(13, GranuleWord::Make(SizeClassOf(40'000), 0, 8));  // misplaced
  Scribble(30, GranuleWord::Make(SizeClassOf(8 * kGranuleBytes), 0, 8));
  NewAllocator();
  const std::vector<BufferRef> all = AllocAll(64);
  EXPECT_EQ(all.size(), (8 * 32 - 4) * 1024U - 1);
  for (const BufferRef ref : all) {
    const std::uint32_t g = ref.granule() - unit_granule;
    ASSERT_FALSE(g == 9 || g == 11 || g == 13 || g == 30);
  }
  FreeAll(all);
  EndAllocator();
  EXPECT_EQ(unit(testing::UnitOf(first)).kind(), Kind::kAbandoned);
}

TEST_F(UnitAdoptionTest, OfTwoHeadsThatOverlapTheFirstCounts) {
  const BufferRef first = MustAlloc(8 * kGranuleBytes);
  Send(first);
  EndAllocator();
  shared()
      .granule(first.granule() + 2)
      .store(GranuleWord::Make(SizeClassOf(6 * kGranuleBytes), 0, 6).raw());
  NewAllocator();
  for (const BufferRef ref : AllocAll(64)) {
    ASSERT_FALSE(ref.granule() >= first.granule() &&
                 ref.granule() < first.granule() + 8);
  }
}

TEST_F(UnitAdoptionTest, TwoAllocatorsNeverOwnOneUnit) {
  // Both under our lease, but neither knows of the other's tables.
  const auto other = testing::MakeAllocator(region());
  std::set<std::uint32_t> mine;
  std::set<std::uint32_t> theirs;
  for (;;) {
    const auto a = allocator().Alloc(500'000);
    const auto b = other->Alloc(500'000);
    if (a) mine.insert(testing::UnitOf(*a));
    if (b) theirs.insert(testing::UnitOf(*b));
    if (!a && !b) break;
  }
  EXPECT_EQ(mine.size() + theirs.size(), 8U);
  for (const std::uint32_t u : mine) EXPECT_FALSE(theirs.contains(u));
}

}  // namespace
}  // namespace zcb::alloc
