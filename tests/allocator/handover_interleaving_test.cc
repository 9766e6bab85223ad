// A ticket is brought by another thread of the giver's before any instruction
// of the giving: the next ticket of a buffer is no secret, and one that is left
// of a region that was removed may be that of another one.
#include <gtest/gtest.h>
#include <sched.h>

#include <atomic>
#include <optional>
#include <thread>

#include "allocator/buffer_ticket.h"
#include "tests/allocator/allocator_testing.h"
#include "tests/support/single_step.h"

namespace zcb::alloc {
namespace {

constexpr std::uint64_t kNothing = 0;  // no ticket
constexpr std::uint64_t kEnd = ~std::uint64_t{0};
// A taker that has not come back after as many turns waits for the giver.
constexpr int kTurns = 300;

using HandoverInterleavingTest = testing::AllocatorTest;

TEST_F(HandoverInterleavingTest,
       ATicketBroughtTooEarlyTakesTheBufferOrNothing) {
  const zcb::testing::SingleStep step;
  std::atomic<std::uint64_t> brought{kNothing};  // for the taker, once
  std::atomic<int> taken_early{0};
  std::atomic<int> damaged{0};
  std::thread taker([&] {
    for (;;) {
      const std::uint64_t raw = brought.load();
      if (raw == kEnd) return;
      if (raw == kNothing) {
        sched_yield();
        continue;
      }
      const auto taken = allocator().Take(BufferTicket(raw));
      if (taken) {
        ++taken_early;
        MustFree(*taken);
      } else if (taken.status() == Status::kLibrary) {
        ++damaged;
      }
      brought.store(kNothing);
    }
  });
  int instructions = 0;
  for (bool is_inside = true; is_inside; ++instructions) {
    const BufferRef ref = MustAlloc(64);
    const auto place = allocator().Locate(ref);
    ASSERT_TRUE(place.has_value());
    const BufferWord word(place->word->load());
    const std::uint64_t guess =
        BufferTicket::Of(ref,
                         word.Give(region()->lease(),
                                   BufferTicket::Step(word, SizeClassOf(64))))
            .raw();
    std::optional<Result<BufferTicket>> given;
    is_inside = zcb::testing::SingleStep::Run(
        instructions,
        [&] {
          brought.store(guess);
          for (int i = 0; i < kTurns && brought.load() != kNothing; ++i) {
            sched_yield();
          }
        },
        [&] { given = allocator().Give(ref); });
    const Result<BufferTicket>& ticket = *given;
    while (brought.load() != kNothing) sched_yield();
    ASSERT_TRUE(ticket.ok()) << ticket.reason();
    EXPECT_EQ(ticket->raw(), guess);
    if (const auto taken = allocator().Take(*ticket)) MustFree(*taken);
  }
  brought.store(kEnd);
  taker.join();
  brought.store(kNothing);
  EXPECT_EQ(damaged, 0) << "of " << instructions << " instructions";
  EXPECT_GT(taken_early, 0);
  EXPECT_GT(instructions, 20);
  allocator().Collect();
  EXPECT_EQ(allocator().Stats().out_buffers, 0U);
  EXPECT_EQ(allocator().Stats().live_buffers, 0U);
}

}  // namespace
}  // namespace zcb::alloc
