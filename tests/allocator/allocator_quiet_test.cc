// The steady state touches no shared metadata at all.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include "tests/allocator/allocator_testing.h"

namespace zcb::alloc {
namespace {

class AllocatorQuietTest : public testing::AllocatorTest {
 protected:
  // Any load or store of a shared word in between ends the test by a signal.
  void Hide(bool hidden) {
    ASSERT_EQ(
        ::mprotect(region()->meta<void>(0), region()->geometry().meta_bytes,
                   hidden ? PROT_NONE : PROT_READ | PROT_WRITE),
        0);
  }
};

TEST_F(AllocatorQuietTest, WarmAllocAndFreeTouchNoSharedLine) {
  for (std::uint32_t c = 0; c < kExtentClass; ++c) {
    const std::uint64_t bytes = kSizeClasses[c].bytes();
    MustFree(MustAlloc(bytes));
    Hide(true);
    bool ok = true;
    for (int i = 0; i < 1000; ++i) {
      const auto ref = allocator().Alloc(bytes);
      ok &= ref.ok() && allocator().IsLive(*ref) &&
            allocator().UsableBytes(*ref) == bytes &&
            allocator().Free(*ref).ok();
    }
    Hide(false);
    ASSERT_TRUE(ok) << c;
  }
}

// Also buffers that travel between the magazine, the depot and the slabs.
TEST_F(AllocatorQuietTest, MagazinesAndDepotTradeInPrivate) {
  std::vector<BufferRef> all;
  for (int i = 0; i < 900; ++i) all.push_back(MustAlloc(256));
  FreeAll(all);
  Hide(true);
  bool ok = true;
  for (int round = 0; round < 10; ++round) {
    for (BufferRef& ref : all) {
      const auto got = allocator().Alloc(256);
      ok &= got.ok();
      ref = *got;
    }
    for (const BufferRef ref : all) ok &= allocator().Free(ref).ok();
  }
  Hide(false);
  EXPECT_TRUE(ok);
}

TEST_F(AllocatorQuietTest, WrongFreesAreRefusedInPrivate) {
  const BufferRef ref = MustAlloc(1000);
  Hide(true);
  const bool freed = allocator().Free(ref).ok();
  const bool again = allocator().Free(ref).ok();
  const bool inside = allocator().Free(BufferRef(ref.line() + 1)).ok();
  Hide(false);
  EXPECT_TRUE(freed);
  EXPECT_FALSE(again);
  EXPECT_FALSE(inside);
}

}  // namespace
}  // namespace zcb::alloc
