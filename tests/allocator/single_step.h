// A child process that is killed after so many instructions.
#ifndef ZCB_TESTS_ALLOCATOR_SINGLE_STEP_H_
#define ZCB_TESTS_ALLOCATOR_SINGLE_STEP_H_

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <random>

namespace zcb::alloc::testing {

// In the child: its instructions count from here on.
inline void CountFromHere() {
  ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
  ::raise(SIGSTOP);
}

// Forks a child that runs `body`, which calls CountFromHere() once. False: it
// came to its end before that many instructions.
template <typename Body>
bool KillAfter(std::uint64_t instructions, const Body& body) {
  const pid_t victim = ::fork();
  if (victim == 0) {
    body();
    ::_exit(0);
  }
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

// Where to kill: every stride-th instruction, from a random one on. The
// environment says ZCB_KILL_STRIDE=1 for the whole truth.
struct KillPoints {
  explicit KillPoints(unsigned long everyday_stride) : stride(everyday_stride) {
    const char* const wanted = std::getenv("ZCB_KILL_STRIDE");
    if (wanted != nullptr) stride = std::strtoul(wanted, nullptr, 10);
    if (stride == 0) stride = 1;
    first = std::random_device{}() % stride;
  }
  unsigned long stride;
  unsigned long first = 0;
};

}  // namespace zcb::alloc::testing

#endif  // ZCB_TESTS_ALLOCATOR_SINGLE_STEP_H_
