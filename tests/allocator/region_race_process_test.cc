#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <new>
#include <random>
#include <string>
#include <vector>

#include "allocator/region.h"
#include "allocator/region_header.h"
#include "tests/allocator/region_testing.h"

namespace zcb::alloc {
namespace {

using testing::Child;
using testing::Talk;
using testing::TempDirectory;
using Names = std::vector<std::string>;

constexpr int kProcesses = 6;

// Words that parent and children share.
struct Board {
  std::atomic<int> ready{0};
  std::atomic<int> round{0};
  std::atomic<int> done{0};
  std::array<std::atomic<std::uint64_t>, kProcesses> identity{};
};

class RegionRaceTest : public ::testing::Test {
 protected:
  RegionRaceTest() : options_(directory_.Options()) {
    void* memory = ::mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    board_ = new (memory) Board;
  }
  ~RegionRaceTest() override { ::munmap(board_, sizeof(Board)); }

  static void SpinUntil(const std::atomic<int>& word, int value) {
    while (word.load(std::memory_order_acquire) < value) ::sched_yield();
  }
  // What the file that has the name now says it is; 0: there is none.
  std::uint64_t NamedIdentity() const {
    const int fd = ::open((directory_.RegionPath() + "/r.meta").c_str(),
                          O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    std::uint64_t identity = 0;
    const ssize_t got = ::pread(fd, &identity, sizeof identity,
                                offsetof(RegionHeader, identity));
    ::close(fd);
    return got == ssize_t{sizeof identity} ? identity : 0;
  }

  TempDirectory directory_;
  RegionOptions options_;
  Board* board_ = nullptr;
};

TEST_F(RegionRaceTest, CreatorsAtOnceAllAttachTheSameRegion) {
  constexpr int kRounds = 150;
  std::vector<Child> children;
  for (int i = 0; i < kProcesses; ++i) {
    children.emplace_back([this, i](Talk&) {
      for (int round = 1; round <= kRounds; ++round) {
        SpinUntil(board_->round, round);
        Result<std::shared_ptr<Region>> region = Region::Open(options_);
        EXPECT_TRUE(region.ok()) << region.reason();
        board_->identity[static_cast<std::size_t>(i)].store(
            region.ok() ? (*region)->identity() : 0, std::memory_order_relaxed);
        board_->ready.fetch_add(1, std::memory_order_acq_rel);
        SpinUntil(board_->ready, round * kProcesses);
        if (region.ok()) *region = nullptr;  // all leave at once, too
        board_->done.fetch_add(1, std::memory_order_acq_rel);
      }
    });
  }
  for (int round = 1; round <= kRounds; ++round) {
    board_->round.store(round, std::memory_order_release);
    SpinUntil(board_->done, round * kProcesses);
    const std::uint64_t identity =
        board_->identity[0].load(std::memory_order_relaxed);
    ASSERT_NE(identity, 0U);
    for (const auto& other : board_->identity) {
      ASSERT_EQ(other.load(std::memory_order_relaxed), identity) << round;
    }
    ASSERT_EQ(directory_.RegionFiles(), Names{})
        << "of those who left last, one removed the files";
  }
  for (Child& child : children) EXPECT_EQ(child.Wait(), 0);
}

TEST_F(RegionRaceTest, AttachingWhileOthersRemoveNeverKeepsADeadRegion) {
  constexpr int kRounds = 400;
  std::vector<Child> children;
  for (int i = 0; i < 4; ++i) {
    children.emplace_back([this](Talk&) {
      board_->ready.fetch_add(1, std::memory_order_acq_rel);
      SpinUntil(board_->ready, 4);
      for (int round = 0; round < kRounds; ++round) {
        const Result<std::shared_ptr<Region>> region = Region::Open(options_);
        ASSERT_TRUE(region.ok()) << region.reason();
        // While we live in it, it has its name: now, and a little later.
        ASSERT_EQ(NamedIdentity(), (*region)->identity()) << round;
        ::sched_yield();
        ASSERT_EQ(NamedIdentity(), (*region)->identity()) << round;
      }
    });
  }
  for (Child& child : children) EXPECT_EQ(child.Wait(), 0);
  EXPECT_EQ(directory_.RegionFiles(), Names{});
}

// Kills processes that create, attach to and remove one region, wherever they
// happen to be; the next one to come must find a usable region, and the last
// one to leave must leave nothing.
TEST_F(RegionRaceTest, KilledAnywhereTheNextStartWorksAndNothingIsLeft) {
  constexpr int kRounds = 150;
  constexpr std::uint32_t kSeed = 20240607;
  std::mt19937 random(kSeed);
  for (int round = 0; round < kRounds; ++round) {
    std::vector<Child> victims;
    for (int i = 0; i < 2; ++i) {
      victims.emplace_back([this](Talk& talk) {
        for (;;) {
          const Result<std::shared_ptr<Region>> region = Region::Open(options_);
          // Only who has to wait for a process just killed may be refused.
          ASSERT_TRUE(region.ok() || region.status() == Status::kTryAgain)
              << region.reason();
          if (region.ok()) static_cast<void>((*region)->PublishLife());
          talk.Say('.');
        }
      });
    }
    const auto turns = 1 + random() % 3;
    for (auto i = turns; i != 0; --i) {
      ASSERT_EQ(victims[0].Hear(), '.');
      ASSERT_EQ(victims[1].Hear(), '.');
    }
    // Some time within an attempt: spins, does not sleep.
    for (auto spin = random() % 400'000; spin != 0; --spin) {
      std::atomic_signal_fence(std::memory_order_seq_cst);
    }
    for (const Child& victim : victims) ::kill(victim.pid(), SIGKILL);
    for (Child& victim : victims) EXPECT_EQ(victim.Wait(), -SIGKILL);

    Result<std::shared_ptr<Region>> region = Region::Open(options_);
    ASSERT_TRUE(region.ok()) << region.reason() << ", round " << round;
    ASSERT_EQ(NamedIdentity(), (*region)->identity());
    *region = nullptr;
    ASSERT_EQ(directory_.RegionFiles(), Names{}) << round;
  }
}

}  // namespace
}  // namespace zcb::alloc
