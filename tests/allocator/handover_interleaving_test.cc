// A ticket is brought by another thread of the giver's before any instruction
// of the giving: the next ticket of a buffer is no secret, and one that is left
// of a region that was removed may be that of another one.
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <ucontext.h>

#include <atomic>
#include <thread>

#include "allocator/buffer_ticket.h"
#include "tests/allocator/allocator_testing.h"

#if !defined(__x86_64__)
#error "steps by the trap flag of x86-64"
#endif

namespace zcb::alloc {
namespace {

constexpr std::uint64_t kNothing = 0;  // no ticket
constexpr std::uint64_t kEnd = ~std::uint64_t{0};
// A taker that has not come back after as many turns waits for the giver.
constexpr int kTurns = 300;
constexpr long long kTrapFlag = 1 << 8;

// A signal handler has no argument of ours.
struct {
  std::atomic<std::uint64_t> ticket{kNothing};  // for the taker to bring, once
  std::atomic<bool> is_stepping{false};
  std::uint64_t guess = 0;
  int instructions_left = 0;
} g_race;

void OnTrap(int, siginfo_t*, void* context) {
  if (g_race.instructions_left-- > 0) return;
  auto& registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
  registers[REG_EFL] &= ~kTrapFlag;
  g_race.is_stepping.store(false);
  g_race.ticket.store(g_race.guess);
  for (int i = 0; i < kTurns && g_race.ticket.load() != kNothing; ++i) {
    sched_yield();
  }
}

// From the next instruction but one on, until the handler has had enough.
[[gnu::noinline]] void BeginToStep(int instructions) {
  g_race.instructions_left = instructions;
  g_race.is_stepping.store(true);
  asm volatile(
      "pushfq\n"
      "orq $0x100, (%%rsp)\n"
      "popfq\n" ::
          : "memory", "cc");
}

[[gnu::noinline]] void EndToStep() {
  asm volatile(
      "pushfq\n"
      "andq $~0x100, (%%rsp)\n"
      "popfq\n" ::
          : "memory", "cc");
}

class HandoverInterleavingTest : public testing::AllocatorTest {
 protected:
  void SetUp() override {
    struct sigaction action = {};
    action.sa_sigaction = OnTrap;
    action.sa_flags = SA_SIGINFO;
    ASSERT_EQ(::sigaction(SIGTRAP, &action, &before_), 0);
  }
  void TearDown() override {
    ::sigaction(SIGTRAP, &before_, nullptr);
    AllocatorTest::TearDown();
  }

 private:
  struct sigaction before_ = {};
};

TEST_F(HandoverInterleavingTest,
       ATicketBroughtTooEarlyTakesTheBufferOrNothing) {
  std::atomic<int> taken_early{0};
  std::atomic<int> damaged{0};
  std::thread taker([&] {
    for (;;) {
      const std::uint64_t raw = g_race.ticket.load();
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
      g_race.ticket.store(kNothing);
    }
  });
  int instructions = 0;
  for (bool is_inside = true; is_inside; ++instructions) {
    const BufferRef ref = MustAlloc(64);
    const auto place = allocator().Locate(ref);
    ASSERT_TRUE(place.has_value());
    const BufferWord word(place->word->load());
    g_race.guess =
        BufferTicket::Of(ref,
                         word.Give(region()->lease(),
                                   BufferTicket::Step(word, SizeClassOf(64))))
            .raw();
    BeginToStep(instructions);
    const auto ticket = allocator().Give(ref);
    EndToStep();
    is_inside = !g_race.is_stepping.load();
    while (g_race.ticket.load() != kNothing) sched_yield();
    ASSERT_TRUE(ticket.ok()) << ticket.reason();
    EXPECT_EQ(ticket->raw(), g_race.guess);
    if (const auto taken = allocator().Take(*ticket)) MustFree(*taken);
  }
  g_race.ticket.store(kEnd);
  taker.join();
  g_race.ticket.store(kNothing);
  EXPECT_EQ(damaged, 0) << "of " << instructions << " instructions";
  EXPECT_GT(taken_early, 0);
  EXPECT_GT(instructions, 20);
  allocator().Collect();
  EXPECT_EQ(allocator().Stats().out_buffers, 0U);
  EXPECT_EQ(allocator().Stats().live_buffers, 0U);
}

}  // namespace
}  // namespace zcb::alloc
