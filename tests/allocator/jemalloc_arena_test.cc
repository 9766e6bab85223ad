// A jemalloc arena over the region: where its memory lies, what it gives back,
// and what it refuses.
#include "allocator/jemalloc_arena.h"

#include <gtest/gtest.h>
#include <jemalloc/jemalloc.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <string>
#include <vector>

#include "tests/allocator/jemalloc_arena_testing.h"

namespace zcb::alloc {
namespace {

constexpr std::uint64_t kPage = 4096;
using Sizes = std::initializer_list<std::size_t>;

using JemallocArenaTest = testing::JemallocArenaTest;

TEST_F(JemallocArenaTest, AValueLiesInTheRegionWhereItsOffsetSays) {
  const auto arena = MakeArena();
  for (const std::size_t bytes : Sizes{0, 1, 64, 1000, 20'000, 3'000'000}) {
    std::byte* const value = Must(arena->Allocate(bytes));
    EXPECT_GE(arena->UsableBytes(value), std::max<std::size_t>(bytes, 1));
    const std::size_t last = arena->UsableBytes(value) - 1;
    const auto offset = arena->OffsetOf(value);
    ASSERT_TRUE(offset.has_value());
    EXPECT_EQ(region()->data() + *offset, value);
    EXPECT_EQ(arena->OffsetOf(value + last), *offset + last);
    std::memset(value, 7, last + 1);
    MustDeallocate(*arena, value);
  }
}

TEST_F(JemallocArenaTest, ItTakesNoMoreThanItsValuesNeed) {
  const auto arena = MakeArena();
  std::byte* const value = Must(arena->Allocate(64 * 1024));
  const JemallocArenaStats stats = arena->Stats();
  EXPECT_EQ(stats.live_bytes, 64U * 1024);
  // One page more: jemalloc shifts large blocks within it, for the caches.
  EXPECT_EQ(stats.extent_bytes, 64 * 1024 + kPage);
  EXPECT_EQ(stats.region_bytes, kUnitBytes);
  MustDeallocate(*arena, value);
}

TEST_F(JemallocArenaTest, FreedMemoryGoesBackToTheRegionAtOnce) {
  const auto arena = MakeArena();
  std::vector<std::byte*> blocks;
  testing::Random random(3);
  for (int i = 0; i < 300; ++i) {
    blocks.push_back(
        Must(arena->Allocate(1 + random.Below(64U << random.Below(11)))));
  }
  EXPECT_GT(arena->Stats().region_bytes, 0U);
  for (std::byte* const block : blocks) MustDeallocate(*arena, block);
  const JemallocArenaStats stats = arena->Stats();
  EXPECT_EQ(stats.live_bytes, 0U);
  EXPECT_EQ(stats.extent_bytes, 0U);
  EXPECT_EQ(stats.region_bytes, 0U);
  EXPECT_TRUE(IsAllBack());
}

TEST_F(JemallocArenaTest, WhatIsKeptServesAgainBeforeMemoryRunsOut) {
  JemallocArenaOptions options;
  options.keep_freed_ms = -1;
  const auto arena = MakeArena(options);
  for (std::byte* const block : TakeAll(*arena, 100'000)) {
    MustDeallocate(*arena, block);
  }
  EXPECT_GT(arena->Stats().extent_bytes, 7 * kUnitBytes);
  // No kept extent is that large.
  std::byte* const big = Must(arena->Allocate(6 * kUnitBytes));
  MustDeallocate(*arena, big);
}

TEST_F(JemallocArenaTest, WhatIsKeptGoesBackOnRequest) {
  JemallocArenaOptions options;
  options.keep_freed_ms = -1;
  const auto arena = MakeArena(options);
  MustDeallocate(*arena, Must(arena->Allocate(100'000)));
  EXPECT_EQ(arena->Stats().region_bytes, kUnitBytes);
  arena->Trim();
  EXPECT_EQ(arena->Stats().region_bytes, 0U);
  options.keep_freed_ms = -2;
  EXPECT_EQ(JemallocArena::Create(allocator(), options).status(),
            Status::kInvalidParam);
}

TEST_F(JemallocArenaTest, WhatIsKeptInPiecesAllComesBack) {
  JemallocArenaOptions options;
  options.keep_freed_ms = -1;
  const auto arena = MakeArena(options);
  testing::Random random(5);
  // Kept extents are split for smaller values, and the parts merged again.
  for (const std::uint32_t most : {500'000U, 5'000U, 50'000U, 700'000U}) {
    std::vector<std::byte*> blocks;
    for (int i = 0; i < 20; ++i) {
      blocks.push_back(Must(arena->Allocate(1 + random.Below(most))));
    }
    for (std::byte* const block : blocks) MustDeallocate(*arena, block);
  }
  // Whole chunks side by side.
  std::vector<std::byte*> pages;
  for (std::uint64_t i = 0; i < 3 * kUnitBytes / kPage; ++i) {
    pages.push_back(Must(arena->Allocate(kPage)));
  }
  for (std::byte* const page : pages) MustDeallocate(*arena, page);
  const std::uint64_t kept = arena->Stats().extent_bytes;
  EXPECT_GT(kept, 0U);
  arena->Trim();
  EXPECT_EQ(arena->Stats().extent_bytes, 0U) << "of " << kept;
  EXPECT_TRUE(IsAllBack());
}

TEST_F(JemallocArenaTest, AFullRegionSaysSoAndServesAgainAfterFrees) {
  const auto arena = MakeArena();
  auto blocks = TakeAll(*arena, 50'000);
  ASSERT_GT(blocks.size(), 8 * kUnitBytes / 70'000);
  for (std::byte* const block : blocks) std::memset(block, 1, 50'000);
  EXPECT_EQ(arena->Allocate(50'000).status(), Status::kNoMemory);
  for (int i = 0; i < 20; ++i) {
    MustDeallocate(*arena, blocks.back());
    blocks.back() = Must(arena->Allocate(50'000));
  }
  for (std::byte* const block : blocks) MustDeallocate(*arena, block);
  EXPECT_TRUE(IsAllBack());
}

TEST_F(JemallocArenaTest, WhatCanNeverBeIsRefusedWithItsReason) {
  const auto arena = MakeArena();
  EXPECT_EQ(arena->Allocate(9 * kUnitBytes).status(), Status::kTooBig);
  EXPECT_EQ(arena->Allocate(~std::size_t{0}).status(), Status::kTooBig);
  // Eight units, as jemalloc rounds it.
  EXPECT_EQ(arena->Allocate(8 * kUnitBytes - 1).status(), Status::kTooBig);
  EXPECT_EQ(arena->Allocate(1, std::size_t{1} << 40).status(), Status::kTooBig);
  EXPECT_EQ(arena->Allocate(1, 0).status(), Status::kInvalidParam);
  EXPECT_EQ(arena->Allocate(1, 48).status(), Status::kInvalidParam);
  std::byte* const block = Must(arena->Allocate(100));
  EXPECT_EQ(arena->Reallocate(block, 9 * kUnitBytes).status(), Status::kTooBig);
  EXPECT_EQ(arena->Reallocate(block, 1, 3).status(), Status::kInvalidParam);
  MustDeallocate(*arena, block);
}

TEST_F(JemallocArenaTest, AlignmentIsKeptAboveTheUnitToo) {
  const auto arena = MakeArena();
  for (std::size_t alignment = 1; alignment <= 4 * kUnitBytes; alignment *= 2) {
    std::byte* const pad = Must(arena->Allocate(24));
    std::byte* const block = Must(arena->Allocate(100, alignment));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block) % alignment, 0U);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block) % 16, 0U);
    MustDeallocate(*arena, block);
    MustDeallocate(*arena, pad);
  }
  EXPECT_TRUE(IsAllBack());
}

TEST_F(JemallocArenaTest, ZeroedMemoryIsZeroThoughTheRegionsWasUsed) {
  for (const BufferRef ref : AllocAll(kUnitBytes)) {
    std::memset(allocator().Pointer(ref), 0xab, kUnitBytes);
    MustFree(ref);
  }
  const auto arena = MakeArena();
  for (const std::size_t bytes : Sizes{100, 5'000, 50'000, 3'000'000}) {
    auto* const block = static_cast<unsigned char*>(
        mallocx(bytes, arena->mallocx_flags() | MALLOCX_ZERO));
    ASSERT_NE(block, nullptr);
    EXPECT_TRUE(std::all_of(block, block + bytes, [](auto b) {
      return b == 0;
    })) << bytes;
    dallocx(block, arena->mallocx_flags());
  }
}

TEST_F(JemallocArenaTest, ReallocationKeepsContentsAndFailsHarmlessly) {
  const auto arena = MakeArena();
  auto* text = Must(arena->Reallocate(nullptr, 100));
  std::memset(text, 'x', 100);
  for (const std::size_t bytes : Sizes{5'000, 500'000, 5'000'000, 100}) {
    text = Must(arena->Reallocate(text, bytes));
    ASSERT_TRUE(arena->OffsetOf(text).has_value());
    ASSERT_EQ(std::count(text, text + 100, std::byte{'x'}), 100);
  }
  text = Must(arena->Reallocate(text, 3'000'000));
  const auto rest = TakeAll(*arena, 300'000);
  EXPECT_EQ(arena->Reallocate(text, 7'000'000).status(), Status::kNoMemory);
  EXPECT_EQ(std::count(text, text + 100, std::byte{'x'}), 100);
  EXPECT_GE(arena->UsableBytes(text), 3'000'000U);
  for (std::byte* const block : rest) MustDeallocate(*arena, block);
  MustDeallocate(*arena, text);
}

TEST_F(JemallocArenaTest, ForeignMemoryIsRefused) {
  const auto arena = MakeArena();
  const auto other = MakeArena();
  std::byte* const theirs = Must(other->Allocate(100));
  const BufferRef buffer = MustAlloc(100);
  void* const mine = std::malloc(100);
  int local = 0;
  for (void* const foreign : std::initializer_list<void*>{
           mine, &local, theirs, allocator().Pointer(buffer)}) {
    EXPECT_EQ(arena->Deallocate(foreign).status(), Status::kInvalidParam);
    EXPECT_EQ(arena->Reallocate(foreign, 10).status(), Status::kInvalidParam);
    EXPECT_EQ(arena->UsableBytes(foreign), 0U);
    EXPECT_EQ(arena->OffsetOf(foreign), std::nullopt);
  }
  EXPECT_TRUE(arena->Deallocate(nullptr).ok());
  std::free(mine);
  MustFree(buffer);
  MustDeallocate(*other, theirs);
}

TEST_F(JemallocArenaTest, MemoryFromBareMallocxBelongsToTheArena) {
  const auto arena = MakeArena();
  void* block = mallocx(1'000, arena->mallocx_flags());
  EXPECT_TRUE(IsInRegion(block));
  block = rallocx(block, 100'000, arena->mallocx_flags());
  EXPECT_TRUE(arena->OffsetOf(block).has_value());
  MustDeallocate(*arena, block);
  block = Must(arena->Allocate(1'000));
  dallocx(block, arena->mallocx_flags());
  EXPECT_TRUE(IsAllBack());
  // Nothing of it has got into the private heap.
  for (int i = 0; i < 10'000; ++i) {
    EXPECT_FALSE(IsInRegion(std::malloc(1'000)));  // NOLINT: for good
  }
}

TEST_F(JemallocArenaTest, ThePressureHookMayCallMalloc) {
  struct Context {
    JemallocArena* arena;
    int calls = 0;
    Status status = Status::kOk;
  };
  const auto arena = MakeArena();
  Context context{arena.get()};
  allocator().SetPressureHook(
      [](void* self, bool) {
        auto& seen = *static_cast<Context*>(self);
        ++seen.calls;
        for (std::size_t bytes = 8; bytes < 10'000'000; bytes *= 3) {
          std::vector<char> scratch(bytes);
          EXPECT_FALSE(seen.arena->OffsetOf(scratch.data()).has_value());
        }
        // From below, jemalloc serves no arena but its first.
        seen.status = seen.arena->Allocate(100).status();
        return false;
      },
      &context);
  const auto blocks = TakeAll(*arena, 100'000);
  EXPECT_GT(context.calls, 0);
  EXPECT_EQ(context.status, Status::kNotSupported);
  for (std::byte* const block : blocks) MustDeallocate(*arena, block);
  allocator().SetPressureHook(nullptr, nullptr);
  EXPECT_TRUE(IsAllBack());
}

class JemallocArenaTablesTest : public JemallocArenaTest {
 protected:
  JemallocArenaTablesTest() : JemallocArenaTest(48) {}
};

TEST_F(JemallocArenaTablesTest, TheTablesOfJemallocStayPrivate) {
  constexpr std::size_t kBlocks = 20'000;
  const auto arena = MakeArena();
  std::vector<std::byte*> blocks;
  for (std::size_t i = 0; i < kBlocks; ++i) {
    blocks.push_back(Must(arena->Allocate(kPage)));
  }
  unsigned index = 0;
  std::size_t length = sizeof index;
  ASSERT_EQ(mallctl("arenas.lookup", &index, &length, &blocks[0], 8), 0);
  std::size_t table_bytes = 0;
  length = sizeof table_bytes;
  const std::string name = "stats.arenas." + std::to_string(index) + ".base";
  (void)arena->Stats();  // makes it count
  ASSERT_EQ(mallctl(name.c_str(), &table_bytes, &length, nullptr, 0), 0);
  EXPECT_GT(table_bytes, kUnitBytes) << "they have grown once, at least";
  EXPECT_EQ(arena->Stats().extent_bytes, kBlocks * kPage);
  for (std::byte* const block : blocks) MustDeallocate(*arena, block);
  EXPECT_TRUE(IsAllBack());
}

}  // namespace
}  // namespace zcb::alloc
