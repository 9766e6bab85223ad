// The ring's rules, one step at a time on words written by hand.
#include "ipc/ring.h"

#include <gtest/gtest.h>

#include "tests/ipc/fake_group.h"

namespace zcb::ipc {
namespace {

using testing::FakeGroup;

std::uint64_t Tail(FakeGroup& group) {
  return group.header_.tail.load(std::memory_order_relaxed);
}

TEST(RingTest, PublishedMessagesAreReadInOrderAndTheNextPlaceIsEmpty) {
  FakeGroup group;
  for (std::uint32_t i = 0; i < 3; ++i) {
    EXPECT_EQ(group.PublishMessage(100 + i), i);
  }
  EXPECT_EQ(Tail(group), 3U);
  SlotWord slot;
  for (std::uint32_t i = 0; i < 3; ++i) {
    ASSERT_EQ(ReadSlot(group.view(), i, &slot), RingAnswer::kOk);
    EXPECT_EQ(slot.ref(), alloc::BufferRef(100 + i));
  }
  EXPECT_EQ(ReadSlot(group.view(), 3, &slot), RingAnswer::kFull);
}

TEST(RingTest, FullRingGivesNoPlaceUntilSomethingIsReclaimed) {
  FakeGroup group;
  for (std::uint32_t i = 0; i < FakeGroup::kSlots; ++i) {
    ASSERT_EQ(group.PublishMessage(i), i);
  }
  RingPlace place;
  EXPECT_EQ(FindPlace(group.view(), FakeGroup::kSlots, &place),
            RingAnswer::kFull);
  group.ReclaimTo(1);
  ASSERT_EQ(FindPlace(group.view(), FakeGroup::kSlots, &place),
            RingAnswer::kOk);
  EXPECT_EQ(place.position, FakeGroup::kSlots);
  EXPECT_EQ(place.previous.ref(), alloc::BufferRef(0));
}

TEST(RingTest, MessagesLeaveTheReserveToControlRecords) {
  FakeGroup group;
  const std::uint64_t room = group.view().message_room();
  EXPECT_EQ(room, FakeGroup::kSlots - 2 * FakeGroup::kEntries);
  for (std::uint32_t i = 0; i < room; ++i) group.PublishMessage(i);
  RingPlace place;
  EXPECT_EQ(FindPlace(group.view(), room, &place), RingAnswer::kFull);
  EXPECT_EQ(FindPlace(group.view(), FakeGroup::kSlots, &place),
            RingAnswer::kOk);
}

TEST(RingTest, OfTwoPublishersForOnePlaceOneWinsAndTheOtherGoesOn) {
  FakeGroup group;
  RingPlace first;
  RingPlace second;
  ASSERT_EQ(FindPlace(group.view(), 8, &first), RingAnswer::kOk);
  ASSERT_EQ(FindPlace(group.view(), 8, &second), RingAnswer::kOk);
  EXPECT_EQ(first.position, second.position);
  const auto message = [&](std::uint32_t line) {
    return SlotWord::Message(1, alloc::BufferRef(line));
  };
  EXPECT_TRUE(TryPublish(group.view(), first, message(1)));
  EXPECT_FALSE(TryPublish(group.view(), second, message(2)));
  ASSERT_EQ(FindPlace(group.view(), 8, &second), RingAnswer::kOk);
  EXPECT_EQ(second.position, 1U);
}

// A publisher that dies between its slot and the tail.
TEST(RingTest, WhoeverFindsAFilledSlotAtTheTailHelpsTheTail) {
  FakeGroup group;
  group.slots_[0].store(SlotWord::Message(1, alloc::BufferRef(9)).raw(),
                        std::memory_order_relaxed);
  ASSERT_EQ(Tail(group), 0U);
  EXPECT_EQ(group.PublishMessage(10), 1U);
  EXPECT_EQ(Tail(group), 2U);
  SlotWord slot;
  ASSERT_EQ(ReadSlot(group.view(), 0, &slot), RingAnswer::kOk);
  EXPECT_EQ(slot.ref(), alloc::BufferRef(9)) << "the dead one's stands";
}

TEST(RingTest, TailThatLagsSeveralPlacesIsRaisedByTheNextPublisher) {
  FakeGroup group;
  for (std::uint32_t i = 0; i < 5; ++i) group.PublishMessage(i);
  group.header_.tail.store(2, std::memory_order_relaxed);
  HelpTail(group.view(), 4);
  EXPECT_EQ(Tail(group), 5U);
  HelpTail(group.view(), 1);
  EXPECT_EQ(Tail(group), 5U) << "never back";
}

// Publishers of messages leave the tail where it is.
TEST(RingTest, FilledPlacesAreInTheOrderWhereverTheTailIs) {
  FakeGroup group;
  for (std::uint32_t i = 0; i < 5; ++i) {
    const RingPlace place{i, SlotWord()};
    ASSERT_TRUE(TryFill(group.view(), place,
                        SlotWord::Message(1, alloc::BufferRef(100 + i))));
  }
  EXPECT_EQ(Tail(group), 0U);
  SlotWord slot;
  ASSERT_EQ(ReadSlot(group.view(), 4, &slot), RingAnswer::kOk);
  EXPECT_EQ(slot.ref(), alloc::BufferRef(104));
  EXPECT_EQ(ApproxUsed(group.view()), 5U) << "caught up for the figure";
  EXPECT_EQ(Tail(group), 5U);
}

TEST(RingTest, CatchingUpEndsAtTheFirstPlaceThatIsNotFilled) {
  FakeGroup group;
  for (std::uint32_t i = 0; i < FakeGroup::kSlots; ++i) group.PublishMessage(i);
  group.ReclaimTo(3);
  group.PublishMessage(100);
  group.header_.tail.store(3, std::memory_order_relaxed);
  CatchUpTail(group.view());
  EXPECT_EQ(Tail(group), FakeGroup::kSlots + 1)
      << "the places above hold the lap before";
  CatchUpTail(group.view());
  EXPECT_EQ(Tail(group), FakeGroup::kSlots + 1);
}

TEST(RingTest, CatchingUpWithARingOfFilledPlacesEnds) {
  FakeGroup group;
  for (std::uint32_t i = 0; i < FakeGroup::kSlots; ++i) group.PublishMessage(i);
  group.header_.tail.store(0, std::memory_order_relaxed);
  CatchUpTail(group.view());
  EXPECT_EQ(Tail(group), FakeGroup::kSlots);
}

TEST(RingTest, GuessFindsTheTailsPlaceOrNothing) {
  FakeGroup group;
  RingHints hints;
  RingPlace place;
  ASSERT_TRUE(GuessPlace(group.view(), 8, hints, &place));
  EXPECT_EQ(place.position, 0U);
  group.PublishMessage(1);
  EXPECT_FALSE(GuessPlace(group.view(), 8, hints, &place))
      << "filled meanwhile";
  hints.filled_below.store(1, std::memory_order_relaxed);
  ASSERT_TRUE(GuessPlace(group.view(), 8, hints, &place));
  EXPECT_EQ(place.position, 1U);
  for (std::uint32_t i = 0; i < 7; ++i) group.PublishMessage(i);
  hints.filled_below.store(8, std::memory_order_relaxed);
  EXPECT_FALSE(GuessPlace(group.view(), 8, hints, &place))
      << "no room as far as the hints know";
  hints.reclaimed.store(1, std::memory_order_relaxed);
  EXPECT_TRUE(GuessPlace(group.view(), 8, hints, &place));
}

TEST(RingTest, SlotsAreReusedForManyLaps) {
  FakeGroup group;
  for (std::uint64_t i = 0; i < 100ULL * FakeGroup::kSlots; ++i) {
    ASSERT_EQ(group.PublishMessage(static_cast<std::uint32_t>(i)), i);
    SlotWord slot;
    ASSERT_EQ(ReadSlot(group.view(), i, &slot), RingAnswer::kOk);
    ASSERT_EQ(slot.ref().line(), i);
    group.ReclaimTo(i + 1);
  }
}

TEST(RingTest, GarbageInTheWordsIsDamageAndNeverALoop) {
  FakeGroup group;
  RingPlace place;
  group.header_.tail.store(1000, std::memory_order_relaxed);
  EXPECT_EQ(FindPlace(group.view(), FakeGroup::kSlots, &place),
            RingAnswer::kDamaged)
      << "more in use than there are slots";
  group.header_.tail.store(0, std::memory_order_relaxed);
  group.slots_[0].store(SlotWord::Message(77, alloc::BufferRef(1)).raw(),
                        std::memory_order_relaxed);
  EXPECT_EQ(FindPlace(group.view(), FakeGroup::kSlots, &place),
            RingAnswer::kDamaged)
      << "a lap from nowhere";
  group.header_.reclaimed.store(5, std::memory_order_relaxed);
  EXPECT_EQ(FindPlace(group.view(), FakeGroup::kSlots, &place),
            RingAnswer::kDamaged)
      << "reclaimed ahead of the tail, for ever";
  SlotWord slot;
  EXPECT_EQ(ReadSlot(group.view(), 0, &slot), RingAnswer::kDamaged);
}

}  // namespace
}  // namespace zcb::ipc
