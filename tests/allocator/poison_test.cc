// Freed buffers that are filled, on request.
#include "allocator/poison.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "allocator/buffer_ticket.h"
#include "tests/allocator/allocator_testing.h"

namespace zcb::alloc {
namespace {

class PoisonTest : public testing::AllocatorTest {
 protected:
  PoisonTest() {
    EndAllocator();
    AllocatorOptions options;
    options.poison = true;
    auto made = Allocator::Create(region(), options);
    EXPECT_TRUE(made.ok());
    poisoning_ = std::move(*made);
  }
  Allocator& poisoning() { return *poisoning_; }
  std::byte* BytesOf(BufferRef ref) { return poisoning().Pointer(ref); }
  static bool IsAllPoison(const std::byte* bytes, std::uint64_t count) {
    return std::all_of(bytes, bytes + count,
                       [](std::byte byte) { return byte == kPoison; });
  }
  // Until this buffer is the next one.
  void AllocUntil(BufferRef wanted, std::uint64_t bytes) {
    for (int i = 0; i < 100'000; ++i) {
      const auto ref = poisoning().Alloc(bytes);
      ASSERT_TRUE(ref.ok());
      if (*ref == wanted) return;
      others_.push_back(*ref);
    }
    FAIL() << "never came";
  }
  void TearDown() override {
    for (const BufferRef ref : others_) poisoning().Free(ref).ok();
  }

  std::unique_ptr<Allocator> poisoning_;
  std::vector<BufferRef> others_;
};

TEST_F(PoisonTest, AFreedBufferIsFilledToItsEnd) {
  for (const std::uint64_t bytes :
       {std::uint64_t{64}, std::uint64_t{1000}, std::uint64_t{100'000},
        6 * kGranuleBytes, 2 * kUnitBytes}) {
    const auto ref = poisoning().Alloc(bytes);
    ASSERT_TRUE(ref.ok());
    const std::uint64_t usable = poisoning().UsableBytes(*ref);
    std::memset(BytesOf(*ref), 0x11, usable);
    ASSERT_TRUE(poisoning().Free(*ref).ok());
    EXPECT_TRUE(IsAllPoison(BytesOf(*ref), usable)) << bytes;
    EXPECT_FALSE(poisoning().Free(*ref).ok());
  }
}

TEST_F(PoisonTest, AWriteAfterTheFreeIsNoticedAtTheNextAlloc) {
  const auto ref = poisoning().Alloc(1000);
  ASSERT_TRUE(ref.ok());
  ASSERT_TRUE(poisoning().Free(*ref).ok());
  AllocUntil(*ref, 1000);
  EXPECT_EQ(poisoning().Stats().poison_damage, 0U);
  ASSERT_TRUE(poisoning().Free(*ref).ok());
  BytesOf(*ref)[63] = std::byte{0};
  AllocUntil(*ref, 1000);
  EXPECT_EQ(poisoning().Stats().poison_damage, 1U);
}

TEST_F(PoisonTest, MemoryThatWasNeverFreedHereIsNotTakenForDamaged) {
  for (const std::uint64_t bytes : {64U, 4096U, 64U, 200'000U}) {
    std::vector<BufferRef> all;
    while (const auto ref = poisoning().Alloc(bytes)) {
      BytesOf(*ref)[0] = std::byte{0x22};
      all.push_back(*ref);
    }
    for (const BufferRef ref : all) ASSERT_TRUE(poisoning().Free(ref).ok());
  }
  EXPECT_EQ(poisoning().Stats().poison_damage, 0U);
}

TEST_F(PoisonTest, CountsAndRefusalsAreAsEver) {
  std::vector<BufferRef> all;
  for (int i = 0; i < 1000; ++i) all.push_back(*poisoning().Alloc(128));
  EXPECT_EQ(poisoning().Stats().live_buffers, 1000U);
  for (const BufferRef ref : all) ASSERT_TRUE(poisoning().Free(ref).ok());
  const AllocatorStats stats = poisoning().Stats();
  EXPECT_EQ(stats.live_buffers, 0U);
  EXPECT_EQ(stats.out_buffers, 0U);
  EXPECT_GE(stats.cached_buffers, 512U);
  EXPECT_STREQ(poisoning().Free(all[3]).reason(), "already free");
}

TEST_F(PoisonTest, ATakenBufferIsFilledBeforeItGoesBack) {
  NewAllocator();
  const BufferRef ref = MustAlloc(3000);
  const BufferTicket ticket = *allocator().Give(ref);
  ASSERT_TRUE(poisoning().Take(ticket).ok());
  ASSERT_TRUE(poisoning().Free(ref).ok());
  EXPECT_TRUE(IsAllPoison(BytesOf(ref), 3072));
  allocator().Collect();
  EXPECT_EQ(allocator().Stats().out_buffers, 0U);
}

TEST_F(PoisonTest, WithoutTheOptionNothingIsWritten) {
  NewAllocator();
  const BufferRef ref = MustAlloc(1000);
  std::memset(allocator().Pointer(ref), 0x33, 1000);
  MustFree(ref);
  EXPECT_EQ(allocator().Pointer(ref)[500], std::byte{0x33});
}

}  // namespace
}  // namespace zcb::alloc
