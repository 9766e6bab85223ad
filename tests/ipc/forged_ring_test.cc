// Indexes and positions that no honest ring has: an answer at once, whatever
// they say.
#include <gtest/gtest.h>

#include "ipc/member_table.h"
#include "ipc/ring.h"
#include "tests/ipc/fake_group.h"

namespace zcb::ipc {
namespace {

using testing::FakeGroup;

constexpr std::uint64_t kLast = ~std::uint64_t{0};

// So often that looking for a better tail a million times would take minutes.
constexpr int kOften = 200'000;

TEST(ForgedRingTest, ATailBelowWhatIsReclaimedIsDamageAtOnce) {
  FakeGroup group;
  group.header_.reclaimed.store(1000);
  group.header_.tail.store(999);
  RingPlace place;
  for (int i = 0; i < kOften; ++i) {
    ASSERT_EQ(FindPlace(group.view(), FakeGroup::kSlots, &place),
              RingAnswer::kDamaged);
  }
}

// The ring at the end of all numbers, whole and honest but for that.
TEST(ForgedRingTest, RecordsAreAppliedUpToTheLastPositionThereIs) {
  FakeGroup group;
  const std::uint64_t base = kLast - 3;
  for (std::uint64_t i = 0; i < FakeGroup::kSlots; ++i) {
    const std::uint64_t position = base + i;
    const bool is_filled = i < 4;
    group.view().slot(position).store(
        SlotWord::Record(
            SlotWord::LapOf(is_filled ? position : position - FakeGroup::kSlots,
                            group.view().slot_shift()),
            SlotWord::Control::kJoin, 2, 0)
            .raw());
  }
  group.header_.reclaimed.store(base);
  group.header_.tail.store(kLast);
  ApplyUpTo(group.view(), kLast);
  EXPECT_EQ(OrderWord(group.entries_[2].join.load()), OrderWord::At(0, base));
}

TEST(ForgedRingTest, PositionsThatAreNowhereNearAreNotWalkedTo) {
  FakeGroup group;
  for (const std::uint64_t position :
       {std::uint64_t{FakeGroup::kSlots + 1}, kLast / 2, kLast}) {
    ApplyUpTo(group.view(), position);
  }
  group.header_.reclaimed.store(kLast);
  ApplyUpTo(group.view(), 5);
  EXPECT_EQ(group.entries_[0].join.load(), 0U);
}

}  // namespace
}  // namespace zcb::ipc
