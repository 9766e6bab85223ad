#include "cpg/turn_lock.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <thread>
#include <vector>

namespace zcb::cpg {
namespace {

TEST(TurnLockTest, ThreadThatHasItMayHaveItAgain) {
  TurnLock lock;
  EXPECT_TRUE(lock.Lock());
  EXPECT_EQ(lock.depth(), 1U);
  EXPECT_FALSE(lock.Lock());
  EXPECT_EQ(lock.depth(), 2U);
  EXPECT_FALSE(lock.Wanted());
  lock.Unlock();
  EXPECT_EQ(lock.depth(), 1U);
  lock.Unlock();
}

TEST(TurnLockTest, ThreadThatHasItMayHaveItAgainWhileOthersWait) {
  TurnLock lock;
  (void)lock.Lock();
  std::thread other([&] {
    (void)lock.Lock();
    lock.Unlock();
  });
  while (!lock.Wanted()) std::this_thread::yield();
  (void)lock.Lock();
  EXPECT_EQ(lock.depth(), 2U);
  lock.Unlock();
  lock.Unlock();
  other.join();
}

TEST(TurnLockTest, WhoeverWaitsIsNextHoweverSoonItIsWantedAgain) {
  TurnLock lock;
  (void)lock.Lock();
  for (int round = 0; round < 1000; ++round) {
    bool has_had_it = false;  // guarded by the lock
    std::thread other([&] {
      (void)lock.Lock();
      has_had_it = true;
      lock.Unlock();
    });
    while (!lock.Wanted()) std::this_thread::yield();
    if (round % 2 == 0) {
      lock.Unlock();
      (void)lock.Lock();
    } else {
      lock.GiveWay();
    }
    ASSERT_TRUE(has_had_it);
    other.join();
  }
  EXPECT_EQ(lock.depth(), 1U);
  lock.Unlock();
}

TEST(TurnLockTest, ThoseThatWaitGetItInTheirOrder) {
  constexpr int kThreads = 5;
  TurnLock lock;
  (void)lock.Lock();
  std::vector<int> order;  // guarded by the lock
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      (void)lock.Lock();
      order.push_back(i);
      lock.Unlock();
    });
    while (lock.WaitingCount() != static_cast<std::uint32_t>(i + 1)) {
      std::this_thread::yield();
    }
  }
  lock.GiveWay();
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4}));
  lock.Unlock();
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace zcb::cpg
