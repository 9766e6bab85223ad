// What a ticket says, and which words it is for.
#include "allocator/buffer_ticket.h"

#include <gtest/gtest.h>

namespace zcb::alloc {
namespace {

constexpr LeaseId kGiver{7, 3};
constexpr LeaseId kTaker{8, 1};

BufferWord Given(BufferWord before, std::uint32_t size_class) {
  return before.Give(kGiver, BufferTicket::Step(before, size_class));
}

TEST(BufferTicketTest, CarriesItsReferenceThroughItsRawValue) {
  const BufferRef ref(BufferRef::kMax - 5);
  const BufferTicket ticket =
      BufferTicket::Of(ref, Given(BufferWord(~std::uint64_t{0}).Free(), 3));
  const BufferTicket copy(ticket.raw());
  EXPECT_EQ(copy, ticket);
  EXPECT_EQ(copy.ref(), ref);
}

TEST(BufferTicketTest, IsForTheWordThatItWasMadeWithAndNoOther) {
  const BufferWord given = Given(BufferWord(), 10);
  const BufferTicket ticket = BufferTicket::Of(BufferRef(40), given);
  EXPECT_TRUE(ticket.IsFor(given));
  EXPECT_FALSE(ticket.IsFor(given.Give(kTaker))) << "taken";
  EXPECT_FALSE(ticket.IsFor(given.Free())) << "withdrawn";
  EXPECT_FALSE(ticket.IsFor(given.Retain()));
  EXPECT_FALSE(ticket.IsFor(Given(given.Free(), 10))) << "given once more";
}

// A line may start a buffer in two slabs that follow each other, with two words
// that count on their own: they must not come to the same ticket.
TEST(BufferTicketTest, TwoClassesNeverMakeTheSameTicketForALine) {
  const BufferRef ref(1024);
  for (std::uint32_t a = 0; a < kClassCount; ++a) {
    for (std::uint32_t b = 0; b < a; ++b) {
      for (std::uint64_t start : {0ULL, 1ULL, 127ULL, 1000ULL}) {
        const BufferWord before(BufferWord(start << 29));
        ASSERT_NE(BufferTicket::Of(ref, Given(before, a)),
                  BufferTicket::Of(ref, Given(BufferWord(), b)));
      }
    }
  }
}

TEST(BufferTicketTest, EveryGivingOfABufferHasANewTicketAndAHigherGeneration) {
  BufferWord word;
  std::uint64_t last = 0;
  for (int i = 0; i < 1000; ++i) {
    const std::uint64_t before = word.generation();
    word = Given(word, 5);
    EXPECT_GT(word.generation(), before);
    const std::uint64_t raw = BufferTicket::Of(BufferRef(1), word).raw();
    EXPECT_GT(raw, last);
    last = raw;
    // Taken, given on, taken, freed.
    word = word.Give(kTaker);
    word = word.Give(kTaker, BufferTicket::kStepOn);
    EXPECT_EQ((word.generation() - 1) % 128, 5U) << "names the class as before";
    word = word.Give(kGiver).Free();
  }
}

TEST(BufferTicketTest, IsNeverZero) {
  for (std::uint32_t c = 0; c < kClassCount; ++c) {
    for (std::uint64_t generation = 0; generation < 300; ++generation) {
      const BufferWord before(generation << 29);
      EXPECT_NE(BufferTicket::Of(BufferRef(0), Given(before, c)).raw(), 0U);
    }
    const BufferWord last(~std::uint64_t{0} << 29);  // it wraps
    EXPECT_NE(BufferTicket::Of(BufferRef(0), Given(last, c)).raw(), 0U);
  }
}

}  // namespace
}  // namespace zcb::alloc
