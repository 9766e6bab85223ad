// The C interface, in one process.
#include "allocator/zcb_allocator.h"

#include <cerrno>
#include <cstring>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/allocator/zcb_allocator_testing.h"

namespace zcb::alloc {
namespace {

using testing::kMiB;
using testing::ZcbAllocatorTest;

std::string Reason() { return zcb_last_reason(); }

TEST_F(ZcbAllocatorTest, ABufferIsWholeAlignedAndComesBack) {
  for (const std::size_t bytes :
       {0UL, 1UL, 64UL, 65UL, 4096UL, 300'000UL, 3'000'000UL}) {
    void* const buffer = MustAlloc(bytes);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer) % 64, 0U);
    EXPECT_GE(zcb_usable_size(allocator(), buffer), bytes);
    std::memset(buffer, 0x5a, zcb_usable_size(allocator(), buffer));
    EXPECT_EQ(Stats().live_buffers, 1U);
    MustFree(buffer);
    EXPECT_EQ(Stats().live_buffers, 0U);
  }
}

TEST_F(ZcbAllocatorTest, EachWrongPointerHasItsOwnReason) {
  char* const buffer = static_cast<char*>(MustAlloc(1000));
  char local[64];
  std::set<std::string> reasons;
  const auto Refused = [&](void* pointer) {
    EXPECT_EQ(zcb_free(allocator(), pointer), ZCB_INVALID_PARAM);
    EXPECT_TRUE(reasons.insert(Reason()).second) << Reason();
  };
  Refused(local);
  Refused(buffer + 1);
  Refused(buffer + 64);
  MustFree(buffer);
  Refused(buffer);
  EXPECT_EQ(zcb_free(allocator(), nullptr), ZCB_INVALID_PARAM);
  EXPECT_EQ(zcb_free(nullptr, buffer), ZCB_INVALID_PARAM);
  EXPECT_EQ(Stats().live_buffers, 0U);
}

TEST_F(ZcbAllocatorTest, FullIsAnErrorAndPassesWithErrnoUntouched) {
  std::vector<void*> all;
  void* buffer = nullptr;
  errno = 77;
  zcb_status status = ZCB_OK;
  while ((status = zcb_alloc(allocator(), 100'000, &buffer)) == ZCB_OK) {
    all.push_back(buffer);
  }
  EXPECT_EQ(status, ZCB_NO_MEMORY);
  EXPECT_EQ(errno, 77);
  EXPECT_NE(Reason(), "");
  void* const unchanged = buffer;
  EXPECT_EQ(zcb_alloc(allocator(), 17 * kMiB, &buffer), ZCB_TOO_BIG);
  EXPECT_EQ(buffer, unchanged) << "an output is written on ZCB_OK only";
  MustFree(all.back());
  all.back() = MustAlloc(100'000);
  for (void* each : all) MustFree(each);
  EXPECT_EQ(errno, 77);
}

TEST_F(ZcbAllocatorTest, AReferenceIsTheSamePlaceAndNeverZero) {
  std::vector<void*> buffers;
  for (int i = 0; i < 100; ++i) buffers.push_back(MustAlloc(500));
  std::set<zcb_ref> seen;
  for (void* buffer : buffers) {
    zcb_ref ref = 0;
    ASSERT_EQ(zcb_ref_of(allocator(), buffer, &ref), ZCB_OK);
    EXPECT_NE(ref, 0U);
    EXPECT_TRUE(seen.insert(ref).second);
    void* back = nullptr;
    ASSERT_EQ(zcb_ptr_of(allocator(), ref, &back), ZCB_OK);
    EXPECT_EQ(back, buffer);
  }
  for (void* buffer : buffers) MustFree(buffer);
}

TEST_F(ZcbAllocatorTest, AForgedReferenceIsRefused) {
  char* const buffer = static_cast<char*>(MustAlloc(500));
  zcb_ref ref = 0;
  ASSERT_EQ(zcb_ref_of(allocator(), buffer, &ref), ZCB_OK);
  void* pointer = nullptr;
  const auto Refused = [&](zcb_ref forged) {
    EXPECT_EQ(zcb_ptr_of(allocator(), forged, &pointer), ZCB_INVALID_PARAM)
        << std::hex << forged;
    EXPECT_EQ(pointer, nullptr);
  };
  Refused(0);
  Refused(ref + 1);                                      // inside the buffer
  Refused(ref ^ (zcb_ref{1} << 32));                     // another region
  Refused((ref & ~zcb_ref{0xffff'ffff}) | 0x8000'0000);  // behind the end
  Refused(~zcb_ref{0});
  EXPECT_EQ(zcb_ref_of(allocator(), buffer + 64, &ref), ZCB_INVALID_PARAM);
  EXPECT_EQ(zcb_ref_of(allocator(), &pointer, &ref), ZCB_INVALID_PARAM);
  EXPECT_EQ(zcb_usable_size(allocator(), buffer + 64), 0U);
  EXPECT_EQ(zcb_usable_size(allocator(), nullptr), 0U);
  MustFree(buffer);
}

TEST_F(ZcbAllocatorTest, AReferenceDoesNotOutliveItsRegion) {
  zcb_ref ref = 0;
  ASSERT_EQ(zcb_ref_of(allocator(), MustAlloc(500), &ref), ZCB_OK);
  Close();
  MustAlloc(500);
  void* pointer = nullptr;
  EXPECT_EQ(zcb_ptr_of(allocator(), ref, &pointer), ZCB_INVALID_PARAM);
  EXPECT_EQ(Reason(), "a reference into another region");
}

TEST_F(ZcbAllocatorTest, AlignmentIsKept) {
  void* buffer = nullptr;
  for (std::size_t alignment = 1; alignment <= 2 * kMiB; alignment *= 2) {
    ASSERT_EQ(zcb_alloc_aligned(allocator(), 100, alignment, &buffer), ZCB_OK)
        << zcb_last_reason();
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer) % alignment, 0U);
    MustFree(buffer);
  }
  for (const std::size_t wrong : {std::size_t{0}, std::size_t{3}, 4 * kMiB}) {
    EXPECT_EQ(zcb_alloc_aligned(allocator(), 100, wrong, &buffer),
              ZCB_INVALID_PARAM);
  }
}

TEST_F(ZcbAllocatorTest, AGivenBufferIsTakenOnce) {
  char* const buffer = static_cast<char*>(MustAlloc(1000));
  std::strcpy(buffer, "a gift");
  zcb_ticket ticket = 0;
  ASSERT_EQ(zcb_give(allocator(), buffer, &ticket), ZCB_OK);
  EXPECT_NE(ticket, 0U);
  EXPECT_EQ(zcb_free(allocator(), buffer), ZCB_INVALID_PARAM);
  EXPECT_EQ(zcb_give(allocator(), buffer, &ticket), ZCB_INVALID_PARAM);
  EXPECT_EQ(Stats().out_buffers, 1U);
  void* taken = nullptr;
  ASSERT_EQ(zcb_take(allocator(), ticket, &taken), ZCB_OK) << Reason();
  EXPECT_STREQ(static_cast<char*>(taken), "a gift");
  void* again = nullptr;
  EXPECT_EQ(zcb_take(allocator(), ticket, &again), ZCB_NOT_EXIST);
  EXPECT_EQ(zcb_take(allocator(), 0, &again), ZCB_NOT_EXIST);
  EXPECT_NE(zcb_take(allocator(), ~zcb_ticket{0}, &again), ZCB_OK);
  EXPECT_EQ(again, nullptr);
  MustFree(taken);
  EXPECT_EQ(Stats().out_buffers, 0U);
}

TEST_F(ZcbAllocatorTest, MemoryIsReadiedAndGivenBack) {
  std::uint64_t ready = 0;
  ASSERT_EQ(zcb_prefault(allocator(), 8 * kMiB, &ready), ZCB_OK) << Reason();
  EXPECT_GE(ready, 8 * kMiB);
  EXPECT_GE(Stats().committed_bytes, 8 * kMiB);
  std::uint64_t given_back = 0;
  ASSERT_EQ(zcb_trim(allocator(), 0, &given_back), ZCB_OK) << Reason();
  EXPECT_GE(given_back, 8 * kMiB);
  EXPECT_EQ(zcb_trim(allocator(), 0, nullptr), ZCB_OK);
  EXPECT_EQ(zcb_prefault(allocator(), 0, nullptr), ZCB_OK);
}

TEST_F(ZcbAllocatorTest, AnAuditFindsEveryByte) {
  void* const small = MustAlloc(1000);
  void* const large = MustAlloc(3 * kMiB);
  zcb_ticket ticket = 0;
  ASSERT_EQ(zcb_give(allocator(), MustAlloc(2000), &ticket), ZCB_OK);
  struct zcb_audit_report report{};
  report.size = sizeof report;
  ASSERT_EQ(zcb_audit(allocator(), &report), ZCB_OK) << Reason();
  EXPECT_EQ(report.damage_count, 0U) << report.first_finding;
  EXPECT_EQ(report.repair_count, 0U) << report.first_finding;
  EXPECT_STREQ(report.first_finding, "");
  EXPECT_EQ(report.region_bytes, 16 * kMiB);
  EXPECT_EQ(report.free_bytes + report.owned_bytes + report.held_bytes +
                report.sent_bytes + report.dead_bytes + report.damaged_bytes,
            report.region_bytes);
  EXPECT_GE(report.held_bytes, 2000U);
  EXPECT_GE(report.owned_bytes, 3 * kMiB);
  EXPECT_EQ(report.damaged_bytes, 0U);
  report.size = 8;
  EXPECT_EQ(zcb_audit(allocator(), &report), ZCB_INVALID_PARAM);
  MustFree(small);
  MustFree(large);
}

TEST_F(ZcbAllocatorTest, PoisonShowsWhoWritesToWhatHeFreed) {
  auto options = Options();
  options.name = "poison";
  options.poison = ZCB_YES;
  zcb_allocator* const poisoned = MustOpen(options);
  void* buffer = nullptr;
  ASSERT_EQ(zcb_alloc(poisoned, 100, &buffer), ZCB_OK);
  ASSERT_EQ(zcb_free(poisoned, buffer), ZCB_OK);
  EXPECT_EQ(static_cast<unsigned char*>(buffer)[50], 0xdd);
  EXPECT_EQ(zcb_free(poisoned, buffer), ZCB_INVALID_PARAM);
  EXPECT_EQ(zcb_allocator_close(poisoned), ZCB_OK);
}

TEST_F(ZcbAllocatorTest, AQuotaIsTheEndForThisProcess) {
  auto options = Options();
  options.name = "quota";
  options.quota_bytes = 4 * kMiB;
  zcb_allocator* const limited = MustOpen(options);
  void* buffer = nullptr;
  std::size_t count = 0;
  while (zcb_alloc(limited, kMiB / 2, &buffer) == ZCB_OK) ++count;
  EXPECT_GT(count, 0U);
  EXPECT_LE(count, 8U);
  EXPECT_EQ(zcb_allocator_close(limited), ZCB_OK);
}

TEST_F(ZcbAllocatorTest, OpeningTwiceGivesTheSameAndWantsTwoCloses) {
  zcb_allocator* const first = MustOpen(Options());
  zcb_allocator* const second = MustOpen(Options());
  EXPECT_EQ(first, second);
  void* buffer = nullptr;
  EXPECT_EQ(zcb_allocator_close(first), ZCB_OK);
  ASSERT_EQ(zcb_alloc(second, 100, &buffer), ZCB_OK);
  EXPECT_EQ(zcb_free(second, buffer), ZCB_OK);
  EXPECT_EQ(zcb_allocator_close(second), ZCB_OK);
  EXPECT_EQ(zcb_allocator_close(second), ZCB_BAD_HANDLE);
  EXPECT_EQ(zcb_allocator_close(nullptr), ZCB_INVALID_PARAM);
}

TEST_F(ZcbAllocatorTest, ThreadsOpenAndCloseTheSameAtATime) {
  const auto options = Options();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) {
        zcb_allocator* mine = nullptr;
        ASSERT_EQ(zcb_allocator_open(&options, &mine), ZCB_OK) << Reason();
        void* buffer = nullptr;
        ASSERT_EQ(zcb_alloc(mine, 1000, &buffer), ZCB_OK) << Reason();
        ASSERT_EQ(zcb_free(mine, buffer), ZCB_OK) << Reason();
        ASSERT_EQ(zcb_allocator_close(mine), ZCB_OK) << Reason();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(directory().CountFiles(), 0U);
}

TEST_F(ZcbAllocatorTest, BuffersNotFreedGoBackWhenItIsClosed) {
  auto options = Options();
  options.name = "kept";
  options.keep = ZCB_YES;
  zcb_allocator* kept = MustOpen(options);
  void* buffer = nullptr;
  std::size_t count = 0;
  while (zcb_alloc(kept, 100'000, &buffer) == ZCB_OK) ++count;
  ASSERT_EQ(zcb_allocator_close(kept), ZCB_OK);
  options.keep = ZCB_NO;
  kept = MustOpen(options);
  std::size_t again = 0;
  while (zcb_alloc(kept, 100'000, &buffer) == ZCB_OK) ++again;
  EXPECT_EQ(again, count);
  ASSERT_EQ(zcb_allocator_close(kept), ZCB_OK);
}

TEST_F(ZcbAllocatorTest, TwoRegionsAreTwoAllocators) {
  auto options = Options();
  options.name = "other";
  zcb_allocator* const other = MustOpen(options);
  ASSERT_NE(other, allocator());
  void* const ours = MustAlloc(100);
  void* theirs = nullptr;
  ASSERT_EQ(zcb_alloc(other, 100, &theirs), ZCB_OK);
  EXPECT_EQ(zcb_free(other, ours), ZCB_INVALID_PARAM);
  EXPECT_EQ(zcb_free(allocator(), theirs), ZCB_INVALID_PARAM);
  EXPECT_EQ(zcb_free(other, theirs), ZCB_OK);
  MustFree(ours);
  EXPECT_EQ(zcb_allocator_close(other), ZCB_OK);
}

TEST_F(ZcbAllocatorTest, StatsFillWhatTheCallerKnows) {
  void* const small = MustAlloc(1000);
  void* const large = MustAlloc(4 * kMiB);
  const auto stats = Stats();
  EXPECT_EQ(stats.size, sizeof stats);
  EXPECT_EQ(stats.live_buffers, 2U);
  EXPECT_EQ(stats.out_buffers, 0U);
  EXPECT_EQ(stats.region_bytes, 16 * kMiB);
  EXPECT_EQ(stats.unit_bytes, 2 * kMiB);
  EXPECT_GE(stats.owned_bytes, 2 * kMiB);
  EXPECT_GE(stats.extent_bytes, 4 * kMiB);
  EXPECT_GE(stats.committed_bytes, 4 * kMiB);
  EXPECT_EQ(stats.processes, 1U);
  EXPECT_STRNE(stats.page_kind, "");

  struct zcb_allocator_stats old{};
  old.size = offsetof(struct zcb_allocator_stats, out_buffers);
  old.out_buffers = 99;
  ASSERT_EQ(zcb_stats(allocator(), &old), ZCB_OK);
  EXPECT_EQ(old.live_buffers, 2U);
  EXPECT_EQ(old.out_buffers, 99U) << "beyond the caller's struct";
  old.size = sizeof(std::size_t);
  EXPECT_EQ(zcb_stats(allocator(), &old), ZCB_INVALID_PARAM);

  struct {
    struct zcb_allocator_stats known;
    std::uint64_t of_the_future;
  } later{{}, 99};
  later.known.size = sizeof later;
  ASSERT_EQ(zcb_stats(allocator(), &later.known), ZCB_OK);
  EXPECT_EQ(later.known.size, sizeof later.known);
  EXPECT_EQ(later.of_the_future, 99U);
  MustFree(small);
  MustFree(large);
}

TEST_F(ZcbAllocatorTest, EveryThreadHasItsOwnReason) {
  EXPECT_EQ(zcb_free(allocator(), nullptr), ZCB_INVALID_PARAM);
  const std::string here = Reason();
  EXPECT_NE(here, "");
  std::thread([] { EXPECT_EQ(Reason(), ""); }).join();
  std::thread([&] {
    void* buffer = nullptr;
    EXPECT_EQ(zcb_alloc(allocator(), 17 * kMiB, &buffer), ZCB_TOO_BIG);
    EXPECT_NE(Reason(), here);
  }).join();
  MustFree(MustAlloc(10));
  EXPECT_EQ(Reason(), here) << "success leaves it alone";
}

TEST_F(ZcbAllocatorTest, EveryStatusHasAText) {
  std::set<std::string> texts;
  for (const int number : {1, 2, 3, 6, 7, 8, 9, 11, 12, 13, 14, 18, 19, 26}) {
    const std::string text = zcb_status_text(static_cast<zcb_status>(number));
    EXPECT_NE(text, "not a status") << number;
    EXPECT_TRUE(texts.insert(text).second) << text;
  }
  EXPECT_STREQ(zcb_status_text(static_cast<zcb_status>(0)), "not a status");
}

TEST_F(ZcbAllocatorTest, ThreadsFreeWhatOthersAllocated) {
  constexpr int kThreads = 4;
  constexpr std::size_t kEach = 2000;
  allocator();  // opened once, before the threads
  std::vector<std::vector<void*>> made(kThreads);
  const auto InThreads = [&](auto body) {
    std::vector<std::thread> threads;
    for (std::size_t t = 0; t < kThreads; ++t) threads.emplace_back(body, t);
    for (auto& thread : threads) thread.join();
  };
  InThreads([&](std::size_t t) {
    for (std::size_t i = 0; i < kEach; ++i) {
      made[t].push_back(MustAlloc(1 + i % 700));
    }
  });
  std::set<void*> all;
  for (const auto& each : made) all.insert(each.begin(), each.end());
  EXPECT_EQ(all.size(), kThreads * kEach);
  InThreads([&](std::size_t t) {
    for (void* buffer : made[(t + 1) % kThreads]) MustFree(buffer);
  });
  EXPECT_EQ(Stats().live_buffers, 0U);
}

}  // namespace
}  // namespace zcb::alloc
