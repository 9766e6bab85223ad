// What tune says of a size is what the allocator does with it.
#include "bench/tune/waste.h"

#include <gtest/gtest.h>

#include "tests/ipc/member_fixture.h"

namespace zcb::bench::tune {
namespace {

using ipc::testing::MemberTest;

class WasteTest : public MemberTest {
 protected:
  std::uint64_t BufferOf(std::uint64_t length) {
    const auto payload = attachment_->AllocPayload(length);
    EXPECT_TRUE(payload.ok()) << payload.reason();
    const std::uint64_t usable = attachment_->UsablePayloadBytes(*payload);
    EXPECT_TRUE(attachment_->FreePayload(*payload).ok());
    return usable + 64;
  }
  std::uint64_t AlignedBufferOf(std::uint64_t length) {
    const auto payload = attachment_->AllocAlignedPayload(length, 4096);
    EXPECT_TRUE(payload.ok()) << payload.reason();
    const std::uint64_t usable = attachment_->UsablePayloadBytes(*payload);
    EXPECT_TRUE(attachment_->FreePayload(*payload).ok());
    return usable;
  }
};

TEST_F(WasteTest, BuffersAreAsLargeAsTheAllocatorMakesThem) {
  for (const std::uint64_t length :
       {1U, 64U, 65U, 192U, 193U, 1000U, 4032U, 4096U, 10'000U, 65'536U,
        100'000U, 262'144U, 300'000U, 1'000'000U, 1'048'576U, 2'097'088U,
        2'097'152U, 5'000'000U}) {
    const Waste waste = WasteOf(length);
    EXPECT_EQ(waste.buffer_bytes, BufferOf(length)) << length;
    EXPECT_GE(waste.Idle(), 0) << length;
    EXPECT_LT(waste.Idle(), 1) << length;
  }
}

TEST_F(WasteTest, TheShorterSizeIsTheLongestWithASmallerBuffer) {
  for (const std::uint64_t length :
       {65U, 1000U, 4096U, 65'536U, 262'144U, 300'000U, 1'000'000U}) {
    const Waste waste = WasteOf(length);
    ASSERT_GT(waste.shorter_bytes, 0U) << length;
    EXPECT_EQ(BufferOf(waste.shorter_bytes), waste.shorter_buffer_bytes)
        << length;
    EXPECT_EQ(BufferOf(waste.shorter_bytes + 1), waste.buffer_bytes) << length;
  }
  EXPECT_EQ(WasteOf(1).shorter_bytes, 0U);
}

TEST_F(WasteTest, PagesThatFitIfAlignedDo) {
  for (const std::uint64_t length : {4096U, 8192U, 12'288U, 65'536U}) {
    EXPECT_TRUE(WasteOf(length).fits_if_aligned) << length;
    EXPECT_EQ(AlignedBufferOf(length), length);
  }
  for (const std::uint64_t length : {64U, 4032U, 4100U, 36'864U}) {
    EXPECT_FALSE(WasteOf(length).fits_if_aligned) << length;
  }
}

TEST(WasteAdviceTest, SaysWhatCanBeDoneAndOnlyIfItPays) {
  EXPECT_NE(WasteOf(4096).Advice().find("cpg_zcb_alloc_aligned"),
            std::string::npos);
  EXPECT_EQ(WasteOf(4032).Advice(), "");
  EXPECT_EQ(WasteOf(4032).Idle(), 0);
  EXPECT_EQ(WasteOf(4060).Advice(), "28 B shorter: 4096 B");
  EXPECT_EQ(WasteOf(4800).Advice(), "") << "too much to leave out";
}

}  // namespace
}  // namespace zcb::bench::tune
