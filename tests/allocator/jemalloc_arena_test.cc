// A jemalloc arena over the region: where its memory lies, what it gives back,
// and what it refuses.
#include "allocator/jemalloc_arena.h"

#include <gtest/gtest.h>
#include <jemalloc/jemalloc.h>

#include <algorithm>
#include <barrier>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "tests/allocator/allocator_testing.h"

namespace zcb::alloc {
namespace {

constexpr std::uint64_t kPage = 4096;
using Sizes = std::initializer_list<std::size_t>;

class JemallocArenaTest : public testing::AllocatorTest {
 protected:
  explicit JemallocArenaTest(std::uint32_t units = 8) : AllocatorTest(units) {}

  std::unique_ptr<JemallocArena> MakeArena(
      const JemallocArenaOptions& options = {}) {
    auto arena = JemallocArena::Create(allocator(), options);
    if (!arena) {
      ADD_FAILURE() << arena.reason();
      std::abort();
    }
    return std::move(*arena);
  }
  static std::byte* Must(const Result<void*>& block) {
    EXPECT_TRUE(block.ok()) << block.reason();
    return block ? static_cast<std::byte*>(*block) : nullptr;
  }
  static void MustDeallocate(JemallocArena& arena, void* block) {
    const Outcome freed = arena.Deallocate(block);
    EXPECT_TRUE(freed.ok()) << freed.reason();
  }
  bool IsInRegion(const void* address) {
    const auto* const at = static_cast<const std::byte*>(address);
    return std::less_equal<>()(region()->data(), at) &&
           std::less<>()(at,
                         region()->data() + region()->geometry().region_bytes);
  }
  // Everybody else can have all of the region.
  bool IsAllBack() {
    const auto all = AllocAll(kUnitBytes);
    FreeAll(all);
    return all.size() == region()->geometry().unit_count;
  }
  static std::vector<std::byte*> TakeAll(JemallocArena& arena,
                                         std::size_t bytes) {
    std::vector<std::byte*> blocks;
    for (;;) {
      const auto block = arena.Allocate(bytes);
      if (!block) {
        EXPECT_EQ(block.status(), Status::kNoMemory);
        return blocks;
      }
      blocks.push_back(static_cast<std::byte*>(*block));
    }
  }
};

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

TEST_F(JemallocArenaTest, TheEndOfOneArenaLeavesTheOthersAlone) {
  auto a = MakeArena();
  const auto b = MakeArena();
  for (int i = 0; i < 50; ++i) Must(a->Allocate(30'000));
  std::byte* const stays = Must(b->Allocate(30'000));
  std::memset(stays, 9, 30'000);
  a.reset();
  EXPECT_EQ(std::count(stays, stays + 30'000, std::byte{9}), 30'000);
  EXPECT_EQ(b->Stats().region_bytes, kUnitBytes);
  const auto rest = AllocAll(kUnitBytes);
  EXPECT_EQ(rest.size(), 7U) << "what the first one had is back";
  FreeAll(rest);
  MustDeallocate(*b, stays);
  EXPECT_TRUE(IsAllBack());
}

TEST_F(JemallocArenaTest, ArenasComeAndGoWithoutEnd) {
  // More than jemalloc has at a time.
  for (int i = 0; i < 5'000; ++i) Must(MakeArena()->Allocate(100));
  EXPECT_TRUE(IsAllBack());
}

TEST_F(JemallocArenaTest, OneArenaTooManyIsRefused) {
  std::vector<std::unique_ptr<JemallocArena>> arenas;
  for (;;) {
    auto arena = JemallocArena::Create(allocator());
    if (!arena) {
      EXPECT_EQ(arena.status(), Status::kNoResources);
      break;
    }
    arenas.push_back(std::move(*arena));
  }
  EXPECT_GT(arenas.size(), 4'000U);
  arenas.pop_back();
  Must(MakeArena()->Allocate(100));
}

TEST_F(JemallocArenaTest, ThreadsThatEndLeaveNothingBehind) {
  const auto arena = MakeArena();
  for (std::uint32_t t = 0; t < 200; ++t) {
    std::thread([&] {
      testing::Random random(t);
      std::vector<std::byte*> blocks;
      for (int i = 0; i < 20; ++i) {
        blocks.push_back(
            Must(arena->Allocate(1 + random.Below(64U << random.Below(10)))));
      }
      for (std::byte* const block : blocks) MustDeallocate(*arena, block);
    }).join();
  }
  EXPECT_EQ(arena->Stats().region_bytes, 0U);
  EXPECT_TRUE(IsAllBack());
}

TEST_F(JemallocArenaTest, ManyThreadsAtOnceKeepTheirValues) {
  const auto arena = MakeArena();
  std::vector<std::thread> threads;
  for (std::uint32_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      testing::Random random(t);
      std::vector<std::pair<std::byte*, std::size_t>> values(32);
      const auto mark = static_cast<std::byte>(t + 1);
      for (int i = 0; i < 4'000; ++i) {
        auto& [value, bytes] = values[random.Below(32)];
        if (value != nullptr) {
          ASSERT_EQ(value[0], mark);
          ASSERT_EQ(value[bytes - 1], mark);
          MustDeallocate(*arena, value);
        }
        bytes = 1 + random.Below(64U << random.Below(11));
        const auto block = arena->Allocate(bytes);
        value = block ? static_cast<std::byte*>(*block) : nullptr;
        if (value == nullptr) continue;
        value[0] = value[bytes - 1] = mark;
      }
      for (const auto& [value, bytes] : values) MustDeallocate(*arena, value);
    });
  }
  for (std::thread& thread : threads) thread.join();
  arena->Trim();
  EXPECT_TRUE(IsAllBack());
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

TEST_F(JemallocArenaTest, AnArenaWithAThreadBoundToItIsLeftToTheAllocator) {
  auto arena = MakeArena();
  std::byte* const block = Must(arena->Allocate(100));
  unsigned index = 0;
  std::size_t length = sizeof index;
  void* const address = block;
  ASSERT_EQ(mallctl("arenas.lookup", &index, &length,
                    const_cast<void**>(&address), sizeof address),
            0);
  std::barrier gate(2);
  std::thread bound([&] {
    EXPECT_EQ(mallctl("thread.arena", nullptr, nullptr, &index, sizeof index),
              0);
    gate.arrive_and_wait();
    gate.arrive_and_wait();
  });
  gate.arrive_and_wait();
  arena.reset();  // jemalloc refuses
  gate.arrive_and_wait();
  bound.join();
  EXPECT_EQ(AllocAll(kUnitBytes).size(), 7U);
  EndAllocator();
  NewAllocator();
  EXPECT_TRUE(IsAllBack());
}

TEST_F(JemallocArenaTest, ContainersPutTheirElementsIntoTheArena) {
  const auto arena = MakeArena();
  {
    using String =
        std::basic_string<char, std::char_traits<char>, ArenaAllocator<char>>;
    const ArenaAllocator<char> in_arena(*arena);
    std::unordered_map<int, String> map;  // itself private
    for (int i = 0; i < 1'000; ++i) {
      map.emplace(i, String(100 + static_cast<std::size_t>(i), 'v', in_arena));
    }
    map.erase(17);
    EXPECT_FALSE(arena->OffsetOf(&map.at(5)).has_value());
    EXPECT_TRUE(arena->OffsetOf(map.at(5).data()).has_value());
    const String copy = map.at(5);
    EXPECT_TRUE(arena->OffsetOf(copy.data()).has_value());
    const String small("short", in_arena);
    EXPECT_FALSE(arena->OffsetOf(small.data()).has_value());
    // 64-byte elements of another type, by conversion.
    struct alignas(64) Wide {
      char bytes[64];
    };
    std::vector<Wide, ArenaAllocator<Wide>> wide(10, in_arena);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(wide.data()) % 64, 0U);
    EXPECT_TRUE(arena->OffsetOf(wide.data()).has_value());
    EXPECT_THROW(wide.resize(9 * kUnitBytes / 64), std::bad_alloc);
    EXPECT_EQ(wide.size(), 10U);
    EXPECT_THROW((void)ArenaAllocator<Wide>(*arena).allocate(~std::size_t{0}),
                 std::bad_array_new_length);
  }
  EXPECT_TRUE(IsAllBack());
}

TEST_F(JemallocArenaTest, TwoArenasDoNotMixTheirPages) {
  const auto a = MakeArena();
  const auto b = MakeArena();
  for (int i = 0; i < 200; ++i) {
    std::byte* const of_a = Must(a->Allocate(20'000));
    std::byte* const of_b = Must(b->Allocate(20'000));
    EXPECT_FALSE(a->OffsetOf(of_b).has_value());
    EXPECT_FALSE(b->OffsetOf(of_a).has_value());
  }
}

TEST_F(JemallocArenaTest, ArenaAllocatorsAreEqualIfTheirArenaIsTheSame) {
  const auto a = MakeArena();
  const auto b = MakeArena();
  EXPECT_TRUE(ArenaAllocator<int>(*a) == ArenaAllocator<char>(*a));
  EXPECT_FALSE(ArenaAllocator<int>(*a) == ArenaAllocator<int>(*b));
  std::vector<int, ArenaAllocator<int>> from(100, ArenaAllocator<int>(*a));
  std::vector<int, ArenaAllocator<int>> to{ArenaAllocator<int>(*b)};
  const int* const data = from.data();
  to = std::move(from);
  EXPECT_EQ(to.data(), data) << "moved, not copied";
  EXPECT_TRUE(to.get_allocator() == ArenaAllocator<int>(*a));
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
