// kNoMemory is said only when memory is truly used: each place where some may
// be hidden is looked into first, here with all the others empty.
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "allocator/buffer_ticket.h"
#include "tests/allocator/allocator_testing.h"

namespace zcb::alloc {
namespace {

using testing::Child;
using testing::Talk;

constexpr std::uint64_t kBytes = 16 * 1024;

class ExhaustionOrderTest : public testing::AllocatorTest {
 protected:
  ExhaustionOrderTest() : all_(AllocAll(kBytes)) {
    EXPECT_FALSE(allocator().Alloc(kBytes).ok());
  }
  BufferRef TakeOne() {
    const BufferRef ref = all_.back();
    all_.pop_back();
    return ref;
  }
  // Exactly so many can be had now.
  void ExpectRoomFor(std::size_t count, std::uint64_t bytes = kBytes) {
    for (std::size_t i = 0; i < count; ++i) {
      const auto ref = allocator().Alloc(bytes);
      ASSERT_TRUE(ref.ok()) << i << ": " << ref.reason();
      all_.push_back(*ref);
    }
    EXPECT_EQ(allocator().Alloc(bytes).status(), Status::kNoMemory);
  }
  // A process that has all the memory, in buffers of `bytes`, until it is told
  // to end; none is left here.
  Child HandAllToHog(std::uint64_t bytes) {
    FreeAll(all_);
    all_.clear();
    EndAllocator();
    Child hog([this, bytes](Talk& talk) {
      const auto own = Region::Open(region()->options());
      ASSERT_TRUE(own.ok());
      const auto mine = testing::MakeAllocator(*own);
      while (mine->Alloc(bytes).ok()) {
      }
      talk.Say('r');
      talk.Hear();
    });
    EXPECT_EQ(hog.Hear(), 'r');
    NewAllocator();
    EXPECT_FALSE(allocator().Alloc(kBytes).ok());
    return hog;
  }

  std::vector<BufferRef> all_;
};

TEST_F(ExhaustionOrderTest, OwnMagazineAndDepot) {
  for (int i = 0; i < 20; ++i) MustFree(TakeOne());
  ExpectRoomFor(20);
}

TEST_F(ExhaustionOrderTest, TheMagazineOfAThreadThatHasEnded) {
  std::thread([&] {
    for (int i = 0; i < 20; ++i) MustFree(TakeOne());
  }).join();
  ExpectRoomFor(20);
}

TEST_F(ExhaustionOrderTest, Hints) {
  for (int i = 0; i < 20; ++i) {
    const BufferPlace place = Send(TakeOne());
    TurnFree(place);
    place.hint->store(1, std::memory_order_release);
  }
  ExpectRoomFor(20);
}

TEST_F(ExhaustionOrderTest, WordsWithoutHints) {
  for (int i = 0; i < 20; ++i) TurnFree(Send(TakeOne()));
  // The scan takes a share of the time, so that the first tries may fail.
  for (int i = 0; i < 20; ++i) {
    auto ref = allocator().Alloc(kBytes);
    while (!ref) ref = allocator().Alloc(kBytes);
    all_.push_back(*ref);
  }
  ExpectRoomFor(0);
}

TEST_F(ExhaustionOrderTest, EmptySlabsOfAnotherClass) {
  FreeAll(all_);
  all_ = AllocAll(300);
  ASSERT_GT(all_.size(), 40'000U);
  FreeAll(all_);
  all_.clear();
  ExpectRoomFor(8 * kUnitBytes / kBytes);
}

TEST_F(ExhaustionOrderTest, WhatTheLayerAboveReclaims) {
  std::vector<BufferPlace> ring;
  for (int i = 0; i < 20; ++i) ring.push_back(Send(TakeOne()));
  struct Layer {
    Allocator* allocator;
    std::vector<BufferPlace>* ring;
  } layer{&allocator(), &ring};
  allocator().SetPressureHook(
      [](void* context, bool) {
        auto& self = *static_cast<Layer*>(context);
        for (const BufferPlace& place : *self.ring) {
          TurnFree(place);
          self.allocator->ComeBack(place);
        }
        return std::exchange(*self.ring, {}).size() != 0;
      },
      &layer);
  ExpectRoomFor(20);
}

TEST_F(ExhaustionOrderTest, AbandonedUnits) {
  Child hog = HandAllToHog(kBytes);
  hog.Say('e');  // a clean end
  EXPECT_EQ(hog.Wait(), 0);
  ExpectRoomFor(8 * kUnitBytes / kBytes);
}

TEST_F(ExhaustionOrderTest, UnitsThatAnotherProcessGaveBack) {
  Child hog = HandAllToHog(kUnitBytes);
  hog.Say('e');
  EXPECT_EQ(hog.Wait(), 0);
  ExpectRoomFor(8 * kUnitBytes / kBytes);
}

TEST_F(ExhaustionOrderTest, ThoseOfTheDeadNobodyHasNoticed) {
  Child hog = HandAllToHog(kBytes);
  hog.Kill();
  ExpectRoomFor(8 * kUnitBytes / kBytes);
}

// It had them of us, and died before it told us that they are free.
TEST_F(ExhaustionOrderTest, WhatTheDeadHadTakenOrLeftWithoutAHint) {
  std::vector<BufferTicket> tickets;
  for (int i = 0; i < 20; ++i) {
    tickets.push_back(*allocator().Give(TakeOne()));
  }
  Child taker([&](Talk& talk) {
    const auto own = Region::Open(region()->options());
    ASSERT_TRUE(own.ok());
    const auto mine = testing::MakeAllocator(*own);
    for (const BufferTicket ticket : tickets) {
      ASSERT_TRUE(mine->Take(ticket).ok());
    }
    talk.Say('t');
    talk.Hear();
    // As if it were killed between the word and the hint.
    for (std::size_t i = 0; i < tickets.size(); i += 2) {
      TurnFree(*mine->Locate(tickets[i].ref()));
    }
    talk.Say('r');
    talk.Hear();
  });
  ASSERT_EQ(taker.Hear(), 't');
  // A scan of the words so shortly before would be reason not to make another.
  EXPECT_FALSE(allocator().Alloc(kBytes).ok());
  taker.Say('g');
  ASSERT_EQ(taker.Hear(), 'r');
  taker.Kill();
  ExpectRoomFor(20);
}

TEST_F(ExhaustionOrderTest, AnExtentThatCameBackWithoutAHint) {
  FreeAll(all_);
  all_.clear();
  const BufferPlace whole = Send(MustAlloc(8 * kUnitBytes));
  EXPECT_FALSE(allocator().Alloc(kBytes).ok());
  TurnFree(whole);
  ExpectRoomFor(8 * kUnitBytes / kBytes);
}

}  // namespace
}  // namespace zcb::alloc
