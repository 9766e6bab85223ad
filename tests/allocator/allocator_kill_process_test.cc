// A process is killed after every so many instructions of everything that it
// can do; whoever comes after must find every buffer, once.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <memory>

#include "tests/allocator/allocator_testing.h"
#include "tests/allocator/mailbox.h"

namespace zcb::alloc {
namespace {

using testing::Mailbox;

constexpr std::uint32_t kUnits = 4;
constexpr std::uint64_t kBytes = 64 * 1024;

class AllocatorKillTest : public testing::AllocatorTest {
 protected:
  AllocatorKillTest() : AllocatorTest(kUnits), box_(*region()) {
    options_ = region()->options();
    EndAllocator();
  }

  // An abandoned unit, of which one buffer is still on its way.
  void Prepare() {
    NewAllocator();
    ASSERT_TRUE(Mailbox::Send(box_, allocator(), MustAlloc(kBytes), 0));
    EndAllocator();
  }

  // Adopts, receives, sends, cancels, makes and frees runs and extents.
  static void Live(Mailbox& box, Allocator& mine) {
    const auto first = mine.Alloc(kBytes);
    Mailbox::Receive(box, mine, 0);
    if (first) Mailbox::Send(box, mine, *first, 1);
    if (const auto second = mine.Alloc(kBytes)) {
      Mailbox::Send(box, mine, *second, 1);  // taken: cancelled
      mine.Free(*second).ok();
    }
    Mailbox::Receive(box, mine, 1);
    if (const auto run = mine.Alloc(9 * kGranuleBytes)) {
      Mailbox::Send(box, mine, *run, 2);
    }
    if (const auto extent = mine.Alloc(2 * kUnitBytes)) {
      Mailbox::Send(box, mine, *extent, 3);
      Mailbox::Receive(box, mine, 3);
    }
    if (const auto extent = mine.Alloc(kUnitBytes + 1)) {
      mine.Free(*extent).ok();
    }
    if (const auto extent = mine.Alloc(kUnitBytes)) {
      Mailbox::Send(box, mine, *extent, 4);
    }
  }

  [[noreturn]] void BeTheVictim() {
    const auto own = Region::Open(options_);
    if (!own) ::_exit(2);
    const auto mine = testing::MakeAllocator(*own);
    Mailbox box(**own);
    box.lease_of(0).store(std::uint64_t{(*own)->lease().generation} << 16 |
                          (*own)->lease().slot);
    ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    ::raise(SIGSTOP);
    Live(box, *mine);
    ::_exit(0);
  }

  // Lets a victim live for so many instructions. False: it came to its end.
  bool RunAndKill(std::uint64_t instructions) {
    const pid_t victim = ::fork();
    if (victim == 0) BeTheVictim();
    int state = 0;
    bool stopped = false;
    while (::waitpid(victim, &state, 0) == victim && WIFSTOPPED(state)) {
      stopped = true;
      if (instructions-- == 0) {
        ::kill(victim, SIGKILL);
        ::waitpid(victim, &state, 0);
        return true;
      }
      ::ptrace(PTRACE_SINGLESTEP, victim, nullptr, nullptr);
    }
    EXPECT_TRUE(stopped && WIFEXITED(state) && WEXITSTATUS(state) == 0);
    return false;
  }

  void ReapAndAudit(std::uint64_t instructions) {
    const std::uint64_t lease = box_.lease_of(0).load();
    const LeaseId dead{static_cast<std::uint16_t>(lease & 0xffff),
                       static_cast<std::uint32_t>(lease >> 16)};
    NewAllocator();
    ASSERT_TRUE(region()->MarkDeadIfGone(dead));
    allocator().ReapUnits(dead, &Mailbox::Holds, &box_);
    region()->FreeDeadLease(dead);
    for (std::uint32_t i = 0; i < 5; ++i) {
      Mailbox::Receive(box_, allocator(), i);
    }
    ASSERT_EQ(AllocAll(kBytes).size(), kUnits * kUnitBytes / kBytes)
        << "after " << instructions << " instructions";
    EndAllocator();
    for (std::uint32_t u = 0; u < kUnits; ++u) {
      // The live buffers of the audit keep their units from being given back.
      ASSERT_EQ(unit(u).kind(), UnitWord::Kind::kAbandoned);
    }
    // Back to the start.
    NewAllocator();
    FreeAll(AllocAll(kBytes));
    EndAllocator();
    for (std::uint32_t u = 0; u < kUnits; ++u) {
      ASSERT_EQ(unit(u).kind(), UnitWord::Kind::kFree);
    }
  }

  RegionOptions options_;
  Mailbox box_;
};

TEST_F(AllocatorKillTest, AKillAfterAnyInstructionLosesNothing) {
  // ZCB_KILL_STRIDE=1 is the whole truth, and takes an hour.
  const char* const wanted = std::getenv("ZCB_KILL_STRIDE");
  const unsigned long stride =
      wanted != nullptr ? std::strtoul(wanted, nullptr, 10) : 499;
  ASSERT_GT(stride, 0U);
  std::uint64_t at = std::random_device{}() % stride;
  std::printf("every %luth instruction, from %lu on\n", stride, at);
  int points = 0;
  for (;; at += stride, ++points) {
    Prepare();
    const bool killed = RunAndKill(at);
    ReapAndAudit(at);
    if (!killed || HasFatalFailure()) break;
  }
  EXPECT_GE(points, 10);
  std::printf("%d kills\n", points);
}

}  // namespace
}  // namespace zcb::alloc
