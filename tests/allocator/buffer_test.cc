#include "allocator/buffer.h"

#include <cstring>
#include <type_traits>
#include <utility>
#include <vector>

#include "tests/allocator/allocator_testing.h"

namespace zcb::alloc {
namespace {

static_assert(!std::is_copy_constructible_v<Buffer>);
static_assert(std::is_nothrow_move_constructible_v<Buffer>);
static_assert(std::is_nothrow_move_assignable_v<Buffer>);

class BufferTest : public testing::AllocatorTest {
 protected:
  Buffer MustMake(std::uint64_t bytes) {
    auto buffer = Buffer::Alloc(allocator(), bytes);
    EXPECT_TRUE(buffer.ok()) << buffer.reason();
    return buffer ? std::move(*buffer) : Buffer();
  }
  std::uint64_t live() { return allocator().Stats().live_buffers; }
};

TEST_F(BufferTest, ABufferIsFreedWithItsOwner) {
  {
    const Buffer buffer = MustMake(1000);
    ASSERT_TRUE(buffer);
    EXPECT_EQ(buffer.size_bytes(), 1000U);
    EXPECT_EQ(buffer.bytes().size(), 1000U);
    EXPECT_EQ(buffer.data(), allocator().Pointer(buffer.ref()));
    std::memset(buffer.data(), 1, buffer.size_bytes());
    EXPECT_EQ(live(), 1U);
  }
  EXPECT_EQ(live(), 0U);
}

TEST_F(BufferTest, NoneHasNeitherDataNorSize) {
  const Buffer none;
  EXPECT_FALSE(none);
  EXPECT_EQ(none.data(), nullptr);
  EXPECT_EQ(none.size_bytes(), 0U);
  EXPECT_TRUE(none.bytes().empty());
}

TEST_F(BufferTest, MovingMovesTheDutyToFree) {
  Buffer first = MustMake(100);
  const BufferRef ref = first.ref();
  Buffer second = std::move(first);
  EXPECT_FALSE(first);  // NOLINT: that is what is asked
  EXPECT_EQ(second.ref(), ref);
  Buffer third = MustMake(200);
  third = std::move(second);
  EXPECT_EQ(third.ref(), ref);
  EXPECT_EQ(third.size_bytes(), 100U);
  second.Reset();
  EXPECT_EQ(live(), 1U);
  Buffer& itself = third;
  third = std::move(itself);
  EXPECT_EQ(third.ref(), ref);
  EXPECT_EQ(live(), 1U);
  third.Reset();
  third.Reset();
  EXPECT_EQ(live(), 0U);
}

TEST_F(BufferTest, AReleasedBufferIsTheCallers) {
  Buffer buffer = MustMake(100);
  const BufferRef ref = buffer.Release();
  EXPECT_FALSE(buffer);
  buffer.Reset();
  EXPECT_TRUE(allocator().IsLive(ref));
  MustFree(ref);
}

TEST_F(BufferTest, AGivenBufferIsNobodysUntilItIsTaken) {
  Buffer buffer = MustMake(1000);
  std::memset(buffer.data(), 7, buffer.size_bytes());
  const BufferRef ref = buffer.ref();
  const auto ticket = std::move(buffer).Give();
  ASSERT_TRUE(ticket.ok()) << ticket.reason();
  EXPECT_FALSE(buffer);  // NOLINT: that is what is asked
  EXPECT_FALSE(allocator().IsLive(ref));
  {
    auto taken = Buffer::Take(allocator(), *ticket);
    ASSERT_TRUE(taken.ok()) << taken.reason();
    EXPECT_EQ(taken->ref(), ref);
    EXPECT_GE(taken->size_bytes(), 1000U);
    EXPECT_EQ(taken->bytes()[999], std::byte{7});
    EXPECT_EQ(Buffer::Take(allocator(), *ticket).status(), Status::kNotExist);
  }
  EXPECT_FALSE(allocator().IsLive(ref));
  EXPECT_EQ(live(), 0U);
}

TEST_F(BufferTest, ABufferThatCannotBeGivenStaysWithItsOwner) {
  Buffer buffer = MustMake(1000);
  const BufferRef ref = buffer.ref();
  MustFree(ref);  // behind its back
  EXPECT_EQ(std::move(buffer).Give().status(), Status::kInvalidParam);
  EXPECT_TRUE(buffer);  // NOLINT: that is what is asked
  EXPECT_EQ(buffer.ref(), ref);
  EXPECT_EQ(live(), 0U);
}

TEST_F(BufferTest, AlignmentIsKept) {
  const auto buffer = Buffer::AllocAligned(allocator(), 5000, 4096);
  ASSERT_TRUE(buffer.ok()) << buffer.reason();
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer->data()) % 4096, 0U);
  EXPECT_EQ(Buffer::AllocAligned(allocator(), 5000, 100).status(),
            Status::kInvalidParam);
}

TEST_F(BufferTest, ManyLieInAVector) {
  std::vector<Buffer> all;
  for (std::uint64_t i = 0; i < 1000; ++i) all.push_back(MustMake(i));
  all.erase(all.begin() + 100, all.begin() + 600);
  EXPECT_EQ(live(), 500U);
  all.clear();
  EXPECT_EQ(live(), 0U);
}

TEST_F(BufferTest, NoMemoryIsAnError) {
  std::vector<Buffer> all;
  for (;;) {
    auto buffer = Buffer::Alloc(allocator(), 1'000'000);
    if (!buffer) {
      EXPECT_EQ(buffer.status(), Status::kNoMemory);
      break;
    }
    all.push_back(std::move(*buffer));
  }
  EXPECT_EQ(Buffer::Alloc(allocator(), std::uint64_t{1} << 40).status(),
            Status::kTooBig);
  EXPECT_FALSE(all.empty());
}

}  // namespace
}  // namespace zcb::alloc
