#include "allocator/zero_mutex.h"

#include <gtest/gtest.h>
#include <pthread.h>

#include <algorithm>
#include <mutex>

#include "allocator/private_mapping.h"

namespace zcb::alloc {
namespace {

TEST(ZeroMutexTest, AnUnlockedMutexOfTheCLibraryIsAllZero) {
  const pthread_mutex_t unlocked = PTHREAD_MUTEX_INITIALIZER;
  const auto* const bytes = reinterpret_cast<const unsigned char*>(&unlocked);
  EXPECT_TRUE(std::all_of(bytes, bytes + sizeof(unlocked),
                          [](unsigned char byte) { return byte == 0; }));
}

TEST(ZeroMutexTest, FreshMemoryCanBeLockedAndIsThenTaken) {
  const PrivateMapping memory(sizeof(ZeroMutex));
  ASSERT_TRUE(memory.ok());
  auto& mutex = *memory.as<ZeroMutex>();
  for (int i = 0; i < 2; ++i) {
    const std::lock_guard lock(mutex);
    EXPECT_FALSE(mutex.try_lock());
  }
  EXPECT_TRUE(mutex.try_lock());
  mutex.unlock();
}

}  // namespace
}  // namespace zcb::alloc
