// Layout and transitions of the unit, granule and buffer words.
#include <gtest/gtest.h>

#include <atomic>
#include <type_traits>

#include "allocator/buffer_word.h"
#include "allocator/granule_word.h"
#include "allocator/unit_word.h"

namespace zcb::alloc {
namespace {

template <typename Word>
constexpr bool IsSharedWord() {
  return sizeof(Word) == 8 && std::is_trivially_copyable_v<Word> &&
         std::is_standard_layout_v<Word> &&
         std::has_unique_object_representations_v<Word>;
}
static_assert(IsSharedWord<UnitWord>() && IsSharedWord<BufferWord>() &&
              IsSharedWord<GranuleWord>());
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

constexpr LeaseId kLease{7, 0x2345'6789U & LeaseWord::kMaxGeneration};

// The bits that two builds must agree on, spelled out.
TEST(UnitWordsTest, BitsLieWhereTheLayoutSaysTheyDo) {
  EXPECT_EQ(UnitWord().raw(), 0U);
  EXPECT_EQ(UnitWord().Reserve({0xabc, 1}, 0x1'0001).raw(),
            0x1'0000'0000ULL | 0xabcULL << 20 | 0x1'0001ULL << 3 | 1);
  EXPECT_EQ(UnitWord().Orphan().raw(), 0x1'0000'0000ULL | 7);
  EXPECT_EQ(GranuleWord::Make(71, 31, 65536).raw(),
            1ULL | 71ULL << 1 | 31ULL << 9 | 65536ULL << 14);
  EXPECT_EQ(BufferWord().Send(0x3ff, 0x1'2345).raw(),
            1ULL << 29 | 0x2345ULL << 13 | 0x3ffULL << 3 | 1);
  EXPECT_EQ(BufferWord().Give({0xfff, 0x7fff}).raw(),
            1ULL << 29 | 0x3fffULL << 15 | 0xfffULL << 3 | 2);
}

TEST(UnitWordsTest, EveryChangeOfOwnerRaisesTheEpoch) {
  UnitWord word;
  std::uint32_t epoch = 0;
  const auto Next = [&](UnitWord next) {
    EXPECT_EQ(next.epoch(), ++epoch);
    word = next;
  };
  Next(word.Own(kLease));
  Next(word.Abandon());
  Next(word.Own(kLease));
  Next(word.Free());
  Next(word.Reserve(kLease, 3));
  Next(word.ExtentHead(kLease, 3));
  Next(word.Orphan());
  EXPECT_EQ(word.length_units(), 3U);
  Next(word.Freeing(kLease));
  EXPECT_EQ(word.length_units(), 3U) << "whoever finishes needs the length";
  Next(word.Free());
  Next(word.Member(kLease, 2));
  EXPECT_EQ(word.length_units(), 2U);
}

TEST(UnitWordsTest, OwnersAreToldApartBySlotAndGeneration) {
  const UnitWord word = UnitWord().Own(kLease);
  EXPECT_TRUE(word.IsOwnedBy(kLease));
  EXPECT_FALSE(word.IsOwnedBy({8, kLease.generation}));
  EXPECT_FALSE(word.IsOwnedBy({7, kLease.generation + 1}));
  EXPECT_FALSE(word.Abandon().IsOwnedBy(kLease));
}

TEST(UnitWordsTest, AnOrphanNamesNoLease) {
  const UnitWord head = UnitWord().Reserve(kLease, 5).ExtentHead(kLease, 5);
  EXPECT_TRUE(head.IsExtentHead());
  EXPECT_TRUE(head.Orphan().IsExtentHead());
  EXPECT_EQ(head.Orphan().lease_slot(), 0U);
  EXPECT_FALSE(head.Freeing(kLease).IsExtentHead());
}

TEST(UnitWordsTest, EveryExportHasAGenerationOfItsOwn) {
  const BufferWord first = BufferWord().Send(3, 17);
  EXPECT_EQ(first.generation(), 1U);
  EXPECT_EQ(first.Keep().generation(), 1U);
  EXPECT_EQ(first.Retain().generation(), 1U);
  EXPECT_EQ(first.Free().generation(), 1U);
  EXPECT_EQ(first.Free().Give(kLease).generation(), 2U);
  EXPECT_NE(first.Free(), BufferWord()) << "a cancelled send shows";
}

TEST(UnitWordsTest, ASentWordNamesItsMessageAndWhetherItIsKept) {
  const BufferWord sent = BufferWord().Send(3, 0x5'0017);
  EXPECT_TRUE(sent.IsSentAs(3, 0x5'0017));
  EXPECT_TRUE(sent.IsSentAs(3, 0x17)) << "sixteen bits of it";
  EXPECT_FALSE(sent.IsSentAs(3, 0x18));
  EXPECT_FALSE(sent.IsSentAs(4, 0x17));
  EXPECT_FALSE(sent.kept());
  EXPECT_TRUE(sent.Keep().kept());
  EXPECT_TRUE(sent.Keep().IsSentAs(3, 0x17));
  EXPECT_FALSE(sent.Retain().IsSentAs(3, 0x17));
  EXPECT_TRUE(BufferWord().Give(kLease).IsHeldBy(kLease));
}

TEST(UnitWordsTest, AGranuleWordHoldsWhatItWasMadeOf) {
  const GranuleWord word = GranuleWord::Make(43, 31, 32);
  EXPECT_TRUE(word.is_valid());
  EXPECT_FALSE(GranuleWord().is_valid());
  EXPECT_EQ(word.size_class(), 43U);
  EXPECT_EQ(word.granules_to_head(), 31U);
  EXPECT_EQ(word.span(), 32U);
}

}  // namespace
}  // namespace zcb::alloc
