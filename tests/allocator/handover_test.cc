// Buffers given away and taken, as one and as two processes see it.
#include "allocator/handover.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <string>
#include <thread>

#include "tests/allocator/allocator_testing.h"

namespace zcb::alloc {
namespace {

using testing::Child;
using testing::Talk;

constexpr std::uint64_t kSizes[] = {
    64,         200,           512, 40'000, 250'000, 5 * kGranuleBytes,
    kUnitBytes, 3 * kUnitBytes};

class HandoverTest : public testing::AllocatorTest {
 protected:
  HandoverTest() : AllocatorTest(16) {}

  BufferTicket MustGive(BufferRef ref) { return MustGive(allocator(), ref); }
  static BufferTicket MustGive(Allocator& from, BufferRef ref) {
    const auto ticket = from.Give(ref);
    EXPECT_TRUE(ticket.ok()) << ticket.reason();
    return ticket ? *ticket : BufferTicket();
  }
  static std::uint64_t Hear64(const Child& child) {
    std::uint64_t value = 0;
    for (int i = 0; i < 8; ++i) {
      value = value << 8 | static_cast<unsigned char>(child.Hear());
    }
    return value;
  }
  static void Say64(const Talk& talk, std::uint64_t value) {
    for (int i = 7; i >= 0; --i) talk.Say(static_cast<char>(value >> (8 * i)));
  }
  std::string WhyNotFree(BufferRef ref) {
    return allocator().Free(ref).reason();
  }
  // An allocator of another process.
  struct Other {
    explicit Other(const RegionOptions& options)
        : region(*Region::Open(options)),
          allocator(testing::MakeAllocator(region)) {}
    std::shared_ptr<Region> region;
    std::unique_ptr<Allocator> allocator;
  };
};

TEST_F(HandoverTest, WhatIsGivenIsNoLongerLiveHere) {
  for (const std::uint64_t bytes : kSizes) {
    const BufferRef ref = MustAlloc(bytes);
    MustGive(ref);
    EXPECT_FALSE(allocator().IsLive(ref));
    EXPECT_EQ(allocator().UsableBytes(ref), 0U);
    EXPECT_EQ(WhyNotFree(ref), "given away: no longer this process's");
    EXPECT_EQ(allocator().Give(ref).status(), Status::kInvalidParam);
    EXPECT_EQ(allocator().BeginSend(ref).status(), Status::kInvalidParam);
  }
  EXPECT_EQ(allocator().Stats().out_buffers, std::size(kSizes));
}

TEST_F(HandoverTest, WhatComesBackByTicketIsLiveAsBefore) {
  for (const std::uint64_t bytes : kSizes) {
    const BufferRef ref = MustAlloc(bytes);
    const std::uint64_t usable = allocator().UsableBytes(ref);
    const auto taken = allocator().Take(MustGive(ref));
    ASSERT_TRUE(taken.ok()) << taken.reason();
    EXPECT_EQ(*taken, ref);
    EXPECT_TRUE(allocator().IsLive(ref));
    EXPECT_EQ(allocator().UsableBytes(ref), usable);
    EXPECT_TRUE(Load(*allocator().Locate(ref)).is_free());
    EXPECT_EQ(allocator().Stats().taken_buffers, 0U);
    MustFree(ref);
  }
  EXPECT_EQ(allocator().Stats().out_buffers, 0U);
}

TEST_F(HandoverTest, AnotherProcessTakesReadsAndFreesEveryKindOfBuffer) {
  for (const std::uint64_t bytes : kSizes) {
    const BufferRef ref = MustAlloc(bytes);
    const std::uint64_t usable = allocator().UsableBytes(ref);
    std::memset(allocator().Pointer(ref), 0x5a, usable);
    const std::uint64_t ticket = MustGive(ref).raw();
    EXPECT_TRUE(testing::SucceedsInChild([&](Talk&) {
      Other other(region()->options());
      Allocator& mine = *other.allocator;
      const auto taken = mine.Take(BufferTicket(ticket));
      ASSERT_TRUE(taken.ok()) << taken.reason();
      ASSERT_EQ(*taken, ref);
      EXPECT_TRUE(mine.IsLive(ref));
      EXPECT_EQ(mine.UsableBytes(ref), usable);
      EXPECT_EQ(mine.Stats().taken_buffers, 1U);
      const std::byte* const data = mine.Pointer(ref);
      EXPECT_TRUE(std::all_of(data, data + usable, [](std::byte byte) {
        return byte == std::byte{0x5a};
      }));
      EXPECT_STREQ(mine.BeginSend(ref).reason(),
                   "taken from another process: send a copy of it");
      EXPECT_TRUE(mine.Free(ref).ok());
      EXPECT_FALSE(mine.IsLive(ref));
      EXPECT_EQ(mine.Free(ref).status(), Status::kInvalidParam);
      EXPECT_EQ(mine.Stats().taken_buffers, 0U);
    }));
    allocator().Collect();
    EXPECT_EQ(allocator().Stats().out_buffers, 0U) << bytes;
  }
}

TEST_F(HandoverTest, ATicketIsGoodForOneTakingOnly) {
  const BufferRef ref = MustAlloc(1000);
  const BufferTicket ticket = MustGive(ref);
  ASSERT_TRUE(allocator().Take(ticket).ok());
  EXPECT_EQ(allocator().Take(ticket).status(), Status::kNotExist);
  MustFree(ref);
  EXPECT_EQ(allocator().Take(ticket).status(), Status::kNotExist);
  const BufferTicket next = MustGive(MustAlloc(1000));
  EXPECT_NE(next, ticket);
  EXPECT_EQ(allocator().Take(ticket).status(), Status::kNotExist);
  EXPECT_TRUE(testing::SucceedsInChild([&](Talk&) {
    Other other(region()->options());
    EXPECT_EQ(other.allocator->Take(ticket).status(), Status::kNotExist);
    EXPECT_TRUE(other.allocator->Take(next).ok());
    EXPECT_EQ(other.allocator->Take(next).status(), Status::kNotExist);
  }));
  EXPECT_EQ(allocator().Take(next).status(), Status::kNotExist);
}

// The memory of a ticket that was used is cut anew, so that its line is the
// start of a buffer again, under another word: one that nobody has counted up
// yet, as long as the first half of each granule is left alone.
TEST_F(HandoverTest, AnOldTicketDoesNotTakeWhatLiesThereNow) {
  std::vector<BufferTicket> old;
  const std::vector<BufferRef> small = AllocAll(64);
  for (const BufferRef ref : small) {
    if (ref.line() % kLinesPerGranule < kLinesPerGranule / 2) continue;
    const BufferTicket ticket = MustGive(ref);
    old.push_back(ticket);
    ASSERT_TRUE(allocator().Take(ticket).ok());
  }
  FreeAll(small);
  for (const BufferRef ref : AllocAll(128)) MustGive(ref);
  for (const BufferTicket ticket : old) {
    ASSERT_EQ(allocator().Take(ticket).status(), Status::kNotExist);
  }
}

TEST_F(HandoverTest, NonsenseInATicketIsRefused) {
  testing::Random random(1);
  const BufferTicket good = MustGive(MustAlloc(3000));
  for (int i = 0; i < 10'000; ++i) {
    const std::uint64_t raw =
        std::uint64_t{random.Below(~0U)} << 32 | random.Below(~0U);
    ASSERT_FALSE(allocator().Take(BufferTicket(raw)).ok());
  }
  EXPECT_EQ(allocator().Take(BufferTicket()).status(), Status::kNotExist);
  EXPECT_EQ(allocator().Take(BufferTicket(BufferRef::kMax)).status(),
            Status::kInvalidParam);
  EXPECT_TRUE(allocator().Take(good).ok());
}

TEST_F(HandoverTest, OfTwoThreadsWithOneTicketOneWins) {
  for (int round = 0; round < 300; ++round) {
    const BufferTicket ticket = MustGive(MustAlloc(64));
    std::atomic<int> ready{0};
    std::atomic<int> winners{0};
    const auto TryTake = [&] {
      ++ready;
      while (ready != 2) std::this_thread::yield();
      winners += allocator().Take(ticket).ok();
    };
    std::thread other(TryTake);
    TryTake();
    other.join();
    ASSERT_EQ(winners, 1);
    MustFree(ticket.ref());
  }
}

TEST_F(HandoverTest, OfTwoThreadsThatGiveOnWhatWasTakenOneWins) {
  const auto taker = testing::MakeAllocator(region());
  for (int round = 0; round < 300; ++round) {
    const auto first = allocator().Give(MustAlloc(64));
    ASSERT_TRUE(first.ok());
    const auto taken = taker->Take(*first);
    ASSERT_TRUE(taken.ok());
    std::atomic<int> ready{0};
    std::atomic<int> winners{0};
    std::atomic<std::uint64_t> raw{0};
    const auto TryGive = [&] {
      ++ready;
      while (ready != 2) std::this_thread::yield();
      if (const auto ticket = taker->Give(*taken)) {
        ++winners;
        raw = ticket->raw();
      }
    };
    std::thread other(TryGive);
    TryGive();
    other.join();
    ASSERT_EQ(winners, 1);
    const auto home = allocator().Take(BufferTicket(raw));
    ASSERT_TRUE(home.ok());
    MustFree(*home);
  }
}

TEST_F(HandoverTest, WhatWasGivenCannotBeGivenAgain) {
  const BufferRef ref = MustAlloc(64);
  const auto ticket = allocator().Give(ref);
  ASSERT_TRUE(ticket.ok());
  EXPECT_EQ(allocator().Give(ref).status(), Status::kInvalidParam);
  EXPECT_EQ(allocator().Free(ref).status(), Status::kInvalidParam);
  ASSERT_TRUE(allocator().Take(*ticket).ok());
  MustFree(ref);
  EXPECT_STREQ(allocator().Give(ref).reason(), "already free");
}

TEST_F(HandoverTest, ATakenBufferMayBeGivenOn) {
  for (const std::uint64_t bytes : kSizes) {
    const BufferRef ref = MustAlloc(bytes);
    const BufferTicket first = MustGive(ref);
    Child middle([&](Talk& talk) {
      Other other(region()->options());
      ASSERT_TRUE(other.allocator->Take(first).ok());
      const auto ticket = other.allocator->Give(ref);
      ASSERT_TRUE(ticket.ok()) << ticket.reason();
      EXPECT_FALSE(other.allocator->IsLive(ref));
      EXPECT_STREQ(other.allocator->Free(ref).reason(),
                   "given away: no longer this process's");
      Say64(talk, ticket->raw());
      talk.Hear();
    });
    const std::uint64_t second = Hear64(middle);
    EXPECT_EQ(allocator().Take(first).status(), Status::kNotExist);
    EXPECT_EQ(WhyNotFree(ref), "given away, and taken by another process");
    const auto taken = allocator().Take(BufferTicket(second));
    ASSERT_TRUE(taken.ok()) << taken.reason();
    EXPECT_TRUE(allocator().IsLive(ref));
    MustFree(ref);
    middle.Say('e');
    EXPECT_EQ(middle.Wait(), 0);
  }
}

TEST_F(HandoverTest, ACleanEndWithdrawsWhatNobodyTook) {
  std::vector<BufferTicket> tickets;
  for (const std::uint64_t bytes : kSizes) {
    tickets.push_back(MustGive(MustAlloc(bytes)));
  }
  EndAllocator();
  for (std::uint32_t u = 0; u < shared().unit_count(); ++u) {
    EXPECT_EQ(unit(u).kind(), UnitWord::Kind::kFree) << u;
  }
  NewAllocator();
  for (const BufferTicket ticket : tickets) {
    EXPECT_EQ(allocator().Take(ticket).status(), Status::kNotExist);
  }
}

TEST_F(HandoverTest, ACleanEndFreesWhatWasTakenAndWithdrawsWhatWasGivenOn) {
  std::vector<std::uint64_t> tickets;
  for (const std::uint64_t bytes : kSizes) {
    tickets.push_back(MustGive(MustAlloc(bytes)).raw());
    tickets.push_back(MustGive(MustAlloc(bytes)).raw());
  }
  EXPECT_TRUE(testing::SucceedsInChild([&](Talk&) {
    Other other(region()->options());
    for (std::size_t i = 0; i < tickets.size(); ++i) {
      const auto taken = other.allocator->Take(BufferTicket(tickets[i]));
      ASSERT_TRUE(taken.ok()) << taken.reason();
      EXPECT_TRUE(i % 2 == 0 || other.allocator->Give(*taken).ok());
    }
  }));
  allocator().Collect();
  EXPECT_EQ(allocator().Stats().out_buffers, 0U);
}

// The giver ends while the taker has the buffer: it belongs to nobody's unit,
// then to the taker's own.
TEST_F(HandoverTest, ATakenBufferOutlivesItsGiver) {
  for (const std::uint64_t bytes : kSizes) {
    Child giver([&](Talk& talk) {
      Other other(region()->options());
      const auto ref = other.allocator->Alloc(bytes);
      ASSERT_TRUE(ref.ok());
      std::memset(other.allocator->Pointer(*ref), 0x77, 64);
      Say64(talk, other.allocator->Give(*ref)->raw());
      talk.Hear();
    });
    const auto ref = allocator().Take(BufferTicket(Hear64(giver)));
    ASSERT_TRUE(ref.ok()) << ref.reason();
    giver.Say('e');
    EXPECT_EQ(giver.Wait(), 0);
    EXPECT_TRUE(allocator().IsLive(*ref));
    EXPECT_GE(allocator().UsableBytes(*ref), bytes);
    EXPECT_EQ(allocator().Pointer(*ref)[63], std::byte{0x77});
    // All that can be had, the abandoned unit too, without the one buffer.
    const std::vector<BufferRef> all = AllocAll(64);
    for (const BufferRef other : all) {
      ASSERT_FALSE(other.offset_bytes() >= ref->offset_bytes() &&
                   other.offset_bytes() < ref->offset_bytes() + bytes);
    }
    EXPECT_TRUE(allocator().IsLive(*ref));
    MustFree(*ref);
    FreeAll(all);
    EndAllocator();
    for (std::uint32_t u = 0; u < shared().unit_count(); ++u) {
      ASSERT_EQ(unit(u).kind(), UnitWord::Kind::kFree) << bytes << ' ' << u;
    }
    NewAllocator();
  }
}

// A word that somebody scribbled on must neither hang us nor hand out twice.
TEST_F(HandoverTest, ForgedWordsDoNotTakeWhatIsLiveOrFreeHere) {
  const BufferRef live = MustAlloc(1000);
  const BufferRef cached = MustAlloc(1000);
  MustFree(cached);
  for (const BufferRef ref : {live, cached}) {
    const BufferPlace place = *allocator().Locate(ref);
    const BufferWord forged = Load(place).Give({9, 9});
    Store(place, forged);
    EXPECT_EQ(allocator().Take(BufferTicket::Of(ref, forged)).status(),
              Status::kLibrary);
    Store(place, forged.Free());
  }
  EXPECT_TRUE(allocator().IsLive(live));
  MustFree(live);
}

TEST_F(HandoverTest, ATakenBufferWhoseWordWasDamagedIsRefusedNotDoubled) {
  LeaveDamaged();
  const BufferRef ref = MustAlloc(1000);
  const BufferRef other_ref = MustAlloc(1000);
  const std::uint64_t raw[] = {MustGive(ref).raw(), MustGive(other_ref).raw()};
  EXPECT_TRUE(testing::SucceedsInChild([&](Talk&) {
    Other other(region()->options());
    for (const std::uint64_t ticket : raw) {
      ASSERT_TRUE(other.allocator->Take(BufferTicket(ticket)).ok());
    }
    const BufferPlace place = *other.allocator->Locate(ref);
    Store(place, Load(place).Free().Give({3, 3}));
    EXPECT_EQ(other.allocator->Free(ref).status(), Status::kLibrary);
    EXPECT_EQ(other.allocator->Free(ref).status(), Status::kInvalidParam);
    const BufferPlace second = *other.allocator->Locate(other_ref);
    Store(second, Load(second).Free().Give({3, 3}));
    EXPECT_EQ(other.allocator->Give(other_ref).status(), Status::kLibrary);
    EXPECT_FALSE(other.allocator->IsLive(other_ref));
  }));
  EXPECT_EQ(allocator().Stats().out_buffers, 2U);
}

TEST_F(HandoverTest, AnInheritedAllocatorNeitherGivesNorTakes) {
  const BufferRef ref = MustAlloc(64);
  const BufferTicket ticket = MustGive(MustAlloc(64));
  EXPECT_TRUE(testing::SucceedsInChild([&](Talk&) {
    EXPECT_EQ(allocator().Give(ref).status(), Status::kBadHandle);
    EXPECT_EQ(allocator().Take(ticket).status(), Status::kBadHandle);
    EXPECT_EQ(allocator().ReapDead(), 0U);
    EndAllocator();
  }));
  EXPECT_TRUE(allocator().Take(ticket).ok());
}

}  // namespace
}  // namespace zcb::alloc
