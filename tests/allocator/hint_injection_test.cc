// Hints that are late, lost or forged, for buffers that were given and taken
// and in units that have changed hands. A hint may cost a look; only the word
// and the private state decide.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "allocator/buffer_ticket.h"
#include "tests/allocator/allocator_testing.h"

namespace zcb::alloc {
namespace {

constexpr std::uint64_t kBytes = 30'000;
constexpr LeaseId kOther{9, 9};

class HintInjectionTest : public testing::AllocatorTest {
 protected:
  // Given by us and taken by a process that the test plays.
  BufferPlace Taken(BufferRef ref) {
    const auto ticket = allocator().Give(ref);
    EXPECT_TRUE(ticket.ok());
    const BufferPlace place = *allocator().Locate(ref);
    Store(place, Load(place).Give(kOther));
    return place;
  }
  // That process frees it, as far as the word.
  static void FreeWord(const BufferPlace& place) {
    std::uint64_t seen = place.word->load();
    ASSERT_TRUE(BufferWord(seen).IsHeldBy(kOther));
    ASSERT_TRUE(place.word->compare_exchange_strong(
        seen, BufferWord(seen).Free().raw()));
  }
  // Takes everything that can be had; whether each is there once.
  std::set<std::uint32_t> HaveAll() {
    std::set<std::uint32_t> lines;
    for (const BufferRef ref : AllocAll(kBytes)) {
      EXPECT_TRUE(lines.insert(ref.line()).second) << "twice";
    }
    return lines;
  }
};

TEST_F(HintInjectionTest, AForgedHintDoesNotBringAGivenOrTakenBufferBack) {
  std::vector<BufferRef> all = AllocAll(kBytes);
  const BufferRef given = all[3];
  const BufferTicket ticket = *allocator().Give(given);
  const BufferPlace taken = Taken(all[4]);
  for (const BufferRef ref : all) allocator().Locate(ref)->hint->store(1);
  EXPECT_FALSE(allocator().Alloc(kBytes).ok());
  allocator().Collect();
  EXPECT_FALSE(allocator().Alloc(kBytes).ok());
  EXPECT_EQ(allocator().Stats().out_buffers, 2U);
  // The hints that were used up there are missed by nobody.
  FreeWord(taken);
  allocator().Collect();
  EXPECT_EQ(MustAlloc(kBytes), taken.ref);
  EXPECT_TRUE(allocator().Take(ticket).ok());
  FreeAll(all);
}

TEST_F(HintInjectionTest, ALateHintFindsTheBufferInItsNextLifeHarmlessly) {
  std::vector<BufferRef> all = AllocAll(kBytes);
  const BufferPlace taken = Taken(all[7]);
  FreeWord(taken);
  allocator().Collect();
  EXPECT_EQ(MustAlloc(kBytes), taken.ref);
  taken.hint->store(1);  // live again
  EXPECT_FALSE(allocator().Alloc(kBytes).ok());
  const BufferTicket ticket = *allocator().Give(taken.ref);
  taken.hint->store(1);  // given again
  EXPECT_FALSE(allocator().Alloc(kBytes).ok());
  EXPECT_TRUE(allocator().Take(ticket).ok());
  FreeAll(all);
}

TEST_F(HintInjectionTest, ALostHintIsMadeUpForByTheWord) {
  std::vector<BufferRef> all = AllocAll(kBytes);
  std::set<std::uint32_t> freed;
  for (std::size_t i = 0; i < 10; ++i) {
    const BufferPlace taken = Taken(all[i]);
    FreeWord(taken);
    freed.insert(taken.ref.line());
  }
  allocator().Collect();
  EXPECT_EQ(HaveAll(), freed);
}

// Out when the unit was adopted: it comes back once, whatever the hints were
// before, between and after.
TEST_F(HintInjectionTest, ABufferThatWasOutAtTheAdoptionComesBackExactlyOnce) {
  for (const bool hint_before : {false, true}) {
    for (const bool free_before : {false, true}) {
      for (const bool hint_after : {false, true}) {
        const std::vector<BufferRef> all = AllocAll(kBytes);
        const BufferPlace held = Taken(all[5]);
        const BufferPlace sent = Send(all[6]);
        EndAllocator();
        if (hint_before) {
          held.hint->store(1);
          sent.hint->store(1);
        }
        if (free_before) {
          FreeWord(held);
          TurnFree(sent);
        }
        NewAllocator();
        std::set<std::uint32_t> had = HaveAll();
        EXPECT_EQ(had.contains(held.ref.line()), free_before);
        EXPECT_EQ(had.contains(sent.ref.line()), free_before);
        EXPECT_EQ(had.size(), all.size() - (free_before ? 0 : 2));
        if (!free_before) {
          FreeWord(held);
          TurnFree(sent);
        }
        if (hint_after) {
          held.hint->store(1);
          sent.hint->store(1);
        }
        allocator().Collect();
        const std::set<std::uint32_t> rest = HaveAll();
        EXPECT_EQ(rest.size(), free_before ? 0U : 2U);
        for (const std::uint32_t line : rest) {
          EXPECT_TRUE(had.insert(line).second) << "twice";
        }
        EXPECT_EQ(had.size(), all.size());
        EndAllocator();
        NewAllocator();
        EXPECT_EQ(HaveAll().size(), all.size());
        EndAllocator();
        NewAllocator();
      }
    }
  }
}

// The unit that a process adopts holds what it took from the dead owner.
TEST_F(HintInjectionTest, ForgedHintsDoNotFreeWhatTheAdopterItselfHasTaken) {
  const auto giver = testing::MakeAllocator(region());
  std::vector<BufferTicket> tickets;
  while (const auto ref = giver->Alloc(kBytes)) {
    tickets.push_back(*giver->Give(*ref));
  }
  std::vector<BufferRef> taken;
  for (std::size_t i = 0; i < 5; ++i) {
    taken.push_back(*allocator().Take(tickets[i]));
  }
  // The giver dies; its gifts are withdrawn by a reaper, not by its end, which
  // would not tell two allocators of one lease from each other.
  for (std::uint32_t u = 0; u < shared().unit_count(); ++u) {
    shared().unit(u).store(unit(u).Abandon().raw());
  }
  const std::set<std::uint32_t> had = HaveAll();
  EXPECT_TRUE(had.empty()) << "all of them are held";
  for (const BufferRef ref : taken) {
    allocator().Locate(ref)->hint->store(1);
    EXPECT_TRUE(allocator().IsLive(ref));
  }
  allocator().Collect();
  EXPECT_FALSE(allocator().Alloc(kBytes).ok());
  FreeAll(taken);
  EXPECT_EQ(HaveAll().size(), taken.size());
}

}  // namespace
}  // namespace zcb::alloc
