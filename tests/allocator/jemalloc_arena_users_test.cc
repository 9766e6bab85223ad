// Who uses jemalloc arenas: several arenas, threads that come and go, and
// containers.
#include <gtest/gtest.h>
#include <jemalloc/jemalloc.h>

#include <algorithm>
#include <barrier>
#include <cstring>
#include <new>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "allocator/jemalloc_arena.h"
#include "tests/allocator/jemalloc_arena_testing.h"

namespace zcb::alloc {
namespace {

using JemallocArenaUsersTest = testing::JemallocArenaTest;

TEST_F(JemallocArenaUsersTest, TheEndOfOneArenaLeavesTheOthersAlone) {
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

TEST_F(JemallocArenaUsersTest, ArenasComeAndGoWithoutEnd) {
  // More than jemalloc has at a time.
  for (int i = 0; i < 5'000; ++i) Must(MakeArena()->Allocate(100));
  EXPECT_TRUE(IsAllBack());
}

TEST_F(JemallocArenaUsersTest, OneArenaTooManyIsRefused) {
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

TEST_F(JemallocArenaUsersTest, ThreadsThatEndLeaveNothingBehind) {
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

TEST_F(JemallocArenaUsersTest, ManyThreadsAtOnceKeepTheirValues) {
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

TEST_F(JemallocArenaUsersTest,
       AnArenaWithAThreadBoundToItIsLeftToTheAllocator) {
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

TEST_F(JemallocArenaUsersTest, ContainersPutTheirElementsIntoTheArena) {
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

TEST_F(JemallocArenaUsersTest, TwoArenasDoNotMixTheirPages) {
  const auto a = MakeArena();
  const auto b = MakeArena();
  for (int i = 0; i < 200; ++i) {
    std::byte* const of_a = Must(a->Allocate(20'000));
    std::byte* const of_b = Must(b->Allocate(20'000));
    EXPECT_FALSE(a->OffsetOf(of_b).has_value());
    EXPECT_FALSE(b->OffsetOf(of_a).has_value());
  }
}

TEST_F(JemallocArenaUsersTest, ArenaAllocatorsAreEqualIfTheirArenaIsTheSame) {
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

}  // namespace
}  // namespace zcb::alloc
