// Buffers that a dead process had given away or taken, written by hand, and
// what reapers make of them.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <utility>
#include <vector>

#include "allocator/touched_map.h"
#include "allocator/unit_reaper.h"
#include "tests/allocator/allocator_testing.h"

namespace zcb::alloc {
namespace {

constexpr LeaseId kDead{40, 77};
constexpr LeaseId kOther{9, 9};

class HeldReaperTest : public testing::AllocatorTest {
 protected:
  HeldReaperTest() : AllocatorTest(16) {
    SetLease(Died());
    LeaveDamaged();  // words of a process that never was
  }

  static LeaseWord Died() {
    return LeaseWord(std::uint64_t{kDead.generation - 1} << 2)
        .Attach(4711)
        .Die();
  }
  void SetLease(LeaseWord word) {
    region()->lease_word(kDead.slot).store(word.raw());
  }
  void Reap(UnitReaper::SentJudge judge = nullptr, void* context = nullptr) {
    allocator().ReapUnits(kDead, judge, context);
  }

  // A buffer of ours that somebody has taken; its granule is in the map of the
  // dead one.
  BufferPlace Taken(std::uint64_t bytes, LeaseId by = kDead) {
    return TakenAt(MustAlloc(bytes), by);
  }
  BufferPlace TakenAt(BufferRef ref, LeaseId by = kDead) {
    const BufferPlace place = Send(ref);
    Store(place, Load(place).Free().Give(by));
    EXPECT_TRUE(map_.Add(place.ref.granule()).ok());
    return place;
  }
  // Two whose words lie in one cache line, the first one first.
  std::pair<BufferRef, BufferRef> MustAllocTwoOfALine(std::uint64_t bytes) {
    std::vector<BufferRef> all;
    for (int i = 0; i < 64; ++i) all.push_back(MustAlloc(bytes));
    std::ranges::sort(all, {}, [](BufferRef ref) { return ref.line(); });
    const auto line_of = [this](BufferRef ref) {
      return reinterpret_cast<std::uintptr_t>(allocator().Locate(ref)->word) /
             kCacheLineBytes;
    };
    const auto first = std::ranges::adjacent_find(
        all, {}, [&](BufferRef ref) { return line_of(ref); });
    EXPECT_NE(first, all.end());
    const std::pair two(*first, *std::next(first));
    for (const BufferRef ref : all) {
      if (ref != two.first && ref != two.second) MustFree(ref);
    }
    return two;
  }
  // The unit around it becomes the dead one's.
  void MakeDeadOnes(const BufferPlace& place) {
    const std::uint32_t u = testing::UnitOf(place.ref);
    EndAllocator();
    shared().unit(u).store(unit(u).Own(kDead).raw());
    NewAllocator();
  }
  bool IsHome(const BufferPlace& place) {
    return Load(place).is_free() && place.hint->load() == 1;
  }

