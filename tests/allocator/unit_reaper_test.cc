// What a dead process leaves, written by hand, and what reapers make of it.
#include "allocator/unit_reaper.h"

#include <gtest/gtest.h>

#include "tests/allocator/allocator_testing.h"

namespace zcb::alloc {
namespace {

using Kind = UnitWord::Kind;

constexpr LeaseId kDead{40, 1};

class UnitReaperTest : public testing::AllocatorTest {
 protected:
  UnitReaperTest() : AllocatorTest(16) { SetLease(Died()); }

  static LeaseWord Died() { return LeaseWord().Attach(4711).Die(); }
  void SetLease(LeaseWord word) {
    region()->lease_word(kDead.slot).store(word.raw());
  }
  void Set(std::uint32_t index, UnitWord word) {
    shared().unit(index).store(word.raw());
  }
  void Reap() { allocator().ReapUnits(kDead, judge_, &published_); }

  // A unit full of buffers that the dead one owned; some of them are out.
  std::vector<BufferPlace> DeadUnit(std::uint64_t bytes,
                                    std::size_t out_count) {
    std::vector<BufferPlace> out;
    for (std::size_t i = 0; i < out_count; ++i) {
      out.push_back(Send(MustAlloc(bytes), i));
    }
    EndAllocator();
    Set(testing::UnitOf(out[0].ref),
        unit(testing::UnitOf(out[0].ref)).Own(kDead));
    NewAllocator();
    return out;
  }
  BufferPlace DeadExtent(std::uint32_t units, bool is_out) {
    const BufferRef ref = MustAlloc(units * kUnitBytes);
    const BufferPlace place = *allocator().Locate(ref);
    if (is_out) Send(ref, 5);
    const UnitWord head = unit(testing::UnitOf(ref));
    EndAllocator();
    // As if the end had not happened.
    Set(testing::UnitOf(ref), head.ExtentHead(kDead, units));
    for (std::uint32_t i = 1; i < units; ++i) {
      Set(testing::UnitOf(ref) + i,
          unit(testing::UnitOf(ref) + i).Member(kDead, i));
    }
    NewAllocator();
    return place;
  }

