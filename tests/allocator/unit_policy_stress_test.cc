// Threads that allocate and free while memory is given back under them.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include "tests/allocator/allocator_testing.h"

namespace zcb::alloc {
namespace {

constexpr std::uint32_t kUnits = 48;
constexpr int kThreads = 3;
constexpr int kSteps = 3000;

class UnitPolicyStressTest : public testing::AllocatorTest {
 protected:
  UnitPolicyStressTest() : AllocatorTest(kUnits) {
    EndAllocator();
    AllocatorOptions options;
    options.spare_bytes = 4 * kUnitBytes;
    options.idle_bytes = 4 * kUnitBytes;
    auto made = Allocator::Create(region(), options);
    if (!made) std::abort();
    mine_ = std::move(*made);
  }

  // Both ends of a buffer carry its stamp while it is live.
  void Stamp(BufferRef ref, std::uint64_t stamp) {
    const std::uint64_t last = mine_->UsableBytes(ref) - sizeof stamp;
    std::memcpy(mine_->Pointer(ref), &stamp, sizeof stamp);
    std::memcpy(mine_->Pointer(ref) + last, &stamp, sizeof stamp);
  }
  bool HasStamp(BufferRef ref, std::uint64_t stamp) {
    const std::uint64_t last = mine_->UsableBytes(ref) - sizeof stamp;
    std::array<std::uint64_t, 2> found{};
    std::memcpy(&found[0], mine_->Pointer(ref), sizeof stamp);
    std::memcpy(&found[1], mine_->Pointer(ref) + last, sizeof stamp);
    return found[0] == stamp && found[1] == stamp;
  }

  void Work(std::uint32_t seed) {
    struct Live {
      BufferRef ref;
      std::uint64_t stamp;
    };
    testing::Random random(seed);
    std::vector<Live> all;
    for (std::uint64_t step = 1; step <= kSteps; ++step) {
      // Mostly runs and extents: what moves units.
      const std::uint64_t bytes = 64U << random.Below(17);
      const auto ref =
          all.size() < 20 ? mine_->Alloc(bytes) : Result<BufferRef>(Failure{});
      if (ref) {
        all.push_back({*ref, std::uint64_t{seed} << 32 | step});
        Stamp(*ref, all.back().stamp);
      }
      if (all.empty() || (ref && random.Below(2) == 0)) continue;
      std::swap(all[random.Below(static_cast<std::uint32_t>(all.size()))],
                all.back());
      ASSERT_TRUE(HasStamp(all.back().ref, all.back().stamp)) << seed;
      ASSERT_TRUE(mine_->Free(all.back().ref).ok());
      all.pop_back();
    }
    for (const Live& live : all) {
      EXPECT_TRUE(HasStamp(live.ref, live.stamp));
      EXPECT_TRUE(mine_->Free(live.ref).ok());
    }
  }

  std::unique_ptr<Allocator> mine_;
};

TEST_F(UnitPolicyStressTest, NothingLiveIsEverGivenBack) {
  std::atomic<int> at_work = kThreads;
  std::vector<std::thread> threads;
  for (std::uint32_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      Work(t + 1);
      at_work.fetch_sub(1, std::memory_order_release);
    });
  }
  std::uint64_t given_bytes = 0;
  std::uint64_t taken_bytes = 0;
  while (at_work.load(std::memory_order_acquire) > 0) {
    const auto given = mine_->Trim(2 * kUnitBytes);
    ASSERT_TRUE(given.ok()) << given.reason();
    given_bytes += *given;
    const auto taken = mine_->Prefault(3 * kUnitBytes);
    ASSERT_TRUE(taken.ok()) << taken.reason();
    taken_bytes += *taken;
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(given_bytes, 0U);
  EXPECT_GT(taken_bytes, 0U);
  EXPECT_TRUE(mine_->Trim(0).ok());
  EXPECT_EQ(region()->ReportPages().committed_bytes, 0U);
  for (std::uint32_t u = 0; u < kUnits; ++u) {
    EXPECT_EQ(unit(u).kind(), UnitWord::Kind::kFree) << u;
  }
}

}  // namespace
}  // namespace zcb::alloc
