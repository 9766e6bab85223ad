#include "cpg/open_messages.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <thread>
#include <vector>

namespace zcb::cpg {
namespace {

using ipc::BegunMessage;

std::byte memory[64];

// Every field says the same number, so that a mixture shows; the small ones its
// lower half.
BegunMessage Numbered(std::uint32_t number, std::size_t payload) {
  const auto low = static_cast<std::uint16_t>(number);
  return {&memory[payload], alloc::BufferRef(number), low, number, number, low};
}
bool IsWhole(const BegunMessage& message) {
  const std::uint64_t number = message.position;
  return message.buffer.line() == number &&
         message.group_slot == (number & 0xffff) &&
         message.length_bytes == number && message.entry == (number & 0xffff);
}

TEST(OpenMessagesTest, AMessageIsFoundFromItsOpeningToItsClosing) {
  OpenMessages open;
  open.Reserve(1);
  EXPECT_FALSE(open.Find(&memory[1]).has_value());
  open.Open(0, Numbered(7, 1));
  open.Open(1, Numbered(8, 2));
  const auto found = open.Find(&memory[1]);
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->payload, &memory[1]);
  EXPECT_EQ(found->position, 7U);
  EXPECT_TRUE(IsWhole(*found));
  EXPECT_EQ(open.Find(&memory[2])->position, 8U);
  EXPECT_FALSE(open.Find(&memory[3]).has_value());
  open.Close(0);
  EXPECT_FALSE(open.Find(&memory[1]).has_value());
  EXPECT_TRUE(open.Find(&memory[2]).has_value());
  open.Open(0, Numbered(9, 1));
  EXPECT_EQ(open.Find(&memory[1])->position, 9U);
}

TEST(OpenMessagesTest, NothingIsOpenAtNull) {
  OpenMessages open;
  EXPECT_FALSE(open.Find(nullptr).has_value());
  open.Open(0, Numbered(1, 1));
  open.Close(0);
  EXPECT_FALSE(open.Find(nullptr).has_value());
}

TEST(OpenMessagesTest, PlacesBeyondTheFirstChunkAreMadeOnce) {
  constexpr std::uint32_t kPlaces = 4 * OpenMessages::kPlacesPerChunk;
  OpenMessages open;
  open.Reserve(kPlaces - 1);
  for (std::uint32_t i = 0; i < kPlaces; ++i) {
    open.Reserve(i);
    open.Open(i, Numbered(i, i));
  }
  for (std::uint32_t i = 0; i < kPlaces; ++i) {
    const auto found = open.Find(&memory[i]);
    ASSERT_TRUE(found.has_value()) << i;
    EXPECT_EQ(found->position, i);
  }
}

TEST(OpenMessagesTest, ReadersFindOneOpeningWholeOrNothing) {
  constexpr std::uint32_t kOpenings = 2'000'000;
  OpenMessages open;
  std::atomic<bool> done{false};
  std::latch started(3);
  std::vector<std::thread> readers;
  for (int i = 0; i < 2; ++i) {
    readers.emplace_back([&] {
      started.arrive_and_wait();
      std::uint64_t last = 0;
      while (!done) {
        const auto found = open.Find(&memory[1]);
        if (!found) continue;
        ASSERT_EQ(found->payload, &memory[1]);
        ASSERT_TRUE(IsWhole(*found));
        ASSERT_GE(found->position, last);
        last = found->position;
      }
    });
  }
  started.arrive_and_wait();
  // The same place and address again and again, and places that are new.
  for (std::uint32_t number = 1; number <= kOpenings; ++number) {
    open.Open(0, Numbered(number, 1));
    if (number % 20'000 == 0) {
      open.Reserve(number / 20'000);
      open.Open(number / 20'000, Numbered(number, 2));
    }
    open.Close(0);
  }
  done = true;
  for (std::thread& reader : readers) reader.join();
}

}  // namespace
}  // namespace zcb::cpg
