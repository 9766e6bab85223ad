// The C interface between processes, over fork, and when one is killed.
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>
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
    zcb_ticket ticket = 0;
    struct zcb_audit_report report{};
    report.size = sizeof report;
    CHECK_IN_CHILD(zcb_alloc_aligned(inherited, 100, 4096, &pointer) ==
                   ZCB_BAD_HANDLE);
    CHECK_IN_CHILD(zcb_give(inherited, buffer, &ticket) == ZCB_BAD_HANDLE);
    CHECK_IN_CHILD(zcb_take(inherited, 1, &pointer) == ZCB_BAD_HANDLE);
    CHECK_IN_CHILD(zcb_collect(inherited) == ZCB_BAD_HANDLE);
    CHECK_IN_CHILD(zcb_reap_dead(inherited, nullptr) == ZCB_BAD_HANDLE);
    CHECK_IN_CHILD(zcb_prefault(inherited, 1, nullptr) == ZCB_BAD_HANDLE);
    CHECK_IN_CHILD(zcb_lock_memory(inherited) == ZCB_BAD_HANDLE);
    CHECK_IN_CHILD(zcb_unlock_memory(inherited) == ZCB_BAD_HANDLE);
    CHECK_IN_CHILD(zcb_trim(inherited, 0, nullptr) == ZCB_BAD_HANDLE);
    CHECK_IN_CHILD(zcb_audit(inherited, &report) == ZCB_BAD_HANDLE);
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

TEST_F(ZcbAllocatorProcessTest, MemoryIsLockedAsFarAsTheLimitAllows) {
  ChildProcess child([&] {
    const rlimit none = {0, 0};
    CHECK_IN_CHILD(setrlimit(RLIMIT_MEMLOCK, &none) == 0);
    // Root is not held to the limit: be somebody else, with the files open.
    zcb_allocator* mine = nullptr;
    const auto options = Options();
    CHECK_IN_CHILD(zcb_allocator_open(&options, &mine) == ZCB_OK);
    if (getuid() == 0) CHECK_IN_CHILD(setresuid(65534, 65534, 65534) == 0);
    CHECK_IN_CHILD(zcb_lock_memory(mine) == ZCB_NO_RESOURCES);
    CHECK_IN_CHILD(*zcb_last_reason() != '\0');
    void* buffer = nullptr;
    CHECK_IN_CHILD(zcb_alloc(mine, 100, &buffer) == ZCB_OK);
    return 0;
  });
  EXPECT_EQ(child.Join(), 0);
  const zcb_status locked = zcb_lock_memory(allocator());
  if (locked != ZCB_OK) {
    EXPECT_EQ(locked, ZCB_NO_RESOURCES) << zcb_last_reason();
    GTEST_SKIP() << "this user may not lock 16 MiB";
  }
  EXPECT_EQ(zcb_lock_memory(allocator()), ZCB_OK);
  MustFree(MustAlloc(100));
  EXPECT_EQ(zcb_unlock_memory(allocator()), ZCB_OK);
}

// A child that opens the region, does something, and waits to be killed.
class ZcbGiftProcessTest : public ZcbAllocatorProcessTest {
 protected:
  ZcbGiftProcessTest() {
    if (pipe(pipe_) != 0) std::abort();
  }
  ~ZcbGiftProcessTest() override {
    close(pipe_[0]);
    close(pipe_[1]);
  }
  void Send(zcb_ticket ticket) const {
    if (write(pipe_[1], &ticket, sizeof ticket) != sizeof ticket) std::abort();
  }
  // From a child: the end of what it sends is an error, not a wait.
  zcb_ticket Receive() {
    close(std::exchange(pipe_[1], -1));
    zcb_ticket ticket = 0;
    if (read(pipe_[0], &ticket, sizeof ticket) != sizeof ticket) std::abort();
    return ticket;
  }
  void ExpectAllFree() {
    struct zcb_audit_report report{};
    report.size = sizeof report;
    ASSERT_EQ(zcb_reap_dead(allocator(), nullptr), ZCB_OK);
    ASSERT_EQ(zcb_collect(allocator()), ZCB_OK);
    ASSERT_EQ(zcb_audit(allocator(), &report), ZCB_OK);
    EXPECT_EQ(report.damage_count, 0U) << report.first_finding;
    EXPECT_EQ(report.repair_count, 0U) << report.first_finding;
    EXPECT_EQ(report.held_bytes, 0U);
    EXPECT_EQ(report.dead_bytes, 0U);
    EXPECT_EQ(Stats().live_buffers, 0U);
    EXPECT_EQ(Stats().taken_buffers, 0U);
  }
  int pipe_[2];
};

