// A process that is killed after a given number of its instructions.
#ifndef ZCB_TESTS_ALLOCATOR_SINGLE_STEP_H_
#define ZCB_TESTS_ALLOCATOR_SINGLE_STEP_H_

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>

namespace zcb::alloc::testing {

// In the victim: from here on its instructions count.
inline void StartCounting() {
  ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
  ::raise(SIGSTOP);
}

// Forks a process that runs `victim` (which calls StartCounting() and ends with
// _exit(0)), and kills it after so many instructions. False: it came to its
// end.
template <typename Victim>
bool RunAndKill(std::uint64_t instructions, Victim victim) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    victim();
    ::_exit(3);
  }
  int state = 0;
  bool stopped = false;
  while (::waitpid(pid, &state, 0) == pid && WIFSTOPPED(state)) {
    stopped = true;
    if (instructions-- == 0) {
      ::kill(pid, SIGKILL);
      ::waitpid(pid, &state, 0);
      return true;
    }
    ::ptrace(PTRACE_SINGLESTEP, pid, nullptr, nullptr);
  }
  EXPECT_TRUE(stopped && WIFEXITED(state) && WEXITSTATUS(state) == 0);
  return false;
}

// Calls `run(instructions)` for every nth instruction, from a random start,
// until it says that the victim came to its end. ZCB_KILL_STRIDE=1 is the whole
// truth, and takes an hour.
template <typename Run>
void ForEachKill(unsigned long default_stride, Run run) {
  const char* const wanted = std::getenv("ZCB_KILL_STRIDE");
  const unsigned long stride =
      wanted != nullptr ? std::strtoul(wanted, nullptr, 10) : default_stride;
  ASSERT_GT(stride, 0U);
  std::uint64_t at = std::random_device{}() % stride;
  std::printf("every %luth instruction, from %lu on\n", stride, at);
  int points = 0;
  for (; run(at); at += stride, ++points) {
  }
  EXPECT_GE(points, 10);
  std::printf("%d kills in %llu instructions\n", points,
              static_cast<unsigned long long>(at));
}

}  // namespace zcb::alloc::testing

#endif  // ZCB_TESTS_ALLOCATOR_SINGLE_STEP_H_
