// Processes that are killed with buffers given and taken, and are reaped by
// those that are left, without a message layer.
#include <gtest/gtest.h>

#include "allocator/buffer_ticket.h"
#include "tests/allocator/allocator_testing.h"

namespace zcb::alloc {
namespace {

using testing::Child;
using testing::Talk;

class ReapDeadTest : public testing::AllocatorTest {
 protected:
  ReapDeadTest() : AllocatorTest(8), options_(region()->options()) {}

  std::uint32_t LeasesTaken() const {
    std::uint32_t taken = 0;
    for (std::uint16_t s = 0; s < region_of_test().LeaseHighWater(); ++s) {
      taken += LeaseWord(region_of_test().lease_word(s).load()).phase() !=
               LeaseWord::Phase::kFree;
    }
    return taken;
  }
  const Region& region_of_test() const { return shared().region(); }

  // Attached, with an allocator of its own; says 'r' when `prepare` is done.
  template <typename Prepare>
  Child Victim(Prepare prepare) {
    return Child([this, prepare](Talk& talk) {
      const auto own = Region::Open(options_);
      ASSERT_TRUE(own.ok()) << own.reason();
      const auto mine = testing::MakeAllocator(*own);
      prepare(*own, *mine);
      talk.Say('r');
      talk.Hear();
    });
  }
  // One after the other: which are live at once, the test says.
  static void AwaitAndKill(Child& child) {
    ASSERT_EQ(child.Hear(), 'r');
    child.Kill();
  }

