#include "allocator/wiped_memory.h"

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "allocator/reserved_list.h"
#include "allocator/wiped_object.h"
#include "tests/allocator/region_testing.h"

namespace zcb::alloc {
namespace {

using testing::SucceedsInChild;
using testing::Talk;

bool IsZero(const std::byte* bytes, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    if (bytes[i] != std::byte{0}) return false;
  }
  return true;
}

std::byte* Take(std::size_t bytes) {
  return static_cast<std::byte*>(WipedMemory::Take(bytes));
}

TEST(WipedMemoryTest, PiecesAreZeroAlignedAndApart) {
  std::vector<std::pair<std::byte*, std::size_t>> pieces;
  // Also more than the range has, and more than any has at first.
  for (const std::size_t bytes :
       {std::size_t{1}, std::size_t{64}, std::size_t{65}, std::size_t{4000},
        std::size_t{3} << 20, std::size_t{2} << 20, std::size_t{9} << 20,
        std::size_t{100}}) {
    std::byte* const piece = Take(bytes);
    ASSERT_NE(piece, nullptr) << bytes;
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(piece) % WipedMemory::kAlignment,
              0U);
    EXPECT_TRUE(IsZero(piece, bytes)) << bytes;
    std::memset(piece, 0xff, bytes);  // or the next one is not zero
    pieces.emplace_back(piece, bytes);
  }
  for (const auto& [piece, bytes] : pieces) {
    EXPECT_EQ(piece[bytes - 1], std::byte{0xff});
  }
}

TEST(WipedMemoryTest, AChildFindsZerosAndIsGivenNothingOfItsParents) {
  std::byte* const ours = Take(64);
  ASSERT_NE(ours, nullptr);
  ours[0] = std::byte{1};
  EXPECT_TRUE(SucceedsInChild([&](Talk&) {
    EXPECT_EQ(ours[0], std::byte{0});
    for (int i = 0; i < 200; ++i) {
      std::byte* const theirs = Take(64);
      ASSERT_NE(theirs, nullptr);
      ASSERT_TRUE(theirs + 64 <= ours || ours + 64 <= theirs);
    }
  }));
  EXPECT_EQ(ours[0], std::byte{1});
}

TEST(WipedMemoryTest, ThreadsAreGivenDifferentPieces) {
  constexpr int kThreads = 4;
  constexpr int kPieces = 2000;  // in more pages than the first
  std::array<std::vector<std::byte*>, kThreads> pieces;
  {
    std::vector<std::jthread> threads;
    for (auto& list : pieces) {
      threads.emplace_back([&list] {
        for (int i = 0; i < kPieces; ++i) list.push_back(Take(64));
      });
    }
  }
  std::set<std::byte*> all;
  for (const auto& list : pieces) all.insert(list.begin(), list.end());
  EXPECT_EQ(all.size(), std::size_t{kThreads} * kPieces);
  EXPECT_FALSE(all.contains(nullptr));
}

struct Thing : WipedObject<Thing> {
  explicit Thing(int n) : number(n) {}
  std::array<char, 100> bytes{};
  int number;
};

TEST(WipedObjectTest, WhatWasDeletedIsUsedAgain) {
#ifdef ZCB_WITH_ADDRESS_SANITIZER
  GTEST_SKIP() << "objects lie on the heap";
#endif
  std::set<const void*> places;
  for (int round = 0; round < 100; ++round) {
    std::vector<std::unique_ptr<Thing>> things;
    for (int i = 0; i < 5; ++i) {
      things.push_back(std::make_unique<Thing>(i));
      places.insert(things.back().get());
    }
    for (std::size_t i = 0; i < 5; ++i) {
      EXPECT_EQ(things[i]->number, static_cast<int>(i));
    }
  }
  EXPECT_EQ(places.size(), 5U);
}

TEST(WipedObjectTest, AChildMayDestroyItsParentsAndMakeItsOwn) {
#ifdef ZCB_WITH_ADDRESS_SANITIZER
  GTEST_SKIP() << "objects lie on the heap";
#endif
  auto thing = std::make_unique<Thing>(7);
  std::make_unique<Thing>(8).reset();
  EXPECT_TRUE(SucceedsInChild([&](Talk&) {
    EXPECT_EQ(thing->number, 0);
    thing.reset();
    std::vector<std::unique_ptr<Thing>> things;
    for (int i = 0; i < 5; ++i) things.push_back(std::make_unique<Thing>(i));
    for (std::size_t i = 0; i < 5; ++i) {
      EXPECT_EQ(things[i]->number, static_cast<int>(i));
    }
  }));
  EXPECT_EQ(thing->number, 7);
}

TEST(WipedObjectTest, ThreadsNeverHaveOneObjectTogether) {
  constexpr int kRounds = 20000;
  std::vector<std::jthread> threads;
  for (int t = 1; t <= 4; ++t) {
    threads.emplace_back([t] {
      for (int i = 0; i < kRounds; ++i) {
        const auto first = std::make_unique<Thing>(t);
        const auto second = std::make_unique<Thing>(-t);
        ASSERT_EQ(first->number, t);
        ASSERT_EQ(second->number, -t);
      }
    });
  }
}

TEST(ReservedListTest, GrowsToItsCapacityWithoutMoving) {
  ReservedList<std::uint64_t> list(5000);
  ASSERT_TRUE(list.ok());
  EXPECT_TRUE(list.empty());
  const auto* const begin = list.begin();
  for (std::uint64_t i = 0; i < 5000; ++i) list.push_back(i);
  EXPECT_EQ(list.begin(), begin);
  EXPECT_EQ(list.size(), 5000U);
  EXPECT_EQ(list.back(), 4999U);
  list.pop_back();
  EXPECT_EQ(list.back(), 4998U);
  EXPECT_EQ(list[17], 17U);
  EXPECT_EQ(list.end() - list.begin(), 4999);
}

}  // namespace
}  // namespace zcb::alloc
