// The C interface between processes, over fork, and when one is killed.
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "allocator/zcb_allocator.h"
#include "tests/allocator/zcb_allocator_testing.h"
#include "tests/support/child_process.h"

namespace zcb::alloc {
namespace {

using testing::ZcbAllocatorTest;
using zcb::testing::ChildProcess;
using zcb::testing::Gate;

// What a child returns: the line of the first check that failed.
#define CHECK_IN_CHILD(condition) \
  if (!(condition)) return __LINE__ % 250 + 1

class ZcbAllocatorProcessTest : public ZcbAllocatorTest {};

TEST_F(ZcbAllocatorProcessTest, AnInheritedAllocatorIsABadHandle) {
  void* const buffer = MustAlloc(100);
  void* const cached = MustAlloc(100);
  MustFree(cached);
  zcb_ref ref = 0;
  ASSERT_EQ(zcb_ref_of(allocator(), buffer, &ref), ZCB_OK);
  ChildProcess child([&] {
    void* pointer = nullptr;
    struct zcb_allocator_stats stats{};
    stats.size = sizeof stats;
    zcb_allocator* const inherited = allocator();
    CHECK_IN_CHILD(zcb_alloc(inherited, 100, &pointer) == ZCB_BAD_HANDLE);
    CHECK_IN_CHILD(pointer == nullptr);
    CHECK_IN_CHILD(zcb_free(inherited, buffer) == ZCB_BAD_HANDLE);
    CHECK_IN_CHILD(zcb_usable_size(inherited, buffer) == 0);
    CHECK_IN_CHILD(zcb_ref_of(inherited, buffer, &ref) == ZCB_BAD_HANDLE);
    CHECK_IN_CHILD(zcb_ptr_of(inherited, ref, &pointer) == ZCB_BAD_HANDLE);
    CHECK_IN_CHILD(zcb_collect(inherited) == ZCB_BAD_HANDLE);
    CHECK_IN_CHILD(zcb_stats(inherited, &stats) == ZCB_BAD_HANDLE);
    CHECK_IN_CHILD(zcb_allocator_close(inherited) == ZCB_BAD_HANDLE);
    return 0;
  });
  EXPECT_EQ(child.Join(), 0);
  MustFree(buffer);
}

TEST_F(ZcbAllocatorProcessTest, AForkedChildOpensOneOfItsOwn) {
  char* const ours = static_cast<char*>(MustAlloc(100));
  std::strcpy(ours, "the parent's");
  zcb_ref ref = 0;
  ASSERT_EQ(zcb_ref_of(allocator(), ours, &ref), ZCB_OK);
  ChildProcess child([&] {
    zcb_allocator* mine = nullptr;
    const auto options = Options();
    CHECK_IN_CHILD(zcb_allocator_open(&options, &mine) == ZCB_OK);
    void* seen = nullptr;
    CHECK_IN_CHILD(zcb_ptr_of(mine, ref, &seen) == ZCB_OK);
    CHECK_IN_CHILD(std::strcmp(static_cast<char*>(seen), "the parent's") == 0);
    CHECK_IN_CHILD(zcb_usable_size(mine, seen) >= 100);
    CHECK_IN_CHILD(zcb_free(mine, seen) == ZCB_INVALID_PARAM);  // not its own
    struct zcb_allocator_stats stats{};
    stats.size = sizeof stats;
    CHECK_IN_CHILD(zcb_stats(mine, &stats) == ZCB_OK);
    CHECK_IN_CHILD(stats.processes == 2 && stats.live_buffers == 0);
    void* buffer = nullptr;
    CHECK_IN_CHILD(zcb_alloc(mine, 100, &buffer) == ZCB_OK);
    CHECK_IN_CHILD(buffer != ours);
    CHECK_IN_CHILD(zcb_free(mine, buffer) == ZCB_OK);
    CHECK_IN_CHILD(zcb_allocator_close(mine) == ZCB_OK);
    return 0;
  });
  EXPECT_EQ(child.Join(), 0);
  EXPECT_STREQ(ours, "the parent's");
  MustFree(ours);
}

TEST_F(ZcbAllocatorProcessTest, WhatAKilledProcessHadServesTheOthers) {
  std::size_t whole = 0;
  std::vector<void*> all;
  void* buffer = nullptr;
  while (zcb_alloc(allocator(), 100'000, &buffer) == ZCB_OK) {
    all.push_back(buffer);
  }
  whole = all.size();
  for (void* each : all) MustFree(each);
  // Everything back to the region.
  Close();
  allocator();
  Gate has_all;
  ChildProcess child([&] {
    zcb_allocator* mine = nullptr;
    const auto options = Options();
    CHECK_IN_CHILD(zcb_allocator_open(&options, &mine) == ZCB_OK);
    void* pointer = nullptr;
    while (zcb_alloc(mine, 100'000, &pointer) == ZCB_OK) {
    }
    has_all.Signal();
    pause();
    return 0;
  });
  has_all.Wait();
  EXPECT_EQ(zcb_alloc(allocator(), 100'000, &buffer), ZCB_NO_MEMORY);
  child.Kill();
  child.Join();
  std::size_t count = 0;
  while (zcb_alloc(allocator(), 100'000, &buffer) == ZCB_OK) ++count;
  EXPECT_EQ(count, whole);
}

}  // namespace
}  // namespace zcb::alloc
