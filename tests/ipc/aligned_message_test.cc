// Messages whose payload has its pages to itself.
#include <cstdint>
#include <cstring>
#include <vector>

#include "ipc/message_place.h"
#include "tests/ipc/member_fixture.h"

namespace zcb::ipc::testing {
namespace {

constexpr std::uint64_t kPage = MessagePlace::kPageBytes;

class AlignedMessageTest : public MemberTest {
 protected:
  std::byte* MustAlloc(std::uint64_t bytes, std::uint64_t alignment) {
    const auto payload = attachment_->AllocAlignedPayload(bytes, alignment);
    EXPECT_TRUE(payload.ok()) << payload.reason();
    return payload ? *payload : nullptr;
  }
};

TEST_F(AlignedMessageTest, PayloadsAreAlignedAndTakeNoMoreThanTheirPages) {
  for (std::uint64_t alignment = 1; alignment <= 2 << 20; alignment *= 2) {
    std::byte* const payload = MustAlloc(4096, alignment);
    ASSERT_NE(payload, nullptr);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(payload) % alignment, 0U);
    if (alignment > 64 && alignment <= kPage) {
      EXPECT_EQ(attachment_->UsablePayloadBytes(payload), kPage);
    }
    std::memset(payload, 1, 4096);
    EXPECT_TRUE(attachment_->FreePayload(payload).ok());
    EXPECT_FALSE(attachment_->FreePayload(payload).ok());
  }
}

TEST_F(AlignedMessageTest, AnAlignmentThatIsNoneIsRefused) {
  for (const std::uint64_t alignment : {0ULL, 3ULL, 4097ULL, 4ULL << 20}) {
    EXPECT_EQ(attachment_->AllocAlignedPayload(1, alignment).status(),
              Status::kInvalidParam)
        << alignment;
  }
  EXPECT_EQ(attachment_->AllocAlignedPayload(~std::uint64_t{0}, kPage).status(),
            Status::kTooBig);
}

TEST_F(AlignedMessageTest, AWholePageArrivesInPlaceAtAPageBoundary) {
  const Joined a = JoinGroup(*attachment_, "g");
  const Joined b = JoinGroup(*attachment_, "g");
  ReadAll(*a.member);
  ReadAll(*b.member);
  std::byte* const payload = MustAlloc(kPage, kPage);
  std::memset(payload, 0x5a, kPage);
  ASSERT_TRUE(a->Send(payload, kPage).ok());
  const auto event = b->Next();
  ASSERT_TRUE(event.ok()) << event.reason();
  EXPECT_EQ(event->payload, payload);
  EXPECT_EQ(event->length_bytes, kPage);
  EXPECT_EQ(event->sender, a->address());
  EXPECT_EQ(event->payload[0], std::byte{0x5a});
  EXPECT_EQ(event->payload[kPage - 1], std::byte{0x5a});
  b->Done();
}

TEST_F(AlignedMessageTest, TooLongIsRefusedAndTheBufferStays) {
  const Joined a = JoinGroup(*attachment_, "g");
  std::byte* const payload = MustAlloc(kPage, kPage);
  EXPECT_EQ(a->Send(payload, kPage + 1).status(), Status::kTooBig);
  EXPECT_TRUE(attachment_->FreePayload(payload).ok());
}

// The same buffer in turns as one and as the other: no header of an earlier
// life is taken for that of a later one.
TEST_F(AlignedMessageTest, BothKindsShareARingAndTheSameBuffers) {
  const Joined a = JoinGroup(*attachment_, "g");
  ReadAll(*a.member);
  for (int i = 0; i < 5000; ++i) {
    const bool is_aligned = i % 3 != 0;
    const auto payload = is_aligned
                             ? attachment_->AllocAlignedPayload(8, kPage)
                             : attachment_->AllocPayload(kPage - kHeaderBytes);
    ASSERT_TRUE(payload.ok()) << payload.reason();
    std::memcpy(*payload, &i, sizeof i);
    ASSERT_TRUE(a->Send(*payload, 8).ok());
    const auto event = a->Next();
    ASSERT_TRUE(event.ok()) << event.reason();
    ASSERT_EQ(event->payload, *payload);
    int got = -1;
    std::memcpy(&got, event->payload, sizeof got);
    ASSERT_EQ(got, i);
    a->Done();
  }
  attachment_->ReclaimAllGroups();
  EXPECT_EQ(attachment_->ReadStats().region_out_buffers, 0U);
}

TEST_F(AlignedMessageTest, AKeptOneOutlivesItsPlaceAndIsLetGoOnce) {
  const Joined a = JoinGroup(*attachment_, "g");
  ReadAll(*a.member);
  std::byte* const payload = MustAlloc(kPage, kPage);
  ASSERT_TRUE(a->Send(payload, 100).ok());
  const auto event = a->Next();
  ASSERT_TRUE(a->Retain(*event).ok());
  a->Done();
  attachment_->ReclaimAllGroups();
  EXPECT_EQ(attachment_->ReadStats().region_out_buffers, 1U);
  EXPECT_TRUE(attachment_->Release(payload).ok());
  EXPECT_EQ(attachment_->Release(payload).status(), Status::kInvalidParam);
  EXPECT_EQ(attachment_->ReadStats().region_out_buffers, 0U);
}

TEST_F(AlignedMessageTest, AnEmptyPayloadIsNotTakenForTheBufferBehindIt) {
  std::vector<std::byte*> all;
  for (int i = 0; i < 4000; ++i) {
    const auto empty = attachment_->AllocPayload(0);
    ASSERT_TRUE(empty.ok());
    all.push_back(*empty);
    all.push_back(MustAlloc(kPage, kPage));
  }
  for (std::byte* const payload : all) {
    ASSERT_TRUE(attachment_->FreePayload(payload).ok());
  }
  EXPECT_EQ(attachment_->ReadStats().allocator.live_buffers, 0U);
}

TEST_F(AlignedMessageTest, ASlotThatNamesASecondLineElsewhereNamesNothing) {
  alloc::Allocator& allocator = attachment_->allocator();
  const auto whole = allocator.Alloc(kPage);  // can be aligned
  const auto other = allocator.Alloc(5120);   // cannot
  ASSERT_TRUE(whole.ok() && other.ok());
  const auto second = [&](alloc::BufferRef ref, std::uint32_t line) {
    return MessagePlace::Of(allocator, alloc::BufferRef(ref.line() + line));
  };
  ASSERT_TRUE(second(*whole, 1).has_value());
  EXPECT_TRUE(second(*whole, 1)->is_aligned());
  EXPECT_EQ(second(*whole, 1)->buffer().ref, *whole);
  EXPECT_FALSE(second(*whole, 0)->is_aligned());
  EXPECT_FALSE(second(*whole, 2).has_value());
  EXPECT_FALSE(second(*other, 1).has_value());
  EXPECT_FALSE(
      MessagePlace::Of(allocator, alloc::BufferRef(alloc::BufferRef::kMax))
          .has_value());
}

}  // namespace
}  // namespace zcb::ipc::testing