  // The ring holds the messages with an even sequence.
  UnitReaper::SentJudge judge_ = [](void* context, BufferRef, BufferWord word) {
    ++*static_cast<int*>(context);
    return word.sequence_low() % 2 == 0;
  };
  int published_ = 0;
};

TEST_F(UnitReaperTest, UnpublishedBuffersBecomeFreeAndTheUnitAbandoned) {
  const std::vector<BufferPlace> out = DeadUnit(1000, 10);
  Reap();
  EXPECT_EQ(published_, 10);
  EXPECT_EQ(unit(testing::UnitOf(out[0].ref)).kind(), Kind::kAbandoned);
  for (std::size_t i = 0; i < out.size(); ++i) {
    EXPECT_EQ(Load(out[i]).is_free(), i % 2 == 1) << i;
    EXPECT_EQ(out[i].hint->load(), i % 2) << i;
  }
}

TEST_F(UnitReaperTest, WithoutAMessageLayerNothingIsPublished) {
  const std::vector<BufferPlace> out = DeadUnit(1000, 4);
  judge_ = nullptr;
  Reap();
  for (const BufferPlace& place : out) EXPECT_TRUE(Load(place).is_free());
}

TEST_F(UnitReaperTest, RetainedAndHeldWordsAreNotItsBusiness) {
  LeaveDamaged();
  const std::vector<BufferPlace> out = DeadUnit(1000, 2);
  Store(out[0], Load(out[0]).Retain());
  Store(out[1], Load(out[1]).Give({9, 9}));
  Reap();
  EXPECT_EQ(Load(out[0]).state(), BufferWord::State::kRetained);
  EXPECT_EQ(Load(out[1]).state(), BufferWord::State::kHeld);
}

TEST_F(UnitReaperTest, ReapingTwiceIsReapingOnce) {
  const std::vector<BufferPlace> out = DeadUnit(1000, 3);
  Reap();
  const UnitWord after = unit(testing::UnitOf(out[0].ref));
  Reap();
  EXPECT_EQ(unit(testing::UnitOf(out[0].ref)), after);
}

TEST_F(UnitReaperTest, OtherGenerationsAndOtherSlotsAreLeftAlone) {
  LeaveDamaged();
  const std::uint32_t mine = testing::UnitOf(MustAlloc(64));
  const UnitWord owned = UnitWord().Own({kDead.slot, kDead.generation + 1});
  const UnitWord reserved = UnitWord().Reserve({41, 1}, 2);
  const UnitWord before = unit(mine);
  Set(14, owned);
  Set(15, reserved);
  Reap();
  EXPECT_EQ(unit(14), owned);
  EXPECT_EQ(unit(15), reserved);
  EXPECT_EQ(unit(mine), before);
}

// O7: a reaper that comes too late meets the slot's next process.
TEST_F(UnitReaperTest, NothingChangesOnceTheLeaseIsSomebodyElses) {
  LeaveDamaged();
  const std::vector<BufferPlace> out = DeadUnit(1000, 3);
  Set(5, UnitWord().Reserve(kDead, 2));
  Set(6, UnitWord().Reserve(kDead, 2));
  for (const LeaseWord later : {Died().Release(), Died().Release().Attach(99),
                                Died().Release().Attach(99).Die()}) {
    SetLease(later);
    const UnitWord before = unit(testing::UnitOf(out[0].ref));
    Reap();
    EXPECT_EQ(unit(testing::UnitOf(out[0].ref)), before);
    EXPECT_FALSE(Load(out[1]).is_free());
    EXPECT_EQ(unit(5).kind(), Kind::kReserved);
  }
}

TEST_F(UnitReaperTest, AJudgeDuringWhichTheUnitChangesHandsIsNotBelieved) {
  LeaveDamaged();
  const std::vector<BufferPlace> out = DeadUnit(1000, 2);
  std::atomic<std::uint64_t>& holder =
      shared().unit(testing::UnitOf(out[0].ref));
  allocator().ReapUnits(
      kDead,
      [](void* context, BufferRef, BufferWord) {
        // Another reaper and an adopter are faster.
        auto& word = *static_cast<std::atomic<std::uint64_t>*>(context);
        word.store(UnitWord(word.load()).Abandon().Own({7, 7}).raw());
        return false;
      },
      &holder);
  EXPECT_FALSE(Load(out[0]).is_free());
  EXPECT_EQ(unit(testing::UnitOf(out[0].ref)).kind(), Kind::kOwned);
}

TEST_F(UnitReaperTest, AHalfMadeExtentIsUndoneFromAnyStep) {
  constexpr std::uint32_t kFirst = 9;
  constexpr std::uint32_t kUnits = 4;
  for (std::uint32_t reserved = 1; reserved <= kUnits; ++reserved) {
    for (std::uint32_t members = 0;
         members < (reserved == kUnits ? kUnits : 1U); ++members) {
      for (std::uint32_t i = 0; i < reserved; ++i) {
        Set(kFirst + i, unit(kFirst + i).Reserve(kDead, kUnits));
      }
      for (std::uint32_t i = 0; i < members; ++i) {
        const std::uint32_t at = kUnits - 1 - i;
        Set(kFirst + at, unit(kFirst + at).Member(kDead, at));
      }
      Reap();
      for (std::uint32_t i = 0; i < kUnits; ++i) {
        EXPECT_EQ(unit(kFirst + i).kind(), Kind::kFree)
            << reserved << ' ' << members << ' ' << i;
      }
    }
  }
}

TEST_F(UnitReaperTest, AHalfFreedExtentIsFinishedFromAnyStep) {
  for (std::uint32_t done = 0; done < 4; ++done) {
    const std::uint32_t first = testing::UnitOf(DeadExtent(4, false).ref);
    Set(first, unit(first).Freeing(kDead));
    for (std::uint32_t i = 0; i < done; ++i) {
      Set(first + 3 - i, unit(first + 3 - i).Free());
    }
    Reap();
    for (std::uint32_t i = 0; i < 4; ++i) {
      EXPECT_EQ(unit(first + i).kind(), Kind::kFree) << done << ' ' << i;
    }
  }
}

TEST_F(UnitReaperTest, AnExtentThatWasNeverSentIsFreed) {
  const std::uint32_t first = testing::UnitOf(DeadExtent(3, false).ref);
  Reap();
  for (std::uint32_t i = 0; i < 3; ++i) {
    EXPECT_EQ(unit(first + i).kind(), Kind::kFree);
  }
}

TEST_F(UnitReaperTest, AnExtentThatIsOutOutlivesItsOwnerUntilItComesBack) {
  const BufferPlace place = DeadExtent(3, true);
  const BufferWord sent = BufferWord(place.word->load()).Send(3, 6);
  Store(place, sent);  // published
  Reap();
  EXPECT_EQ(unit(testing::UnitOf(place.ref)).kind(), Kind::kOrphanHead);
  SetLease(Died().Release().Attach(99));  // the slot has a new owner
  const auto located = allocator().Locate(place.ref);
  ASSERT_TRUE(located);
  EXPECT_EQ(located->usable_bytes, 3 * kUnitBytes);
  TurnFree(*located);
  allocator().ComeBack(*located);
  for (std::uint32_t i = 0; i < 3; ++i) {
    EXPECT_EQ(unit(testing::UnitOf(place.ref) + i).kind(), Kind::kFree);
  }
}

TEST_F(UnitReaperTest, AnExtentThatComesBackBeforeTheReaperIsFreedByTheReaper) {
  const BufferPlace place = DeadExtent(3, true);
  Store(place, BufferWord(place.word->load()).Send(3, 6));
  TurnFree(place);
  allocator().ComeBack(place);
  EXPECT_EQ(unit(testing::UnitOf(place.ref)).kind(), Kind::kExtentHead);
  Reap();
  EXPECT_EQ(unit(testing::UnitOf(place.ref)).kind(), Kind::kFree);
}

TEST_F(UnitReaperTest, NonsenseInUnitWordsHurtsNobody) {
  for (std::uint32_t kind = 0; kind < 8; ++kind) {
    for (const std::uint32_t length :
         {0U, 1U, 7U, 500U, UnitWord::kMaxLength}) {
      for (std::uint32_t u = 0; u < shared().unit_count(); ++u) {
        Set(u, UnitWord(std::uint64_t{kind} | std::uint64_t{length} << 3 |
                        std::uint64_t{kDead.slot} << 20));
      }
      Reap();
    }
  }
  for (std::uint32_t u = 0; u < shared().unit_count(); ++u) Set(u, UnitWord());
  MustFree(MustAlloc(64));
}

}  // namespace
}  // namespace zcb::alloc