  RegionOptions options_;
};

TEST_F(ReapDeadTest, WhatAKilledGiverGaveAndNobodyTookIsFree) {
  Child giver = Victim([](auto&, Allocator& mine) {
    for (const std::uint64_t bytes : {64UL, 5000UL, 3UL << 20}) {
      const auto ref = mine.Alloc(bytes);
      ASSERT_TRUE(ref.ok());
      ASSERT_TRUE(mine.Give(*ref).ok());
    }
  });
  AwaitAndKill(giver);
  EXPECT_EQ(LeasesTaken(), 2U);
  EXPECT_EQ(allocator().ReapDead(), 1U);
  EXPECT_EQ(LeasesTaken(), 1U);
  EXPECT_EQ(allocator().ReapDead(), 0U);
  EXPECT_EQ(AllocAll(4096).size(), 8 * kUnitBytes / 4096);
}

TEST_F(ReapDeadTest, WhatAKilledTakerHadGoesBackToItsOwner) {
  std::vector<BufferTicket> tickets;
  std::vector<BufferRef> all = AllocAll(4096);
  for (std::size_t i = 0; i < 300; ++i) {
    tickets.push_back(*allocator().Give(all.back()));
    all.pop_back();
  }
  Child taker = Victim([&](auto&, Allocator& mine) {
    for (std::size_t i = 0; i < tickets.size(); ++i) {
      const auto taken = mine.Take(tickets[i]);
      ASSERT_TRUE(taken.ok()) << taken.reason();
      EXPECT_TRUE(i % 3 != 0 || mine.Free(*taken).ok());
      EXPECT_TRUE(i % 3 != 1 || mine.Give(*taken).ok());
    }
  });
  AwaitAndKill(taker);
  EXPECT_EQ(allocator().ReapDead(), 1U);
  for (std::size_t i = 0; i < tickets.size(); ++i) {
    const auto ref = allocator().Alloc(4096);
    ASSERT_TRUE(ref.ok()) << i;
    all.push_back(*ref);
  }
  EXPECT_FALSE(allocator().Alloc(4096).ok());
  EXPECT_EQ(all.size(), 8 * kUnitBytes / 4096) << "each one once";
  FreeAll(all);
}

TEST_F(ReapDeadTest, AllocationReapsBeforeItFails) {
  Child hog = Victim([](auto&, Allocator& mine) {
    while (mine.Alloc(100'000).ok()) {
    }
  });
  ASSERT_EQ(hog.Hear(), 'r');
  EXPECT_FALSE(allocator().Alloc(100'000).ok());
  EXPECT_FALSE(allocator().Alloc(3 * kUnitBytes).ok());
  hog.Kill();
  MustFree(MustAlloc(100'000));
  MustFree(MustAlloc(8 * kUnitBytes));
}

TEST_F(ReapDeadTest, AnExtentIsFoundInWhatTheDeadHad) {
  Child hog = Victim([](auto&, Allocator& mine) {
    while (mine.Alloc(kUnitBytes).ok()) {
    }
  });
  AwaitAndKill(hog);
  MustFree(MustAlloc(8 * kUnitBytes));
}

TEST_F(ReapDeadTest, WithAHookTheLayerAboveReaps) {
  Child hog = Victim([](auto&, Allocator& mine) {
    while (mine.Alloc(100'000).ok()) {
    }
  });
  AwaitAndKill(hog);
  allocator().SetPressureHook([](void*, bool) { return false; }, nullptr);
  EXPECT_FALSE(allocator().Alloc(100'000).ok());
  allocator().SetPressureHook(nullptr, nullptr);
  MustFree(MustAlloc(100'000));
}

TEST_F(ReapDeadTest, ARegionWhoseEveryProcessDiedServesTheNextOne) {
  EndAllocator();
  Child first = Victim([](auto&, Allocator& mine) {
    for (int i = 0; i < 500; ++i) {
      const auto ref = mine.Alloc(4096);
      ASSERT_TRUE(ref.ok());
      if (i % 2 == 0) mine.Give(*ref).ok();
    }
  });
  ASSERT_EQ(first.Hear(), 'r');
  Child second = Victim([](auto&, Allocator& mine) {
    while (mine.Alloc(4096).ok()) {
    }
  });
  AwaitAndKill(second);
  first.Kill();
  EXPECT_EQ(LeasesTaken(), 3U);
  NewAllocator();  // reaps as it is made
  EXPECT_EQ(LeasesTaken(), 1U);
  EXPECT_EQ(AllocAll(4096).size(), 8 * kUnitBytes / 4096);
}

TEST_F(ReapDeadTest, AProcessThatUsedTheLayerAboveIsLeftToThatLayer) {
  Child client = Victim([](const auto& own, Allocator& mine) {
    own->lease_record(own->lease().slot).uses_client.store(1);
    ASSERT_TRUE(mine.Alloc(64).ok());
  });
  AwaitAndKill(client);
  EXPECT_EQ(allocator().ReapDead(), 0U);
  EXPECT_EQ(LeasesTaken(), 2U);
  EXPECT_EQ(unit(0).kind(), UnitWord::Kind::kOwned);
  // Whoever finds it marked gives the marker time to reap it first.
  EXPECT_EQ(LeaseWord(region()->lease_word(1).load(std::memory_order_acquire))
                .phase(),
            LeaseWord::Phase::kAlive);
}

// It adopted them with a unit, from a process that did send.
TEST_F(ReapDeadTest, SentWordsInTheUnitsOfOneThatNeverSentStayOut) {
  std::vector<BufferPlace> sent;
  for (std::uint64_t i = 0; i < 10; ++i) {
    sent.push_back(Send(MustAlloc(1000), i));
  }
  const BufferRef held = MustAlloc(1000);
  const BufferTicket ticket = *allocator().Give(held);
  Child taker = Victim(
      [&](auto&, Allocator& mine) { ASSERT_TRUE(mine.Take(ticket).ok()); });
  ASSERT_EQ(taker.Hear(), 'r');
  EndAllocator();
  Child heir = Victim([](auto&, Allocator& mine) {
    while (mine.Alloc(1000).ok()) {
    }
  });
  AwaitAndKill(heir);
  NewAllocator();  // reaps the heir
  EXPECT_EQ(LeasesTaken(), 2U);
  for (const BufferPlace& place : sent) {
    EXPECT_EQ(Load(place).state(), BufferWord::State::kSent);
  }
  taker.Kill();
  const std::size_t all = AllocAll(1000).size();
  for (const BufferPlace& place : sent) {
    TurnFree(place);
    allocator().ComeBack(place);
  }
  EXPECT_EQ(AllocAll(1000).size(), sent.size()) << "beside " << all;
  EXPECT_EQ(all + sent.size(), 8 * 32 /
                                   kSizeClasses[SizeClassOf(1000)].granules *
                                   kSizeClasses[SizeClassOf(1000)].count);
}

TEST_F(ReapDeadTest, AnyNumberOfReapersAtOnceFreeEverythingOnce) {
  constexpr int kReapers = 4;
  for (int round = 0; round < 10; ++round) {
    Child giver = Victim([](auto&, Allocator& mine) {
      while (const auto ref = mine.Alloc(4096)) mine.Give(*ref).ok();
    });
    AwaitAndKill(giver);
    std::vector<Child> reapers;
    for (int i = 0; i < kReapers; ++i) {
      reapers.push_back(Victim([](auto&, Allocator&) {}));
    }
    // Some of them in the middle of it.
    reapers[0].Kill();
    for (Child& reaper : reapers) reaper.Kill();
    allocator().ReapDead();
    const std::vector<BufferRef> all = AllocAll(4096);
    EXPECT_EQ(all.size(), 8 * kUnitBytes / 4096);
    FreeAll(all);
    EXPECT_EQ(LeasesTaken(), 1U);
    EndAllocator();
    NewAllocator();
  }
}

}  // namespace
}  // namespace zcb::alloc
