// Caches come with a thread's first slow call and go with the thread.
#include "allocator/thread_cache.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>

#include "tests/allocator/region_testing.h"

namespace zcb::alloc {
namespace {

class ThreadCacheTest : public ::testing::Test {
 protected:
  static void Count(void* context, ThreadCache& cache) {
    auto& self = *static_cast<ThreadCacheTest*>(context);
    ++self.flushed_;
    self.lines_ += cache.OfClass(0).count();
  }
  std::unique_ptr<ThreadCacheSet> MakeSet() {
    return std::make_unique<ThreadCacheSet>(&Count, this);
  }
  int flushed_ = 0;
  std::uint32_t lines_ = 0;
};

TEST_F(ThreadCacheTest, AThreadHasOneCacheOfEachAllocator) {
  const auto a = MakeSet();
  const auto b = MakeSet();
  EXPECT_NE(a->id(), b->id());
  EXPECT_EQ(a->Find(), nullptr);
  ThreadCache* const of_a = a->FindOrMake();
  ThreadCache* const of_b = b->FindOrMake();
  ASSERT_NE(of_a, nullptr);
  ASSERT_NE(of_b, nullptr);
  EXPECT_NE(of_a, of_b);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(a->Find(), of_a);
    EXPECT_EQ(b->FindOrMake(), of_b);
  }
  a->Close();
  b->Close();
  EXPECT_EQ(flushed_, 2);
}

TEST_F(ThreadCacheTest, AThreadThatEndsFlushesItsCache) {
  const auto set = MakeSet();
  std::thread([&] {
    ThreadCache* const cache = set->FindOrMake();
    cache->OfClass(0).Push(cache->lines, 17);
  }).join();
  EXPECT_EQ(flushed_, 1);
  EXPECT_EQ(lines_, 1U);
  set->Close();
  EXPECT_EQ(flushed_, 1) << "it was no longer there";
}

TEST_F(ThreadCacheTest, AnAllocatorThatEndsFlushesEveryThreadsCache) {
  auto set = MakeSet();
  std::atomic<int> step{0};
  std::thread other([&] {
    set->FindOrMake();
    step = 1;
    while (step != 2) std::this_thread::yield();
  });
  while (step != 1) std::this_thread::yield();
  set->FindOrMake();
  set->Close();
  set.reset();
  EXPECT_EQ(flushed_, 2);
  step = 2;
  other.join();
  EXPECT_EQ(flushed_, 2) << "there is nothing left to flush into";
}

TEST_F(ThreadCacheTest, AStaleCacheIsNotMistakenForANewAllocators) {
  for (int i = 0; i < 10; ++i) {
    const auto set = MakeSet();  // quite likely at the same address
    EXPECT_EQ(set->Find(), nullptr);
    EXPECT_TRUE(set->FindOrMake()->OfClass(0).is_empty());
    ThreadCache* const cache = set->Find();
    cache->OfClass(0).Push(cache->lines, 1);
    set->Close();
  }
  EXPECT_EQ(flushed_, 10);
}

TEST_F(ThreadCacheTest, AForkedChildFindsItsCacheEmpty) {
  const auto set = MakeSet();
  ThreadCache* const cache = set->FindOrMake();
  cache->OfClass(0).Push(cache->lines, 17);
  EXPECT_TRUE(testing::SucceedsInChild([&](testing::Talk&) {
    EXPECT_EQ(set->Find(), cache);
    EXPECT_TRUE(cache->OfClass(0).is_empty());
    std::thread([] {}).join();
  }));
  EXPECT_EQ(cache->OfClass(0).count(), 1U);
  set->Close();
}

}  // namespace
}  // namespace zcb::alloc
