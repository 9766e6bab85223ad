// Buffers that leave the process, and their ways home.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>

#include "allocator/private_tables.h"
#include "tests/allocator/allocator_testing.h"

namespace zcb::alloc {
namespace {

class AllocatorSendTest : public testing::AllocatorTest {
 protected:
  // Every buffer of the class that can be had, without the ones that are out.
  bool CanBeHad(BufferRef ref, std::uint64_t bytes) {
    const std::vector<BufferRef> all = AllocAll(bytes);
    FreeAll(all);
    return std::find(all.begin(), all.end(), ref) != all.end();
  }
};

TEST_F(AllocatorSendTest, ASentBufferIsNoLongerLiveAndCannotBeFreedOrSent) {
  const BufferRef ref = MustAlloc(100);
  const BufferPlace place = Send(ref);
  EXPECT_FALSE(allocator().IsLive(ref));
  EXPECT_STREQ(allocator().Free(ref).reason(),
               "already sent: no longer this process's");
  EXPECT_EQ(allocator().BeginSend(ref).status(), Status::kInvalidParam);
  EXPECT_EQ(place.usable_bytes, 128U);
  TurnFree(place);
  allocator().ComeBack(place);
  EXPECT_FALSE(allocator().IsLive(ref));
}

TEST_F(AllocatorSendTest, NothingButALiveBufferCanBeSent) {
  const BufferRef ref = MustAlloc(1000);
  EXPECT_FALSE(allocator().BeginSend(BufferRef(ref.line() + 1)));
  EXPECT_FALSE(allocator().BeginSend(BufferRef(BufferRef::kMax)));
  MustFree(ref);
  EXPECT_STREQ(allocator().BeginSend(ref).reason(), "already free");
}

TEST_F(AllocatorSendTest, ACancelledSendLeavesTheBufferAsItWas) {
  const BufferRef ref = MustAlloc(100);
  for (int i = 0; i < 3; ++i) {
    const auto before_commit = allocator().BeginSend(ref);
    ASSERT_TRUE(before_commit.ok());
    EXPECT_STREQ(allocator().Free(ref).reason(),
                 "being sent by another thread");
    allocator().CancelSend(*before_commit);
    EXPECT_TRUE(allocator().IsLive(ref));
    const BufferPlace place = Send(ref, 7);
    allocator().CommitSend(place);  // once more, for the next place in the ring
    allocator().CancelSend(place);
    EXPECT_TRUE(allocator().IsLive(ref));
    EXPECT_TRUE(Load(place).is_free());
  }
  MustFree(ref);
}

// Were its word Free before the buffer is marked live again, a thread that
// collects could take it in between.
TEST_F(AllocatorSendTest, ABufferWhoseSendIsCancelledIsNeverCollected) {
  constexpr int kRounds = 100000;
  const BufferRef ref = MustAlloc(250'000);
  std::atomic<bool> stop{false};
  std::atomic<int> stolen{0};
  std::thread collector([&] {
    while (!stop) {
      allocator().Collect();
      stolen += allocator().Stats().cached_buffers > 7;  // of the slab's eight
    }
  });
  for (int i = 0; i < kRounds && stolen == 0; ++i) {
    allocator().CancelSend(Send(ref));
  }
  stop = true;
  collector.join();
  EXPECT_EQ(stolen, 0);
  EXPECT_TRUE(allocator().IsLive(ref));
}

TEST_F(AllocatorSendTest, OfTwoThreadsThatSendABufferOneWins) {
  for (int round = 0; round < 200; ++round) {
    const BufferRef ref = MustAlloc(64);
    std::atomic<int> ready{0};
    std::atomic<int> winners{0};
    const auto TrySend = [&] {
      ++ready;
      while (ready != 2) std::this_thread::yield();
      winners += allocator().BeginSend(ref).ok();
    };
    std::thread other(TrySend);
    TrySend();
    other.join();
    ASSERT_EQ(winners, 1);
    allocator().CancelSend(*allocator().Locate(ref));
    MustFree(ref);
  }
}

TEST_F(AllocatorSendTest, AnOutBufferIsNotHandedOutAgainWhateverItsHintSays) {
  const BufferRef ref = MustAlloc(30'000);
  const BufferPlace place = Send(ref);
  place.hint->store(1);
  EXPECT_FALSE(CanBeHad(ref, 30'000));
  TurnFree(place);
  allocator().ComeBack(place);
  EXPECT_TRUE(CanBeHad(ref, 30'000));
}

TEST_F(AllocatorSendTest, ForgedHintsForBuffersInUseDoNotDoubleThem) {
  std::vector<BufferRef> all = AllocAll(30'000);
  for (const BufferRef ref : all) allocator().Locate(ref)->hint->store(1);
  EXPECT_FALSE(allocator().Alloc(30'000).ok());
  allocator().Collect();
  EXPECT_FALSE(allocator().Alloc(30'000).ok());
  EXPECT_EQ(allocator().Stats().live_buffers, all.size());
  FreeAll(all);
}

TEST_F(AllocatorSendTest,
       AHintThatIsLateFindsTheBufferInItsNextLifeHarmlessly) {
  const BufferRef ref = MustAlloc(30'000);
  const BufferPlace place = Send(ref);
  TurnFree(place);
  allocator().Collect();  // by the word; the hint is still on its way
  std::vector<BufferRef> all = AllocAll(30'000);
  ASSERT_NE(std::find(all.begin(), all.end(), ref), all.end());
  allocator().ComeBack(place);  // now
  EXPECT_TRUE(allocator().IsLive(ref));
  EXPECT_FALSE(allocator().Alloc(30'000).ok());
  FreeAll(all);
}

TEST_F(AllocatorSendTest, EveryClassGoesOutAndComesHomeByEveryWay) {
  for (std::uint64_t bytes = 64; bytes <= 4 * kUnitBytes; bytes *= 2) {
    for (const int way : {0, 1, 2}) {
      const std::uint64_t before = allocator().Stats().out_buffers;
      const BufferPlace place = Send(MustAlloc(bytes));
      EXPECT_EQ(allocator().Stats().out_buffers, before + 1);
      TurnFree(place);
      if (way == 0) {
        allocator().ComeBack(place);
      } else {
        if (way == 1) place.hint->store(1, std::memory_order_release);
        allocator().Collect();
      }
      EXPECT_EQ(allocator().Stats().out_buffers, before) << bytes << ' ' << way;
    }
  }
}

// A granule word of ours that somebody scribbled on must not lead us to
// believe another buffer's word.
TEST_F(AllocatorSendTest, AForgedGranuleWordDoesNotBringAnOutBufferHome) {
  LeaveDamaged();
  const BufferRef ref = MustAlloc(64);
  const BufferPlace place = Send(ref);
  BufferPlace forged = place;
  forged.word = shared().sparse_word(ref.granule());  // Free, but not its own
  allocator().ComeBack(forged);
  EXPECT_EQ(allocator().Stats().out_buffers, 1U);
  shared().granule(ref.granule()).store(~std::uint64_t{0});
  ASSERT_TRUE(allocator().Locate(ref));
  EXPECT_EQ(allocator().Locate(ref)->word, place.word);
}

TEST_F(AllocatorSendTest, SlabsWithBuffersOutAreKeptUntilTheyAreHome) {
  std::vector<BufferRef> all = AllocAll(60'000);
  const BufferPlace place = Send(all[5]);
  all.erase(all.begin() + 5);
  FreeAll(all);
  all = AllocAll(64);  // everything else becomes slabs of another class
  const UnitWord holder = unit(testing::UnitOf(place.ref));
  EXPECT_TRUE(holder.IsOwnedBy(region()->lease()));
  for (const BufferRef ref : all) {
    ASSERT_FALSE(ref.offset_bytes() + 64 > place.ref.offset_bytes() &&
                 ref.offset_bytes() <
                     place.ref.offset_bytes() + place.usable_bytes);
  }
  FreeAll(all);
  TurnFree(place);
  allocator().ComeBack(place);
}

}  // namespace
}  // namespace zcb::alloc
