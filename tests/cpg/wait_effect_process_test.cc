// What a thread that waits does meanwhile: the options say how, and the kernel
// says whether.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>

#include "tests/cpg/abandoned_memory.h"
#include "tests/cpg/client.h"
#include "tests/support/child_process.h"

namespace zcb::cpg::testing {
namespace {

using zcb::testing::ChildProcess;

const RegionOfThisTest region_of_this_test;

// A thread that dispatches one event, in a way that the caller chooses.
class Waiting {
 public:
  template <typename Prepare>
  Waiting(std::uint64_t wait, std::uint64_t park, Prepare&& prepare) {
    EXPECT_EQ(cpg_zcb_option_set(client_.handle, CPG_ZCB_OPTION_WAIT, wait),
              CS_OK);
    EXPECT_EQ(cpg_zcb_option_set(client_.handle, CPG_ZCB_OPTION_PARK, park),
              CS_OK);
    client_.Enter("effect");
    prepare(client_);
    thread_ = std::thread([this] {
      tid_ = static_cast<pid_t>(syscall(SYS_gettid));
      EXPECT_EQ(client_.Dispatch(CS_DISPATCH_ONE), CS_OK);
    });
  }
  ~Waiting() {
    EXPECT_EQ(client_.Send("x"), CS_OK);
    thread_.join();
    EXPECT_EQ(client_.messages.size(), 1U);
  }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;

  // The system call in which it sleeps, once it does.
  long WaitForCall() const {
    for (;;) {
      // "running", or the number and its arguments.
      std::ifstream file("/proc/self/task/" + std::to_string(tid_) +
                         "/syscall");
      std::string text;
      file >> text;
      const bool is_number = !text.empty() && text[0] >= '0' && text[0] <= '9';
      const long number = is_number ? std::stol(text) : -1;
      if (number == SYS_poll || number == SYS_futex) return number;
      std::this_thread::yield();
    }
  }

 private:
  Client client_;
  std::atomic<pid_t> tid_{0};
  std::thread thread_;
};

bool CanReadCalls() {
  std::ifstream file("/proc/self/syscall");
  std::string text;
  return static_cast<bool>(file >> text);
}

TEST(WaitEffectTest, ThreadSleepsWhereTheOptionsSay) {
  if (!CanReadCalls()) GTEST_SKIP() << "no /proc/PID/syscall here";
  const auto nothing = [](Client&) {};
  for (const std::uint64_t wait : {CPG_ZCB_WAIT_ADAPTIVE, CPG_ZCB_WAIT_PARK}) {
    EXPECT_EQ(Waiting(wait, CPG_ZCB_PARK_FUTEX, nothing).WaitForCall(),
              SYS_futex);
    EXPECT_EQ(Waiting(wait, CPG_ZCB_PARK_DESCRIPTOR, nothing).WaitForCall(),
              SYS_poll);
    // Whoever has the descriptor looks at it: all hear one bell.
    EXPECT_EQ(Waiting(wait, CPG_ZCB_PARK_FUTEX,
                      [](Client& client) {
                        int fd = -1;
                        EXPECT_EQ(cpg_fd_get(client.handle, &fd), CS_OK);
                      })
                  .WaitForCall(),
              SYS_poll);
  }
}

// From here on, of this thread: to wait in the kernel is death.
bool ForbidSleep() {
  const auto kill_at = [](unsigned number) {
    return sock_filter(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1));
  };
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      kill_at(SYS_futex),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
      kill_at(SYS_poll),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
      kill_at(SYS_ppoll),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter{sizeof(program) / sizeof(program[0]), program};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

constexpr int kNoFilter = 77;

// How a child ends whose time limit passes while it must not sleep.
int WaitWithoutSleep(std::uint64_t wait, std::uint64_t park, int timeout_ms) {
  ChildProcess child([&] {
    Client client(CPG_MODEL_ZCB);
    EXPECT_EQ(cpg_zcb_option_set(client.handle, CPG_ZCB_OPTION_WAIT, wait),
              CS_OK);
    EXPECT_EQ(cpg_zcb_option_set(client.handle, CPG_ZCB_OPTION_PARK, park),
              CS_OK);
    client.Enter("no-sleep");
    if (!ForbidSleep()) return kNoFilter;
    cpg_zcb_message message{};
    const cs_error_t error =
        cpg_zcb_next_timed(client.handle, &message, timeout_ms);
    return error == CS_ERR_TIMEOUT ? 0 : 1;
  });
  return child.Join();
}

TEST(WaitEffectTest, ThreadThatSpinsDoesNotSleepAndTheOthersDo) {
  constexpr int kKilled = 128 + SIGSYS;
  const int first = WaitWithoutSleep(CPG_ZCB_WAIT_SPIN, CPG_ZCB_PARK_FUTEX, 20);
  if (first == kNoFilter) GTEST_SKIP() << "no seccomp filters here";
  EXPECT_EQ(first, 0);
  for (const std::uint64_t park :
       {CPG_ZCB_PARK_FUTEX, CPG_ZCB_PARK_DESCRIPTOR}) {
    EXPECT_EQ(WaitWithoutSleep(CPG_ZCB_WAIT_SPIN, park, 20), 0);
    EXPECT_EQ(WaitWithoutSleep(CPG_ZCB_WAIT_PARK, park, 20), kKilled);
    EXPECT_EQ(WaitWithoutSleep(CPG_ZCB_WAIT_ADAPTIVE, park, 20), kKilled);
    // No time, no sleep.
    EXPECT_EQ(WaitWithoutSleep(CPG_ZCB_WAIT_PARK, park, 0), 0);
    EXPECT_EQ(WaitWithoutSleep(CPG_ZCB_WAIT_ADAPTIVE, park, 0), 0);
  }
}

}  // namespace
}  // namespace zcb::cpg::testing