  TouchedMap map_{shared(), kDead};
  BufferPlace place_;
};

TEST_F(HeldReaperTest, WhatItTookFromOthersIsTheirsAgain) {
  const std::uint64_t sizes[] = {64, 1000, 40'000, 100'000, 7 * kGranuleBytes};
  std::vector<BufferPlace> taken;
  for (int i = 0; i < 20; ++i) {
    for (const std::uint64_t bytes : sizes) taken.push_back(Taken(bytes));
  }
  const std::uint64_t out = allocator().Stats().out_buffers;
  EXPECT_EQ(out, taken.size());
  Reap();
  for (const BufferPlace& place : taken) EXPECT_TRUE(IsHome(place));
  allocator().Collect();
  EXPECT_EQ(allocator().Stats().out_buffers, 0U);
}

TEST_F(HeldReaperTest, WhatOthersHoldStaysWhereItIs) {
  const BufferPlace other = Taken(1000, kOther);
  const BufferPlace later = Taken(1000, {kDead.slot, kDead.generation + 1});
  const BufferPlace sent = Send(MustAlloc(1000));
  const BufferPlace dead = Taken(1000);
  const BufferWord words[] = {Load(other), Load(later), Load(sent)};
  Reap();
  EXPECT_TRUE(IsHome(dead));
  EXPECT_EQ(Load(other), words[0]);
  EXPECT_EQ(Load(later), words[1]);
  EXPECT_EQ(Load(sent), words[2]) << "not in its own unit";
}

TEST_F(HeldReaperTest, WhatItGaveAndNobodyTookIsFreeBeforeItsUnitIsAbandoned) {
  const BufferPlace given = Taken(1000);
  const BufferPlace taken = Taken(1000, kOther);
  MakeDeadOnes(given);
  Reap();
  EXPECT_TRUE(Load(given).is_free());
  EXPECT_TRUE(Load(taken).IsHeldBy(kOther));
  EXPECT_EQ(unit(testing::UnitOf(given.ref)).kind(),
            UnitWord::Kind::kAbandoned);
}

// Its own units are looked through even without a bit.
TEST_F(HeldReaperTest, OwnUnitsNeedNoMap) {
  const BufferPlace given = Send(MustAlloc(1000));
  Store(given, Load(given).Free().Give(kDead));
  MakeDeadOnes(given);
  Reap();
  EXPECT_TRUE(Load(given).is_free());
}

TEST_F(HeldReaperTest, ATakenExtentGoesBackToItsOwnerOrToTheRegion) {
  const BufferPlace owned = Taken(2 * kUnitBytes);
  Reap();
  EXPECT_TRUE(IsHome(owned));
  allocator().Collect();
  EXPECT_EQ(unit(testing::UnitOf(owned.ref)).kind(), UnitWord::Kind::kFree);

  const BufferPlace orphan = Taken(2 * kUnitBytes);
  EndAllocator();
  NewAllocator();
  EXPECT_EQ(unit(testing::UnitOf(orphan.ref)).kind(),
            UnitWord::Kind::kOrphanHead);
  Reap();
  EXPECT_EQ(unit(testing::UnitOf(orphan.ref)).kind(), UnitWord::Kind::kFree);
  EXPECT_EQ(unit(testing::UnitOf(orphan.ref) + 1).kind(),
            UnitWord::Kind::kFree);
}

TEST_F(HeldReaperTest, NothingChangesOnceTheLeaseIsSomebodyElses) {
  const BufferPlace taken = Taken(1000);
  for (const LeaseWord later : {Died().Release(), Died().Release().Attach(99),
                                Died().Release().Attach(99).Die()}) {
    SetLease(later);
    Reap();
    EXPECT_TRUE(Load(taken).IsHeldBy(kDead));
  }
}

TEST_F(HeldReaperTest, TheMapOfTheSlotsEarlierProcessIsNotBelieved) {
  const BufferPlace taken = Taken(1000);
  region()->lease_record(kDead.slot).touched_generation.store(1);
  Reap();
  EXPECT_FALSE(Load(taken).is_free()) << "its own map is empty";
  // The next process of the slot starts with an empty one.
  TouchedMap next(shared(), kDead);
  ASSERT_TRUE(next.Add(200).ok());
  std::vector<std::uint32_t> granules;
  TouchedMap::ForEachOf(shared(), kDead,
                        [&](std::uint32_t g) { granules.push_back(g); });
  EXPECT_EQ(granules, std::vector<std::uint32_t>{200});
}

TEST_F(HeldReaperTest, ReapingTwiceIsReapingOnce) {
  const BufferPlace taken = Taken(1000);
  Reap();
  allocator().Collect();
  const std::vector<BufferRef> all = AllocAll(1000);  // it is in use again
  place_ = taken;
  Reap();
  EXPECT_TRUE(allocator().IsLive(taken.ref));
  FreeAll(all);
}

// The first of a line of words is given away by the dead one; while the second
// is being judged, somebody takes the first.
TEST_F(HeldReaperTest, WhoTakesItUnderTheReapersHandsKeepsIt) {
  const auto [first, second] = MustAllocTwoOfALine(1000);
  place_ = TakenAt(first);
  const BufferPlace sent = Send(second);
  MakeDeadOnes(place_);
  Reap(
      [](void* place, BufferRef, BufferWord) {
        const auto& given = *static_cast<BufferPlace*>(place);
        Store(given, Load(given).Give(kOther));
        return false;
      },
      &place_);
  EXPECT_TRUE(Load(place_).IsHeldBy(kOther));
  EXPECT_TRUE(Load(sent).is_free());
}

// Another reaper finishes while this one judges: the whole line is left alone.
TEST_F(HeldReaperTest, ALeaseThatIsFreedUnderTheReapersHandsIsLeftAlone) {
  const auto [first, second] = MustAllocTwoOfALine(1000);
  place_ = TakenAt(first);
  const BufferPlace sent = Send(second);
  MakeDeadOnes(place_);
  Reap(
      [](void* lease, BufferRef, BufferWord) {
        static_cast<std::atomic<std::uint64_t>*>(lease)->store(
            Died().Release().raw());
        return false;
      },
      &region()->lease_word(kDead.slot));
  EXPECT_TRUE(Load(place_).IsHeldBy(kDead));
  EXPECT_FALSE(Load(sent).is_free());
}

TEST_F(HeldReaperTest, EveryWordOfASlabIsLookedAtOnce) {
  std::vector<BufferPlace> all;
  for (const BufferRef ref : AllocAll(3 * 64)) {
    const BufferPlace place = Send(ref);
    Store(place, Load(place).Free().Give(kDead));
    ASSERT_TRUE(map_.Add(ref.granule()).ok());
    all.push_back(place);
  }
  Reap();
  for (const BufferPlace& place : all) ASSERT_TRUE(IsHome(place));
  EXPECT_EQ(AllocAll(3 * 64).size(), all.size());
}

TEST_F(HeldReaperTest, NonsenseInTheMapHurtsNobody) {
  const BufferPlace taken = Taken(1000);
  const Geometry& g = region()->geometry();
  auto* const map = region()->meta<std::atomic<std::uint64_t>>(
      g.touched_offset + kDead.slot * g.touched_bytes_per_lease);
  for (std::uint64_t i = 0; i < g.touched_bytes_per_lease / 8; ++i) {
    map[i].store(~std::uint64_t{0});
  }
  Reap();
  EXPECT_TRUE(IsHome(taken));
}

}  // namespace
}  // namespace zcb::alloc
