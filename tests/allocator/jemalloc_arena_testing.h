// What the tests of jemalloc arenas share.
#ifndef ZCB_TESTS_ALLOCATOR_JEMALLOC_ARENA_TESTING_H_
#define ZCB_TESTS_ALLOCATOR_JEMALLOC_ARENA_TESTING_H_

#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "allocator/jemalloc_arena.h"
#include "tests/allocator/allocator_testing.h"

namespace zcb::alloc::testing {

class JemallocArenaTest : public AllocatorTest {
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

}  // namespace zcb::alloc::testing

#endif  // ZCB_TESTS_ALLOCATOR_JEMALLOC_ARENA_TESTING_H_
