// An arena and other processes: they read its values in place, inherit nothing
// of it over fork, and get all of its memory after its process's death.
#include <gtest/gtest.h>
#include <jemalloc/jemalloc.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <functional>
#include <random>
#include <thread>
#include <vector>

#include "allocator/jemalloc_arena.h"
#include "tests/allocator/allocator_testing.h"

namespace zcb::alloc {
namespace {

using testing::Child;
using testing::Talk;

constexpr std::uint32_t kUnits = 40;
constexpr std::uint64_t kFilledBytes = 64 << 20;

std::unique_ptr<JemallocArena> MakeArena(Allocator& allocator) {
  auto arena = JemallocArena::Create(allocator);
  if (!arena) {
    ADD_FAILURE() << arena.reason();
    std::abort();
  }
  return std::move(*arena);
}

// One struct over a pipe.
template <typename T>
void Tell(int fd, const T& value) {
  ASSERT_EQ(::write(fd, &value, sizeof value),
            static_cast<ssize_t>(sizeof value));
}
template <typename T>
T Hear(int fd) {
  T value{};
  EXPECT_EQ(::read(fd, &value, sizeof value),
            static_cast<ssize_t>(sizeof value));
  return value;
}

class JemallocArenaProcessTest : public testing::AllocatorTest {
 protected:
  JemallocArenaProcessTest() : AllocatorTest(kUnits) {
    options_ = region()->options();
  }
  ~JemallocArenaProcessTest() override {
    ::close(pipe_[0]);
    ::close(pipe_[1]);
  }
  void SetUp() override { ASSERT_EQ(::pipe(pipe_.data()), 0); }

  // A child with a region, an allocator and an arena of its own.
  using Body =
      std::function<void(Talk&, std::shared_ptr<Region>, JemallocArena&)>;
  Child Start(const Body& body) {
    return Child([&](Talk& talk) {
      const auto own = Region::Open(options_);
      ASSERT_TRUE(own.ok()) << own.reason();
      const auto mine = testing::MakeAllocator(*own);
      Tell(pipe_[1], (*own)->lease());
      const auto arena = MakeArena(*mine);
      body(talk, *own, *arena);
    });
  }
  void Reap() {
    const auto dead = Hear<LeaseId>(pipe_[0]);
    // An allocation that would have failed may have done it already.
    if (!region()->MarkDeadIfGone(dead)) return;
    allocator().ReapUnits(dead, nullptr, nullptr);
    region()->FreeDeadLease(dead);
  }
  // Every byte of the region can be had.
  bool IsAllBack() {
    const auto all = AllocAll(kUnitBytes);
    FreeAll(all);
    return all.size() == kUnits;
  }

