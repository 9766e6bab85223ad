// Extents of which the end lies in a unit that holds other things too; in
// regions of both kinds of units.
#include "allocator/extent_tail.h"

#include <gtest/gtest.h>

#include <cstring>
#include <set>

#include "allocator/buffer_place.h"
#include "allocator/extent_words.h"
#include "allocator/granule_word.h"
#include "tests/allocator/allocator_testing.h"

namespace zcb::alloc {
namespace {

using Kind = UnitWord::Kind;

constexpr std::uint32_t kUnits = 16;

class ExtentTailTest : public testing::AllocatorTest,
                       public ::testing::WithParamInterface<std::uint32_t> {
 protected:
  ExtentTailTest() : AllocatorTest(kUnits, GetParam()) {}

  std::uint32_t per_unit() const { return shared().granules_per_unit(); }
  std::uint32_t FirstUnitOf(BufferRef ref) const {
    return shared().UnitOf(ref);
  }
  std::uint64_t BytesOf(std::uint32_t units, std::uint32_t tail) const {
    return ExtentSize{units, tail}.granules(per_unit()) * kGranuleBytes;
  }
  GranuleWord WordOf(std::uint32_t unit_index, std::uint32_t g) const {
    return GranuleWord(
        shared().granule(shared().FirstGranuleOf(unit_index) + g).load());
  }
  // Single granules that can be had. They fill the region, and all else.
  std::size_t CountFreeGranules() {
    const std::vector<BufferRef> all = AllocAll(8 * 1024);
    EXPECT_EQ(all.size() % 8, 0U);
    std::set<std::uint32_t> lines;
    for (const BufferRef ref : all) lines.insert(ref.line());
    EXPECT_EQ(lines.size(), all.size());
    FreeAll(all);
    return all.size() / 8;
  }
  // At the end of unit 8, with free units below and above.
  BufferRef RunInUnit8() {
    const BufferRef upper = MustAlloc(BytesOf(kUnits - 8, 0));
    const BufferRef lower = MustAlloc(BytesOf(8, 0));
    MustFree(upper);
    const BufferRef run =
        MustAlloc((per_unit() == kGranulesPerUnit ? 5 : 2) * kGranuleBytes);
    EXPECT_EQ(FirstUnitOf(run), 8U);
    MustFree(lower);
    return run;
  }
  void ExpectAllFree() {
    EndAllocator();
    for (std::uint32_t u = 0; u < kUnits; ++u) {
      EXPECT_EQ(unit(u).kind(), Kind::kFree) << u;
    }
  }
};

INSTANTIATE_TEST_SUITE_P(UnitBytes, ExtentTailTest,
                         ::testing::Values(kUnitBytes, kSmallUnitBytes));

TEST_P(ExtentTailTest, TheWordsSayWhereItBegins) {
  const BufferRef ref = MustAlloc(BytesOf(2, 3));
  const std::uint32_t first = FirstUnitOf(ref);
  EXPECT_EQ(first, kUnits - 3);
  EXPECT_EQ(unit(first).length_units(), 2U);
  EXPECT_EQ(unit(first + 1).kind(), Kind::kMember);
  EXPECT_TRUE(unit(first + 2).IsOwnedBy(region()->lease()));
  EXPECT_EQ(WordOf(first, 0), GranuleWord::Make(kExtentClass, 3, 2));
  for (std::uint32_t g = 0; g < 3; ++g) {
    EXPECT_EQ(WordOf(first + 2, g), GranuleWord::Make(kExtentTailClass, g, 2));
  }
  EXPECT_FALSE(WordOf(first + 2, 3).is_valid());
  EXPECT_EQ(allocator().UsableBytes(ref), BytesOf(2, 3));
  MustFree(ref);
  for (std::uint32_t g = 0; g < 3; ++g) {
    EXPECT_FALSE(WordOf(first + 2, g).is_valid());
  }
  ExpectAllFree();
}

TEST_P(ExtentTailTest, LessThanAGranuleIsWasted) {
  for (std::uint64_t bytes = BytesOf(1, 0); bytes <= BytesOf(4, 0);
       bytes += kGranuleBytes / 3) {
    const BufferRef ref = MustAlloc(bytes);
    const std::uint64_t usable = allocator().UsableBytes(ref);
    ASSERT_GE(usable, bytes);
    ASSERT_LT(usable - bytes, kGranuleBytes) << bytes;
    std::memset(allocator().Pointer(ref), 0x5a, usable);
    MustFree(ref);
  }
  ExpectAllFree();
}

TEST_P(ExtentTailTest, WhatItLeavesOfItsLastUnitIsForOthers) {
  const BufferRef ref = MustAlloc(BytesOf(3, 1));
  std::memset(allocator().Pointer(ref), 0x5a, BytesOf(3, 1));
  const std::vector<BufferRef> rest = AllocAll(8 * 1024);
  EXPECT_EQ(rest.size(), ((kUnits - 3) * per_unit() - 1) * 8);
  for (const BufferRef buffer : rest) {
    std::memset(allocator().Pointer(buffer), 0x77, 8 * 1024);
  }
  const std::byte* const bytes = allocator().Pointer(ref);
  for (std::uint64_t i = 0; i < BytesOf(3, 1); i += 64) {
    ASSERT_EQ(bytes[i], std::byte{0x5a}) << i;
  }
  FreeAll(rest);
  MustFree(ref);
  ExpectAllFree();
}

TEST_P(ExtentTailTest, TheRestOfItsUnitIsTheLastThatIsTaken) {
  const BufferRef ref = MustAlloc(BytesOf(2, 1));
  const std::uint32_t tail_unit = FirstUnitOf(ref) + 2;
  std::vector<BufferRef> others;
  for (std::uint32_t g = 0; g < (kUnits - 3) * per_unit() * 8; ++g) {
    others.push_back(MustAlloc(8 * 1024));
    ASSERT_NE(FirstUnitOf(others.back()), tail_unit) << g;
  }
  for (std::uint32_t g = 0; g < (per_unit() - 1) * 8; ++g) {
    others.push_back(MustAlloc(8 * 1024));
    ASSERT_EQ(FirstUnitOf(others.back()), tail_unit) << g;
  }
  EXPECT_EQ(allocator().Alloc(64).status(), Status::kNoMemory);
  MustFree(ref);
  MustFree(MustAlloc(BytesOf(2, 1)));
  FreeAll(others);
  ExpectAllFree();
}

TEST_P(ExtentTailTest, AUnitOfOursBelowWhichThereIsRoomTakesIt) {
  const BufferRef run = RunInUnit8();
  const BufferRef extent = MustAlloc(BytesOf(3, 2));
  EXPECT_EQ(FirstUnitOf(extent), 5U);
  EXPECT_EQ(unit(7).kind(), Kind::kMember);
  EXPECT_EQ(WordOf(8, 1), GranuleWord::Make(kExtentTailClass, 1, 3));
  MustFree(run);
  EXPECT_TRUE(unit(8).IsOwnedBy(region()->lease()))
      << "not while a tail is in it";
  MustFree(extent);
  ExpectAllFree();
}

TEST_P(ExtentTailTest, WhatCannotBeHadLeavesNothingBehind) {
  const BufferRef most = MustAlloc(BytesOf(kUnits - 2, 0));
  EXPECT_EQ(allocator().Alloc(BytesOf(2, 1)).status(), Status::kNoMemory);
  const BufferRef last = MustAlloc(BytesOf(1, 1));
  EXPECT_EQ(allocator().Alloc(BytesOf(1, 1)).status(), Status::kNoMemory);
  MustFree(last);
  MustFree(most);
  MustFree(MustAlloc(BytesOf(kUnits, 0)));
  EXPECT_EQ(CountFreeGranules(), kUnits * per_unit());
  ExpectAllFree();
}

TEST_P(ExtentTailTest, InsideItNoBufferStarts) {
  const BufferRef ref = MustAlloc(BytesOf(2, 2));
  const std::uint64_t lines = allocator().UsableBytes(ref) / kLineBytes;
  for (std::uint32_t i = 1; i < lines; i += 127) {
    const BufferRef inside(ref.line() + i);
    EXPECT_FALSE(allocator().Locate(inside));
    EXPECT_FALSE(LocateBuffer(shared(), inside));
    EXPECT_STREQ(allocator().Free(inside).reason(),
                 "inside a buffer, not at its start");
  }
  const auto place = LocateBuffer(shared(), ref);
  ASSERT_TRUE(place);
  EXPECT_EQ(place->usable_bytes, BytesOf(2, 2));
}

TEST_P(ExtentTailTest, ALengthThatWouldLeadOutOfTheRegionIsRefused) {
  const BufferRef ref = MustAlloc(BytesOf(2, 0));
  ASSERT_EQ(FirstUnitOf(ref), kUnits - 2);
  const std::uint32_t head = ref.granule();
  for (std::uint32_t tail = 1; tail < 32; ++tail) {
    shared().granule(head).store(
        GranuleWord::Make(kExtentClass, tail, 2).raw());
    EXPECT_FALSE(LocateBuffer(shared(), ref)) << tail;
  }
  shared().granule(head).store(GranuleWord::Make(kExtentClass, 0, 2).raw());
  EXPECT_TRUE(LocateBuffer(shared(), ref));
}

// --- its owner goes, the buffer is out ------------------------------------

TEST_P(ExtentTailTest, AnOrphansTailIsKeptFromWhoeverAdoptsItsUnit) {
  const BufferRef ref = MustAlloc(BytesOf(2, 3));
  const BufferPlace place = Send(ref);
  const std::uint32_t first = FirstUnitOf(ref);
  EndAllocator();
  EXPECT_EQ(unit(first).kind(), Kind::kOrphanHead);
  EXPECT_EQ(unit(first + 2).kind(), Kind::kAbandoned);
  const std::size_t rest = (kUnits - 2) * per_unit() - 3;
  for (int round = 0; round < 2; ++round) {  // also by the second adopter
    NewAllocator();
    EXPECT_EQ(CountFreeGranules(), rest);
    EndAllocator();
  }
  NewAllocator();
  EXPECT_EQ(CountFreeGranules(), rest);
  ASSERT_TRUE(allocator().Locate(ref));
  EXPECT_EQ(allocator().Locate(ref)->usable_bytes, BytesOf(2, 3));
  TurnFree(place);
  allocator().ComeBack(place);
  EXPECT_EQ(CountFreeGranules(), kUnits * per_unit());
  ExpectAllFree();
}

TEST_P(ExtentTailTest, ATailThatWaitsIsFreeAfterTheNextCollection) {
  const BufferPlace place = Send(MustAlloc(BytesOf(2, 3)));
  const std::uint32_t tail_unit = FirstUnitOf(place.ref) + 2;
  EndAllocator();
  NewAllocator();
  const BufferRef small = MustAlloc(64);
  ASSERT_EQ(FirstUnitOf(small), tail_unit) << "adopted";
  // Brought home by somebody who died before he could free the orphan.
  TurnFree(place);
  allocator().Collect();
  for (std::uint32_t g = 0; g < 3; ++g) {
    EXPECT_NE(WordOf(tail_unit, g).size_class(), kExtentTailClass);
  }
  // The same place again, now with the adopter's tail.
  const BufferRef again = MustAlloc(BytesOf(2, 3));
  EXPECT_EQ(again, place.ref);
  allocator().Collect();
  EXPECT_TRUE(IsTailInUse(shared(), {tail_unit, {2, 3}}));
  MustFree(small);
  MustFree(again);
  ExpectAllFree();
}

TEST_P(ExtentTailTest, AnExtentWhoseBufferIsBackWhenItsOwnerLeavesIsFreed) {
  const BufferPlace place = Send(MustAlloc(BytesOf(2, 3)));
  TurnFree(place);
  ExpectAllFree();
}

// --- what a process killed between two stores leaves ----------------------

TEST_P(ExtentTailTest, ATailWithoutItsExtentIsFree) {
  const std::uint32_t below = 2;
  const std::uint32_t at = 5;
  for (const Kind head : {Kind::kFree, Kind::kReserved, Kind::kFreeing,
                          Kind::kMember, Kind::kOwned, Kind::kAbandoned}) {
    ASSERT_TRUE(shared().CommitGranuleWords(at).ok());
    ASSERT_TRUE(shared().CommitGranuleWords(at - below).ok());
    const ExtentTail tail{at, {below, 3}};
    WriteTail(shared(), tail);
    shared()
        .granule(shared().FirstGranuleOf(at - below))
        .store(GranuleWord::Make(kExtentClass, 3, below).raw());
    shared().unit(at - below).store(std::uint64_t(head) | below << 3);
    EXPECT_FALSE(IsTailInUse(shared(), tail)) << int(head);
    shared().unit(at - below).store(UnitWord().ExtentHead({1, 1}, below).raw());
    EXPECT_TRUE(IsTailInUse(shared(), tail));
    shared()
        .unit(at - below)
        .store(UnitWord().ExtentHead({1, 1}, below + 1).raw());
    EXPECT_FALSE(IsTailInUse(shared(), tail)) << "another length";
    shared().unit(at - below).store(UnitWord().raw());
  }
}

TEST_P(ExtentTailTest, AnExtentWithoutATailAtTheSamePlaceIsAnother) {
  LeaveDamaged();
  const ExtentTail tail{5, {2, 3}};
  ASSERT_TRUE(shared().CommitGranuleWords(5).ok());
  ASSERT_TRUE(shared().CommitGranuleWords(3).ok());
  WriteTail(shared(), tail);
  shared().unit(3).store(UnitWord().ExtentHead({1, 1}, 2).Orphan().raw());
  std::atomic<std::uint64_t>& word =
      shared().granule(shared().FirstGranuleOf(3));
  for (const std::uint32_t k : {0U, 1U, 2U}) {
    word.store(GranuleWord::Make(kExtentClass, k, 2).raw());
    EXPECT_FALSE(IsTailInUse(shared(), tail)) << k;
  }
  word.store(GranuleWord::Make(kExtentClass, 3, 2).raw());
  EXPECT_TRUE(IsTailInUse(shared(), tail));
}

// Every prefix of what the maker writes, as a new unit for the tail demands.
TEST_P(ExtentTailTest, AMakerThatDiesAnywhereLeavesOnlyFreeMemory) {
  constexpr LeaseId kDead{40, 1};
  constexpr std::uint32_t kFirst = 6;
  constexpr std::uint32_t kLength = 3;
  constexpr std::uint32_t kTail = 2;
  region()->lease_word(kDead.slot).store(LeaseWord().Attach(4711).Die().raw());
  ExtentWords words(shared());
  const ExtentTail tail{kFirst + kLength, {kLength, kTail}};
  for (int steps = 0; steps <= 6; ++steps) {
    NewAllocator();
    ASSERT_TRUE(words.ReserveAt(kDead, kFirst, kLength + 1));
    for (std::uint32_t u : {kFirst, tail.unit}) {
      ASSERT_TRUE(shared().CommitGranuleWords(u).ok());
    }
    ASSERT_TRUE(
        shared().CommitExtentWord(shared().FirstGranuleOf(kFirst)).ok());
    if (steps >= 1) ClearTail(shared(), {tail.unit, {kLength, per_unit()}});
    if (steps >= 2) WriteTail(shared(), {tail.unit, {kLength, 1}});
    if (steps >= 3) WriteTail(shared(), tail);
    if (steps >= 4) {
      ASSERT_TRUE(words.OwnTailUnit(kDead, tail.unit));
    }
    if (steps >= 5) {
      shared()
          .granule(shared().FirstGranuleOf(kFirst))
          .store(GranuleWord::Make(kExtentClass, kTail, kLength).raw());
    }
    if (steps >= 6) words.Complete(kDead, kFirst, kLength);
    allocator().ReapUnits(kDead, nullptr, nullptr);
    EXPECT_EQ(unit(tail.unit).kind(),
              steps >= 4 ? Kind::kAbandoned : Kind::kFree);
    EXPECT_EQ(CountFreeGranules(), kUnits * per_unit()) << steps;
    ExpectAllFree();
  }
}

TEST_P(ExtentTailTest, NonsenseInATailsWordsHurtsNobody) {
  const BufferRef small = MustAlloc(64);
  Send(small);
  const std::uint32_t at = FirstUnitOf(small);
  EndAllocator();
  for (const std::uint32_t span : {0U, 1U, 2U, 500U, (1U << 17) - 1}) {
    for (const std::uint32_t back : {0U, 1U, 31U}) {
      shared()
          .granule(shared().FirstGranuleOf(at) + 1)
          .store(GranuleWord::Make(kExtentTailClass, back, span).raw());
      NewAllocator();
      EXPECT_EQ(CountFreeGranules(), kUnits * per_unit() - 1);
      EndAllocator();
      // In the place where a tail begins it hides the slab.
      EXPECT_EQ(unit(at).kind(), Kind::kAbandoned);
    }
  }
}

TEST_P(ExtentTailTest, AForgedHeadKeepsOnlyWhatIsInTheUnit) {
  LeaveDamaged();
  const std::uint32_t at = 5;
  ASSERT_TRUE(shared().CommitGranuleWords(at).ok());
  ASSERT_TRUE(shared().CommitGranuleWords(4).ok());
  WriteTail(shared(), {at, {1, 1}});
  shared().unit(4).store(UnitWord().ExtentHead({1, 1}, 1).raw());
  for (std::uint32_t k = 0; k < 32; ++k) {
    shared()
        .granule(shared().FirstGranuleOf(4))
        .store(GranuleWord::Make(kExtentClass, k, 1).raw());
    EXPECT_EQ(TailInUseAt(shared(), at).size.tail_granules,
              k < per_unit() ? k : 0);
  }
}

}  // namespace
}  // namespace zcb::alloc
