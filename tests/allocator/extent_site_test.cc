// Where extents go: unit words written by hand.
#include "allocator/extent_site.h"

#include <gtest/gtest.h>

#include "tests/allocator/allocator_testing.h"

namespace zcb::alloc {
namespace {

constexpr LeaseId kMe{3, 5};
constexpr LeaseId kOther{4, 6};
constexpr std::uint32_t kUnits = 400;

class ExtentSiteTest : public testing::AllocatorTest {
 protected:
  ExtentSiteTest() : AllocatorTest(kUnits), mine_(shared(), kMe, {}) {
    LeaveDamaged();  // units of nobody
  }

  void Set(std::uint32_t index, UnitWord word) {
    shared().unit(index).store(word.raw());
  }
  void Block(std::uint32_t first, std::uint32_t units = 1) {
    for (std::uint32_t i = 0; i < units; ++i) {
      Set(first + i, UnitWord().Own(kOther));
    }
  }
  // A unit of ours of which the first `taken` granules are in use.
  void Own(std::uint32_t index, std::uint32_t taken) {
    const UnitWord word = UnitWord().Own(kMe);
    Set(index, word);
    GranuleMap free = GranuleMap::AllFree(testing::kGranules);
    free.Take(0, taken);
    free.Take(testing::kGranules - 1, 1);  // so that it is never given back
    mine_.Insert({index, word, false}, free);
  }
  std::optional<ExtentSite> Find(std::uint32_t units,
                                 std::uint32_t tail_granules = 0) {
    return FindExtentSite(shared(), {units, tail_granules}, kMe, mine_);
  }
  std::uint32_t FirstFor(std::uint32_t units, std::uint32_t tail_granules = 0) {
    const auto site = Find(units, tail_granules);
    return site ? site->first : kNowhere;
  }
  static constexpr std::uint32_t kNowhere = ~0U;

  UnitTable mine_;
};

TEST_F(ExtentSiteTest, AnEmptyRegionIsFilledFromTheTop) {
  EXPECT_EQ(FirstFor(1), kUnits - 1);
  EXPECT_EQ(FirstFor(7), kUnits - 7);
  EXPECT_EQ(FirstFor(kUnits), 0U);
  EXPECT_EQ(FirstFor(kUnits + 1), kNowhere);
}

TEST_F(ExtentSiteTest, AFullRegionHasNoPlace) {
  Block(0, kUnits);
  EXPECT_EQ(FirstFor(1), kNowhere);
  Set(0, UnitWord());
  EXPECT_EQ(FirstFor(1), 0U);
  EXPECT_EQ(FirstFor(2), kNowhere);
  EXPECT_EQ(FirstFor(1, 1), kNowhere);
}

TEST_F(ExtentSiteTest, AGapThatFitsExactlyIsPreferredToALargeOneAboveIt) {
  Block(380);
  Block(375);  // four between
  EXPECT_EQ(FirstFor(4), 376U);
  EXPECT_EQ(FirstFor(5), kUnits - 5);
}

TEST_F(ExtentSiteTest, TheSmallestGapThatIsLargeEnoughIsTaken) {
  Block(390);  // nine above it, then gaps of 6, 4, 5
  Block(383);
  Block(378);
  Block(372);
  EXPECT_EQ(FirstFor(3), 380U) << "at the top of the gap of four";
  EXPECT_EQ(FirstFor(5), 373U);
  EXPECT_EQ(FirstFor(6), 384U);
  EXPECT_EQ(FirstFor(7), kUnits - 7);
  EXPECT_EQ(FirstFor(20), 352U);
}

TEST_F(ExtentSiteTest, OfEqualGapsTheUpperOneIsTaken) {
  Block(390);
  Block(385);
  Block(380);
  EXPECT_EQ(FirstFor(4), 386U);
}

TEST_F(ExtentSiteTest, TheGapAtTheBottomCountsToo) {
  Block(3, kUnits - 3);
  for (std::uint32_t u = 100; u < 107; ++u) Set(u, UnitWord());
  EXPECT_EQ(FirstFor(3), 0U);
  EXPECT_EQ(FirstFor(4), 103U);
}

TEST_F(ExtentSiteTest, ItDoesNotLookFarBeyondAPlaceThatWouldDo) {
  Block(390);
  Block(4);  // an exact gap, but very far down
  EXPECT_EQ(FirstFor(4), kUnits - 4);
  Block(4, kUnits - 4);
  EXPECT_EQ(FirstFor(4), 0U) << "but far enough if there is no other";
}

TEST_F(ExtentSiteTest, ATailTakesOneMoreUnitWhereNoneOfOursIsAbove) {
  const auto site = Find(3, 2);
  ASSERT_TRUE(site);
  EXPECT_FALSE(site->has_tail_unit);
  EXPECT_EQ(site->first, kUnits - 4);
  EXPECT_EQ(site->UnitsToReserve({3, 2}), 4U);
  EXPECT_EQ(FirstFor(kUnits - 1, 1), 0U);
  EXPECT_EQ(FirstFor(kUnits, 1), kNowhere) << "the tail would lie outside";
}

TEST_F(ExtentSiteTest, ATailGoesIntoAUnitOfOursWhateverTheGap) {
  Own(290, 0);
  Block(300);
  Block(295);  // four between: an exact fit with one more unit
  const auto site = Find(3, 2);
  ASSERT_TRUE(site);
  EXPECT_TRUE(site->has_tail_unit);
  EXPECT_EQ(site->first, 287U);
  EXPECT_EQ(site->UnitsToReserve({3, 2}), 3U);
  EXPECT_EQ(FirstFor(3), 297U) << "one without a tail does not care";
}

TEST_F(ExtentSiteTest, AUnitWithoutRoomAtItsStartTakesNoTail) {
  Own(200, 1);
  EXPECT_EQ(FirstFor(3, 2), kUnits - 4);
}

TEST_F(ExtentSiteTest, AUnitOfOthersTakesNoTailHoweverItLooks) {
  Block(kUnits - 1);
  Set(300, UnitWord().Own(kMe));  // of ours, but not in this table
  EXPECT_EQ(FirstFor(3, 2), kUnits - 5);
}

TEST_F(ExtentSiteTest, TheTightestGapBelowAUnitOfOursIsTaken) {
  Own(390, 0);
  Own(380, 0);
  Block(375);  // four between
  EXPECT_EQ(FirstFor(4, 1), 376U);
  EXPECT_EQ(FirstFor(3, 1), 377U);
  EXPECT_EQ(FirstFor(5, 1), 385U);
}

}  // namespace
}  // namespace zcb::alloc