TEST_F(ZcbGiftProcessTest, WhatOneGivesAnotherTakesReadsAndFrees) {
  allocator();
  ChildProcess giver([&] {
    zcb_allocator* mine = nullptr;
    const auto options = Options();
    CHECK_IN_CHILD(zcb_allocator_open(&options, &mine) == ZCB_OK);
    for (int i = 0; i < 100; ++i) {
      void* buffer = nullptr;
      zcb_ticket ticket = 0;
      CHECK_IN_CHILD(zcb_alloc(mine, 1000, &buffer) == ZCB_OK);
      std::memset(buffer, i, 1000);
      CHECK_IN_CHILD(zcb_give(mine, buffer, &ticket) == ZCB_OK);
      Send(ticket);
    }
    pause();
    return 0;
  });
  for (int i = 0; i < 100; ++i) {
    void* buffer = nullptr;
    ASSERT_EQ(zcb_take(allocator(), Receive(), &buffer), ZCB_OK)
        << zcb_last_reason();
    ASSERT_GE(zcb_usable_size(allocator(), buffer), 1000U);
    EXPECT_EQ(static_cast<char*>(buffer)[999], i);
    EXPECT_EQ(Stats().taken_buffers, 1U);
    MustFree(buffer);
    EXPECT_EQ(zcb_free(allocator(), buffer), ZCB_INVALID_PARAM);
  }
  giver.Kill();
  giver.Join();
  ExpectAllFree();
}

TEST_F(ZcbGiftProcessTest, AGiftOutlivesItsGiverOnlyOnceItIsTaken) {
  allocator();
  ChildProcess giver([&] {
    zcb_allocator* mine = nullptr;
    const auto options = Options();
    CHECK_IN_CHILD(zcb_allocator_open(&options, &mine) == ZCB_OK);
    for (int i = 0; i < 2; ++i) {
      void* buffer = nullptr;
      zcb_ticket ticket = 0;
      CHECK_IN_CHILD(zcb_alloc(mine, 1000, &buffer) == ZCB_OK);
      std::strcpy(static_cast<char*>(buffer), "from one who is gone");
      CHECK_IN_CHILD(zcb_give(mine, buffer, &ticket) == ZCB_OK);
      Send(ticket);
    }
    pause();
    return 0;
  });
  const zcb_ticket first = Receive();
  const zcb_ticket second = Receive();
  void* buffer = nullptr;
  ASSERT_EQ(zcb_take(allocator(), first, &buffer), ZCB_OK);
  giver.Kill();
  giver.Join();
  std::uint32_t reaped = 0;
  ASSERT_EQ(zcb_reap_dead(allocator(), &reaped), ZCB_OK);
  EXPECT_EQ(reaped, 1U);
  EXPECT_STREQ(static_cast<char*>(buffer), "from one who is gone");
  void* late = nullptr;
  EXPECT_EQ(zcb_take(allocator(), second, &late), ZCB_NOT_EXIST);
  MustFree(buffer);
  ExpectAllFree();
}

TEST_F(ZcbGiftProcessTest, WhatAKilledTakerHadComesBack) {
  zcb_ticket ticket = 0;
  ASSERT_EQ(zcb_give(allocator(), MustAlloc(1000), &ticket), ZCB_OK);
  Gate has_it;
  ChildProcess taker([&] {
    zcb_allocator* mine = nullptr;
    const auto options = Options();
    void* buffer = nullptr;
    CHECK_IN_CHILD(zcb_allocator_open(&options, &mine) == ZCB_OK);
    CHECK_IN_CHILD(zcb_take(mine, ticket, &buffer) == ZCB_OK);
    has_it.Signal();
    pause();
    return 0;
  });
  has_it.Wait();
  EXPECT_EQ(Stats().out_buffers, 1U);
  taker.Kill();
  taker.Join();
  ExpectAllFree();
  EXPECT_EQ(Stats().out_buffers, 0U);
}

}  // namespace
}  // namespace zcb::alloc