  RegionOptions options_;
  std::array<int, 2> pipe_{};
};

TEST_F(JemallocArenaProcessTest, TheMemoryOfAKilledOwnerIsSwept) {
  Child child =
      Start([](Talk& talk, const std::shared_ptr<Region>&, JemallocArena& a) {
        testing::Random random(1);
        std::uint64_t filled = 0;
        while (filled < kFilledBytes) {
          const std::size_t bytes = 1 + random.Below(64U << random.Below(15));
          const auto block = a.Allocate(bytes);
          ASSERT_TRUE(block.ok()) << block.reason();
          std::memset(*block, 0x5a, bytes);
          filled += bytes;
          if (random.Below(4) == 0) {
            ASSERT_TRUE(a.Deallocate(*block).ok());
            filled -= bytes;
          }
        }
        ASSERT_GE(a.Stats().live_bytes, kFilledBytes);
        talk.Say('f');
        talk.Hear();
      });
  ASSERT_EQ(child.Hear(), 'f');
  const auto rest = AllocAll(kUnitBytes);
  EXPECT_LE(rest.size(), kUnits - kFilledBytes / kUnitBytes);
  FreeAll(rest);
  child.Kill();
  EXPECT_EQ(allocator().ReapDead(), 1U);
  EXPECT_TRUE(IsAllBack());
  const auto arena = MakeArena(allocator());
  EXPECT_TRUE(arena->Allocate(kFilledBytes).ok()) << "in one piece, even";
}

TEST_F(JemallocArenaProcessTest, KilledAtAnyMomentItsMemoryIsSwept) {
  std::uint32_t seed = std::random_device{}();
  std::printf("seed %u\n", seed);
  testing::Random random(seed);
  for (int kill = 0; kill < 60; ++kill) {
    ++seed;
    Child child = Start(
        [&](Talk& talk, const std::shared_ptr<Region>&, JemallocArena& a) {
          testing::Random dice(seed);
          std::vector<void*> blocks(64);
          talk.Say('r');
          for (;;) {
            void*& block = blocks[dice.Below(64)];
            ASSERT_TRUE(a.Deallocate(block).ok());
            const auto next = a.Allocate(1 + dice.Below(64U << dice.Below(17)));
            block = next ? *next : nullptr;
          }
        });
    ASSERT_EQ(child.Hear(), 'r');
    // A while of work, not of sleep.
    for (std::uint32_t n = random.Below(3'000); n > 0; --n) {
      const auto ref = allocator().Alloc(1 + random.Below(3'000'000));
      if (ref) MustFree(*ref);
    }
    ::kill(child.pid(), SIGKILL);
    ASSERT_EQ(child.Wait(), -SIGKILL) << "it found a fault";
    Reap();
    ASSERT_TRUE(IsAllBack());
  }
}

TEST_F(JemallocArenaProcessTest, AnotherProcessReadsAValueWhereItLies) {
  struct Published {
    std::uint64_t offset_bytes;
    std::uint64_t bytes;
    const void* address;  // here; only to see that it is another one there
  };
  Child owner =
      Start([&](Talk& talk, const std::shared_ptr<Region>&, JemallocArena& a) {
        const std::size_t bytes = 5'000'000;
        auto* const value = static_cast<unsigned char*>(*a.Allocate(bytes));
        for (std::size_t i = 0; i < bytes; ++i) {
          value[i] = static_cast<unsigned char>(i * 7 + i / 256);
        }
        Tell(pipe_[1], Published{*a.OffsetOf(value), bytes, value});
        talk.Hear();
      });
  (void)Hear<LeaseId>(pipe_[0]);
  const auto seen = Hear<Published>(pipe_[0]);
  ASSERT_LE(seen.offset_bytes, region()->geometry().region_bytes - seen.bytes);
  const auto* const value =
      reinterpret_cast<const unsigned char*>(region()->data()) +
      seen.offset_bytes;
  EXPECT_NE(value, seen.address);
  for (std::uint64_t i = 0; i < seen.bytes; ++i) {
    ASSERT_EQ(value[i], static_cast<unsigned char>(i * 7 + i / 256));
  }
  // The reader can not free it.
  const auto mine = MakeArena(allocator());
  EXPECT_EQ(mine->Deallocate(region()->data() + seen.offset_bytes).status(),
            Status::kInvalidParam);
  owner.Say('e');
  EXPECT_EQ(owner.Wait(), 0);
  EXPECT_TRUE(IsAllBack()) << "a clean end gives everything back";
}

TEST_F(JemallocArenaProcessTest, AForkedChildIsRefused) {
  auto arena = MakeArena(allocator());
  const auto block = arena->Allocate(100'000);
  ASSERT_TRUE(block.ok());
  std::memset(*block, 'p', 100'000);
  EXPECT_TRUE(testing::SucceedsInChild([&](Talk&) {
    EXPECT_EQ(arena->Allocate(100).status(), Status::kBadHandle);
    EXPECT_EQ(arena->Reallocate(*block, 10).status(), Status::kBadHandle);
    EXPECT_EQ(arena->Deallocate(*block).status(), Status::kBadHandle);
    EXPECT_EQ(arena->OffsetOf(*block), std::nullopt);
    EXPECT_EQ(arena->UsableBytes(*block), 0U);
    EXPECT_EQ(arena->Stats().region_bytes, 0U);
    arena->Trim();
    EXPECT_EQ(JemallocArena::Create(allocator()).status(), Status::kBadHandle);
    arena.reset();  // does nothing to the parent's
    std::vector<char> still_works(10'000'000);
  }));
  EXPECT_TRUE(arena->OffsetOf(*block).has_value());
  EXPECT_EQ(static_cast<char*>(*block)[99'999], 'p');
  EXPECT_TRUE(arena->Deallocate(*block).ok());
  EXPECT_TRUE(IsAllBack());
}

TEST_F(JemallocArenaProcessTest, AForkInTheMiddleOfOthersWorkHangsNobody) {
  const auto arena = MakeArena(allocator());
  std::atomic<bool> is_over{false};
  std::vector<std::thread> threads;
  for (std::uint32_t t = 0; t < 2; ++t) {
    threads.emplace_back([&, t] {
      testing::Random random(t);
      while (!is_over.load()) {
        const auto block = arena->Allocate(1 + random.Below(4'000'000));
        if (block) (void)arena->Deallocate(*block);
      }
    });
  }
  for (int i = 0; i < 30; ++i) {
    EXPECT_TRUE(testing::SucceedsInChild([&](Talk&) {
      EXPECT_EQ(arena->Allocate(3'000'000).status(), Status::kBadHandle);
      // Past our checks, down to the hooks, whose locks may be held for good.
      // (Not always refused: jemalloc may just have had a freed one.)
      void* const block = mallocx(7'000'000, arena->mallocx_flags());
      if (block != nullptr) dallocx(block, arena->mallocx_flags());
      std::vector<char> still_works(10'000'000);
    }));
  }
  is_over.store(true);
  for (std::thread& thread : threads) thread.join();
  arena->Trim();
  EXPECT_TRUE(IsAllBack());
}

}  // namespace
}  // namespace zcb::alloc
