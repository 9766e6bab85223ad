#include "cpg/jump_guard.h"

#include <gtest/gtest.h>
#include <setjmp.h>

#include <string>
#include <thread>

namespace zcb::cpg {
namespace {

// Ordinary memory: what a jump leaves on the stack is not to be relied on.
jmp_buf home;
std::string log_of_jumps;

void Note(void* name) { log_of_jumps += static_cast<const char*>(name); }

// Not instrumented: a guard has to lie on the stack itself.
#define ON_THE_STACK __attribute__((noinline, no_sanitize_address))

char kA[] = "a";
char kB[] = "b";
char kC[] = "c";

ON_THE_STACK void Jump() { longjmp(home, 1); }

ON_THE_STACK void ArmAndJump() {
  JumpGuard outer;
  outer.Arm(&Note, kA);
  JumpGuard inner;
  inner.Arm(&Note, kB);
  Jump();
}

ON_THE_STACK void ArmAndReturn() {
  JumpGuard guard;
  guard.Arm(&Note, kC);
}

ON_THE_STACK void JumpInside() {
  JumpGuard guard;
  guard.Arm(&Note, kA);
  jmp_buf here;
  if (setjmp(here) == 0) longjmp(here, 1);
  EXPECT_TRUE(guard.armed());
}

void CatchJump(void (*body)()) {
  log_of_jumps.clear();
  if (setjmp(home) == 0) body();
}

TEST(JumpGuardTest, JumpPastItCallsInnermostFirst) {
  CatchJump(&ArmAndJump);
  EXPECT_EQ(log_of_jumps, "ba");
}

TEST(JumpGuardTest, JumpAfterItsEndOrInsideItsFrameCallsNothing) {
  CatchJump([] {
    ArmAndReturn();
    JumpInside();
    Jump();
  });
  EXPECT_EQ(log_of_jumps, "");
}

TEST(JumpGuardTest, EveryThreadHasItsOwn) {
  std::thread([] {
    CatchJump(&ArmAndJump);
    EXPECT_EQ(log_of_jumps, "ba");
    CatchJump(&ArmAndReturn);
    EXPECT_EQ(log_of_jumps, "");
  }).join();
}

ON_THE_STACK void EndInAnyOrder() {
  JumpGuard first;
  JumpGuard second;
  JumpGuard third;
  first.Arm(&Note, kA);
  second.Arm(&Note, kB);
  third.Arm(&Note, kC);
  // As coroutines do: the first begun is the first to end.
  first.Disarm();
  EXPECT_FALSE(first.armed());
  first.Disarm();
  second.Disarm();
  Jump();
}

TEST(JumpGuardTest, GuardsMayEndInAnyOrder) {
  CatchJump(&EndInAnyOrder);
  EXPECT_EQ(log_of_jumps, "c");
  CatchJump(&Jump);
  EXPECT_EQ(log_of_jumps, "");
}

TEST(JumpGuardTest, ExceptionPassesWithoutACall) {
  log_of_jumps.clear();
  EXPECT_THROW(
      {
        JumpGuard guard;
        guard.Arm(&Note, kA);
        throw 7;
      },
      int);
  CatchJump(&Jump);
  EXPECT_EQ(log_of_jumps, "");
}

}  // namespace
}  // namespace zcb::cpg
