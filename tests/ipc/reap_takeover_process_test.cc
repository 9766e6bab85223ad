// Of all who notice a death, the one that marks it puts things right, and the
// others leave it to him. If he does not, they do.
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>

#include <memory>
#include <string>

#include "allocator/lease_word.h"
#include "tests/ipc/member_fixture.h"
#include "tests/support/child_process.h"

namespace zcb::ipc {
namespace {

using namespace testing;  // NOLINT: the fixture's helpers
using zcb::testing::ChildProcess;
using zcb::testing::Gate;
using zcb::testing::TempDirectory;

// Reads until an event comes that is that text. A hang is the watchdog's.
void AwaitEvent(Member& member, const std::string& text) {
  while (ReadOne(member) != text) sched_yield();
}

TEST(ReapTakeoverTest, DeathMarkedByOneWhoGoesNoFurtherIsToldAllTheSame) {
  const TempDirectory directory;
  Gate ready;
  Gate told;
  Gate never;
  ChildProcess survivor([&] {
    const auto attached = Attachment::Open(OptionsIn(directory.path()));
    if (!attached) return 1;
    const Joined joined = JoinGroup(**attached, "room");
    ready.Signal();
    AwaitEvent(*joined.member, "join 2");
    ready.Signal();
    AwaitEvent(*joined.member, "down 1");
    told.Signal();
    never.Wait();
    return 0;
  });
  ready.Wait();
  ChildProcess victim([&] {
    const auto attached = Attachment::Open(OptionsIn(directory.path()));
    if (!attached) return 1;
    const Joined joined = JoinGroup(**attached, "room");
    ready.Signal();
    never.Wait();
    return 0;
  });
  ready.Wait();
  ready.Wait();  // the survivor watches the victim
  const auto mine = Attachment::Open(OptionsIn(directory.path()));
  ASSERT_TRUE(mine.ok()) << mine.reason();
  const alloc::LeaseId dead{
      1, alloc::LeaseWord(
             (*mine)->region().lease_word(1).load(std::memory_order_acquire))
             .generation()};

  survivor.Kill(SIGSTOP);
  int status = 0;
  ASSERT_EQ(waitpid(survivor.pid(), &status, WUNTRACED), survivor.pid());
  ASSERT_TRUE(WIFSTOPPED(status));
  victim.Kill();
  ASSERT_EQ(victim.Join(), 128 + SIGKILL);
  ASSERT_TRUE((*mine)->region().MarkDeadIfGone(dead));  // and nothing else
  survivor.Kill(SIGCONT);
  told.Wait();
  // The last step of reaping.
  while (alloc::LeaseWord((*mine)->region().lease_word(dead.slot).load(
                              std::memory_order_acquire))
             .IsDead(dead.generation)) {
    sched_yield();
  }
}

}  // namespace
}  // namespace zcb::ipc
