// Extents, unit word by unit word.
#include "allocator/extent_words.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <optional>
#include <thread>
#include <vector>

#include "allocator/extent_site.h"
#include "allocator/unit_table.h"
#include "tests/allocator/allocator_testing.h"

namespace zcb::alloc {
namespace {

using Kind = UnitWord::Kind;

constexpr LeaseId kMe{3, 5};
constexpr LeaseId kOther{4, 6};

class ExtentWordsTest : public testing::AllocatorTest {
 protected:
  ExtentWordsTest() : AllocatorTest(16), words_(shared()) {
    LeaveDamaged();  // leases that nobody has, extents without granule words
  }

  // As an extent table does it.
  std::optional<std::uint32_t> Reserve(LeaseId lease, std::uint32_t units) {
    for (;;) {
      const auto site = FindExtentSite(shared(), {units, 0}, lease, no_units_);
      if (!site) return std::nullopt;
      if (words_.ReserveAt(lease, site->first, units)) return site->first;
    }
  }
  std::uint32_t Make(std::uint32_t units) {
    const auto first = Reserve(kMe, units);
    EXPECT_TRUE(first);
    EXPECT_TRUE(shared().CommitGranuleWords(*first).ok());
    EXPECT_TRUE(shared().CommitExtentWord(*first * testing::kGranules).ok());
    head_ = words_.Complete(kMe, *first, units);
    return *first;
  }
  void Set(std::uint32_t index, UnitWord word) {
    shared().unit(index).store(word.raw());
  }
  std::atomic<std::uint64_t>& BufferWordOf(std::uint32_t first) {
    return *shared().sparse_word(first * testing::kGranules);
  }
  ExtentWords words_;
  UnitTable no_units_{shared(), kMe, {}};
  UnitWord head_;
};

TEST_F(ExtentWordsTest, AnExtentIsAHeadAndMembersThatKnowTheirWayToIt) {
  const std::uint32_t first = Make(4);
  EXPECT_EQ(first, 12U) << "from the top";
  EXPECT_EQ(unit(first), head_);
  EXPECT_EQ(unit(first).kind(), Kind::kExtentHead);
  EXPECT_EQ(unit(first).length_units(), 4U);
  for (std::uint32_t i = 1; i < 4; ++i) {
    EXPECT_EQ(unit(first + i).kind(), Kind::kMember);
    EXPECT_EQ(unit(first + i).length_units(), i);
  }
  EXPECT_TRUE(words_.Free(kMe, first, head_));
  for (std::uint32_t i = 0; i < 16; ++i) EXPECT_EQ(unit(i).kind(), Kind::kFree);
}

TEST_F(ExtentWordsTest, ItIsFreedOnce) {
  const std::uint32_t first = Make(3);
  EXPECT_TRUE(words_.Free(kMe, first, head_));
  EXPECT_FALSE(words_.Free(kMe, first, head_));
  const std::uint32_t again = Make(3);
  EXPECT_EQ(again, first);
  EXPECT_FALSE(words_.Free(kMe, first, UnitWord(head_).Orphan()));
  EXPECT_EQ(unit(first).kind(), Kind::kExtentHead);
}

TEST_F(ExtentWordsTest, AClaimThatMeetsAnotherLeavesNothingBehind) {
  Set(14, UnitWord().Own(kOther));
  EXPECT_FALSE(words_.ReserveAt(kMe, 12, 4));
  EXPECT_EQ(unit(12).kind(), Kind::kFree);
  EXPECT_EQ(unit(13).kind(), Kind::kFree);
  EXPECT_EQ(unit(14).kind(), Kind::kOwned);
  EXPECT_TRUE(words_.ReserveAt(kMe, 12, 2));
}

TEST_F(ExtentWordsTest, UndoingAReservationLeavesOthersAlone) {
  ASSERT_EQ(Reserve(kMe, 4), 12U);
  Set(14, UnitWord().Own(kOther));
  words_.Unreserve(kMe, 12, 4);
  EXPECT_EQ(unit(12).kind(), Kind::kFree);
  EXPECT_EQ(unit(14).kind(), Kind::kOwned);
}

TEST_F(ExtentWordsTest, TheTailsUnitLeavesTheReservation) {
  ASSERT_TRUE(words_.ReserveAt(kMe, 12, 4));
  const auto owned = words_.OwnTailUnit(kMe, 15);
  ASSERT_TRUE(owned);
  EXPECT_EQ(unit(15), *owned);
  EXPECT_TRUE(owned->IsOwnedBy(kMe));
  const UnitWord head = words_.Complete(kMe, 12, 3);
  EXPECT_EQ(unit(14).kind(), Kind::kMember);
  EXPECT_TRUE(words_.Free(kMe, 12, head));
  EXPECT_EQ(unit(14).kind(), Kind::kFree);
  EXPECT_EQ(unit(15), *owned);
}

TEST_F(ExtentWordsTest, AUnitThatIsNotReservedByUsIsNotTaken) {
  EXPECT_FALSE(words_.OwnTailUnit(kMe, 15)) << "free";
  Set(15, UnitWord().Reserve(kOther, 1));
  EXPECT_FALSE(words_.OwnTailUnit(kMe, 15)) << "another's";
  Set(15, UnitWord().Own(kMe));
  EXPECT_FALSE(words_.OwnTailUnit(kMe, 15)) << "owned before";
}

TEST_F(ExtentWordsTest, AnybodyMayFinishFreeingAtAnyPoint) {
  for (std::uint32_t done = 0; done < 5; ++done) {
    const std::uint32_t first = Make(5);
    const UnitWord freeing = head_.Freeing(kMe);
    Set(first, freeing);
    for (std::uint32_t i = 0; i < done; ++i) {
      Set(first + 4 - i, unit(first + 4 - i).Free());
    }
    words_.FinishFreeing(first, freeing);
    for (std::uint32_t i = 0; i < 16; ++i) {
      EXPECT_EQ(unit(i).kind(), Kind::kFree);
    }
  }
}

TEST_F(ExtentWordsTest, AFinisherThatSleptTooLongChangesNothing) {
  const std::uint32_t first = Make(3);
  const UnitWord freeing = head_.Freeing(kMe);
  EXPECT_TRUE(words_.Free(kMe, first, head_));
  ASSERT_EQ(Make(3), first);  // the same place, another extent
  words_.FinishFreeing(first, freeing);
  EXPECT_EQ(unit(first), head_);
  EXPECT_EQ(unit(first + 1).kind(), Kind::kMember);
  EXPECT_EQ(unit(first + 2).kind(), Kind::kMember);
}

TEST_F(ExtentWordsTest, FinishingNeverFreesAMemberOfAnotherExtent) {
  const std::uint32_t first = Make(4);
  const UnitWord freeing = head_.Freeing(kMe);
  Set(first, freeing);
  // Freed already, and taken by somebody else.
  Set(first + 3, unit(first + 3).Free().Own(kOther));
  words_.FinishFreeing(first, freeing);
  EXPECT_EQ(unit(first + 3).kind(), Kind::kOwned);
  EXPECT_EQ(unit(first).kind(), Kind::kFree);
}

TEST_F(ExtentWordsTest, AnOrphanWhoseBufferIsHomeIsFreedAtOnce) {
  const std::uint32_t first = Make(2);
  EXPECT_TRUE(words_.MakeOrphan(kOther, first, head_));
  EXPECT_EQ(unit(first).kind(), Kind::kFree);
  EXPECT_FALSE(words_.MakeOrphan(kOther, first, head_));
}

TEST_F(ExtentWordsTest, AnOrphanWhoseBufferIsOutIsFreedByWhoeverBringsItBack) {
  const std::uint32_t first = Make(2);
  const BufferWord out = BufferWord().Send(1, 1);
  BufferWordOf(first).store(out.raw());
  EXPECT_FALSE(words_.FreeIfOrphan(kOther, first)) << "it has an owner";
  EXPECT_TRUE(words_.MakeOrphan(kOther, first, head_));
  EXPECT_EQ(unit(first).kind(), Kind::kOrphanHead);
  BufferWordOf(first).store(out.Free().raw());
  EXPECT_TRUE(words_.FreeIfOrphan(kOther, first));
  EXPECT_EQ(unit(first).kind(), Kind::kFree);
}

TEST_F(ExtentWordsTest, AnOrphanBroughtHomeByAProcessThatThenDiedIsFound) {
  const std::uint32_t first = Make(2);
  const BufferWord out = BufferWord().Send(1, 2);
  BufferWordOf(first).store(out.raw());
  EXPECT_TRUE(words_.MakeOrphan(kOther, first, head_));
  EXPECT_EQ(words_.FreeReturnedOrphans(kOther), 0U) << "it is out";
  BufferWordOf(first).store(out.Free().raw());
  EXPECT_EQ(words_.FreeReturnedOrphans(kOther), 1U);
  EXPECT_EQ(unit(first).kind(), Kind::kFree);
  EXPECT_EQ(unit(first + 1).kind(), Kind::kFree);
  EXPECT_EQ(words_.FreeReturnedOrphans(kOther), 0U);
}

TEST_F(ExtentWordsTest, OneFreesItWhenOwnerAndBufferGoAtTheSameTime) {
  for (int round = 0; round < 1000; ++round) {
    const std::uint32_t first = Make(2);
    const BufferWord out = BufferWord(BufferWordOf(first).load()).Send(1, 1);
    BufferWordOf(first).store(out.raw());
    std::atomic<int> ready{0};
    std::thread reader([&] {
      ++ready;
      while (ready != 2) std::this_thread::yield();
      std::uint64_t expected = out.raw();
      BufferWordOf(first).compare_exchange_strong(expected, out.Free().raw());
      words_.FreeIfOrphan(kOther, first);
    });
    ++ready;
    while (ready != 2) std::this_thread::yield();
    words_.MakeOrphan(kMe, first, head_);
    reader.join();
    ASSERT_EQ(unit(first).kind(), Kind::kFree) << round;
    ASSERT_EQ(unit(first + 1).kind(), Kind::kFree) << round;
  }
}

TEST_F(ExtentWordsTest, ThreadsThatClaimAndFreeNeverShareAUnit) {
  constexpr int kThreads = 3;
  constexpr int kRounds = 50000;
  std::array<std::atomic<int>, 16> owners{};
  std::atomic<int> clashes{0};
  std::vector<std::thread> threads;
  for (std::uint16_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      const LeaseId lease{t, 1};
      ExtentWords words(shared());
      for (int round = 0; round < kRounds; ++round) {
        const auto units = static_cast<std::uint32_t>(1 + (round + t) % 5);
        const auto first = Reserve(lease, units);
        if (!first) continue;
        const UnitWord head = words.Complete(lease, *first, units);
        for (std::uint32_t i = 0; i < units; ++i) {
          clashes += owners[*first + i].exchange(1);
        }
        for (std::uint32_t i = 0; i < units; ++i) owners[*first + i] = 0;
        clashes += !words.Free(lease, *first, head);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(clashes, 0);
  for (std::uint32_t i = 0; i < 16; ++i) EXPECT_EQ(unit(i).kind(), Kind::kFree);
}

}  // namespace
}  // namespace zcb::alloc
