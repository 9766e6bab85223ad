// Processes that share a region, and are killed at any moment.
#include <gtest/gtest.h>
#include <signal.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <random>

#include "tests/allocator/allocator_testing.h"
#include "tests/allocator/mailbox.h"

namespace zcb::alloc {
namespace {

using testing::Child;
using testing::Mailbox;
using testing::Talk;

constexpr std::uint32_t kUnits = 12;

class AllocatorProcessTest : public testing::AllocatorTest {
 protected:
  AllocatorProcessTest() : AllocatorTest(kUnits), box_(*region()) {
    options_ = region()->options();
  }

  // Never returns normally: works until it is killed, or finds a fault.
  void Work(Talk& talk, int worker, std::uint32_t seed) {
    const auto own = Region::Open(options_);
    ASSERT_TRUE(own.ok()) << own.reason();
    const auto mine = testing::MakeAllocator(*own);
    Mailbox box(**own);
    box.Announce(worker, **own);
    testing::Random random(seed);
    struct Live {
      BufferRef ref;
      std::uint64_t stamp;
    };
    std::vector<Live> live;
    talk.Say('r');
    for (std::uint64_t step = 1;; ++step) {
      const std::uint32_t dice = random.Below(100);
      if (dice < 50) {
        const std::uint64_t bytes = 8 + random.Below(64U << random.Below(17));
        const auto ref = mine->Alloc(bytes);
        if (!ref) {
          while (!live.empty()) {
            mine->Free(live.back().ref).ok();
            live.pop_back();
          }
          continue;
        }
        const std::uint64_t stamp = std::uint64_t{seed} << 40 | step;
        std::memcpy(mine->Pointer(*ref), &stamp, sizeof stamp);
        live.push_back({*ref, stamp});
      } else if (dice < 58) {
        Mailbox::Receive(box, *mine, random.Below(Mailbox::kSlots));
      } else if (dice < 66) {
        const auto taken =
            Mailbox::Take(box, *mine, random.Below(Mailbox::kSlots));
        if (!taken) continue;
        const std::uint64_t stamp = std::uint64_t{seed} << 40 | step;
        std::memcpy(mine->Pointer(*taken), &stamp, sizeof stamp);
        live.push_back({*taken, stamp});
      } else if (!live.empty()) {
        std::swap(live[random.Below(static_cast<std::uint32_t>(live.size()))],
                  live.back());
        std::uint64_t stamp = 0;
        std::memcpy(&stamp, mine->Pointer(live.back().ref), sizeof stamp);
        ASSERT_EQ(stamp, live.back().stamp) << "somebody else wrote there";
        ASSERT_FALSE(::testing::Test::HasFailure());
        if (dice < 82) {
          ASSERT_TRUE(mine->Free(live.back().ref).ok());
          live.pop_back();
        } else if (dice < 90) {
          if (Mailbox::Give(box, *mine, live.back().ref,
                            random.Below(Mailbox::kSlots))) {
            live.pop_back();
          }
        } else if (Mailbox::Send(box, *mine, live.back().ref,
                                 random.Below(Mailbox::kSlots))) {
          live.pop_back();
        }
      }
    }
  }

  void Reap(int worker) {
    const LeaseId dead = box_.LeaseOf(worker);
    ASSERT_TRUE(region()->MarkDeadIfGone(dead));
    allocator().ReapUnits(dead, &Mailbox::Holds, &box_);
    region()->FreeDeadLease(dead);
  }

  // Everything home: every buffer can be had, once.
  void Audit() {
    box_.ExpectClean(*region());
    for (std::uint32_t i = 0; i < Mailbox::kSlots; ++i) {
      Mailbox::Receive(box_, allocator(), i);
      // All that gave are gone: nobody has these any more.
      EXPECT_FALSE(Mailbox::Take(box_, allocator(), i));
    }
    EXPECT_EQ(AllocAll(4096).size(), kUnits * kUnitBytes / 4096);
  }

  RegionOptions options_;
  Mailbox box_;
};

TEST_F(AllocatorProcessTest, WhatAKilledProcessOwnedServesTheOthers) {
  Child child([&](Talk& talk) {
    const auto own = Region::Open(options_);
    ASSERT_TRUE(own.ok());
    const auto mine = testing::MakeAllocator(*own);
    box_.Announce(0, **own);
    std::uint32_t at = 0;
    while (const auto ref = mine->Alloc(5000)) {
      if (at < 10) Mailbox::Send(box_, *mine, *ref, at++);
    }
    talk.Say('f');
    talk.Hear();
  });
  ASSERT_EQ(child.Hear(), 'f');
  EXPECT_FALSE(allocator().Alloc(64).ok());
  child.Kill();
  Reap(0);
  MustFree(MustAlloc(64));
  Audit();
}

TEST_F(AllocatorProcessTest, ACleanEndGivesEverythingBack) {
  EXPECT_TRUE(testing::SucceedsInChild([&](Talk&) {
    const auto own = Region::Open(options_);
    ASSERT_TRUE(own.ok());
    const auto mine = testing::MakeAllocator(*own);
    while (mine->Alloc(700'000).ok()) {
    }
  }));
  Audit();
}

TEST_F(AllocatorProcessTest, AStoppedProcessHoldsNobodyUp) {
  Child child([&](Talk& talk) { Work(talk, 0, 1); });
  ASSERT_EQ(child.Hear(), 'r');
  ::kill(child.pid(), SIGSTOP);
  for (int i = 0; i < 1000; ++i) {
    const auto ref = allocator().Alloc(100'000);
    if (ref) MustFree(*ref);
  }
  child.Kill();
  Reap(0);
  Audit();
}

TEST_F(AllocatorProcessTest, AStormOfKillsLosesNothing) {
  constexpr int kWorkers = 3;
  constexpr int kKills = 120;
  std::uint32_t seed = std::random_device{}();
  std::printf("seed %u\n", seed);
  testing::Random random(seed);
  const auto Start = [&](int worker) {
    ++seed;
    auto child = std::make_unique<Child>(
        [&, worker](Talk& talk) { Work(talk, worker, seed); });
    EXPECT_EQ(child->Hear(), 'r');
    return child;
  };
  std::array<std::unique_ptr<Child>, kWorkers> workers;
  for (int w = 0; w < kWorkers; ++w) {
    workers[static_cast<std::size_t>(w)] = Start(w);
  }
  for (int i = 0; i < kKills; ++i) {
    const int victim = static_cast<int>(random.Below(kWorkers));
    // A while of work, not of sleep: this process takes part.
    for (std::uint32_t n = random.Below(2000); n > 0; --n) {
      Mailbox::Receive(box_, allocator(), random.Below(Mailbox::kSlots));
      if (const auto taken =
              Mailbox::Take(box_, allocator(), random.Below(Mailbox::kSlots))) {
        MustFree(*taken);
      }
      const auto ref = allocator().Alloc(1 + random.Below(10'000));
      if (ref) MustFree(*ref);
    }
    auto& child = workers[static_cast<std::size_t>(victim)];
    ::kill(child->pid(), SIGKILL);
    EXPECT_EQ(child->Wait(), -SIGKILL) << "a worker found a fault";
    if (i % 8 == 0) testing::ExpectSound(*region());  // the others go on
    Reap(victim);
    child = Start(victim);
  }
  for (int w = 0; w < kWorkers; ++w) {
    auto& child = workers[static_cast<std::size_t>(w)];
    ::kill(child->pid(), SIGKILL);
    EXPECT_EQ(child->Wait(), -SIGKILL);
    Reap(w);
  }
  Audit();
}

}  // namespace
}  // namespace zcb::alloc
