#include "tests/process/tracee.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>

namespace zcb::steps {
namespace {

constexpr std::uintptr_t DebugRegister(std::size_t number) {
  return offsetof(struct user, u_debugreg) + number * sizeof(std::uintptr_t);
}

// Of debug register 7: breakpoints 0 and 1 are on, at instructions.
constexpr std::uintptr_t kFirst = 1;
constexpr std::uintptr_t kSecond = 4;

void Poke(pid_t thread, std::size_t number, std::uintptr_t value) {
  if (ptrace(PTRACE_POKEUSER, thread, DebugRegister(number), value) != 0) {
    std::perror("steps: no hardware breakpoints");
    std::abort();
  }
}

pid_t WaitFor(pid_t pid, int* status, int options) {
  pid_t found = 0;
  do {
    found = waitpid(pid, status, options);
  } while (found < 0 && errno == EINTR);
  return found;
}

}  // namespace

// A breakpoint stands at its first instruction.
[[gnu::noinline]] void Tracee::End() { asm volatile("nop"); }

[[gnu::noinline]] void Tracee::Begin(Board* board) {
  board->thread.store(static_cast<int>(syscall(SYS_gettid)));
  if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) _exit(99);
  // No call of libc's, whose rest would count.
  asm volatile("int3");
}

Tracee::Tracee(Board* board, const std::function<int()>& body) : board_(board) {
  board->thread.store(0);
  board->has_returned.store(false);
  board->sent.store(0);
  pid_ = fork();
  if (pid_ < 0) std::abort();
  if (pid_ == 0) _exit(body());
}

bool Tracee::WaitForBegin() {
  // The thread that will be traced need not be the first one.
  for (;;) {
    int status = 0;
    const pid_t found = WaitFor(-1, &status, __WALL);
    if (found < 0) std::abort();
    if (WIFSTOPPED(status) && found == board_->thread.load()) {
      thread_ = found;
      break;
    }
    if (found != pid_) continue;  // not ours to judge
    status_ = status;
    pid_ = -1;
    return false;
  }
  is_traced_ = true;
  ptrace(PTRACE_SETOPTIONS, thread_, nullptr, PTRACE_O_EXITKILL);
  return true;
}

Tracee::~Tracee() {
  if (pid_ > 0) Kill();
  int status = 0;
  if (zombie_ > 0 && WaitFor(zombie_, &status, __WALL) != zombie_) std::abort();
}

void Tracee::SetBreakpoints(std::uintptr_t pc) {
  if (pc == pc_set_) return;
  if (pc_set_ == 0) Poke(thread_, 1, reinterpret_cast<std::uintptr_t>(&End));
  Poke(thread_, 0, pc);
  Poke(thread_, 7, kFirst | kSecond);
  pc_set_ = pc;
}

void Tracee::ClearBreakpoints() {
  if (pc_set_ != 0) Poke(thread_, 7, 0);
  pc_set_ = 0;
}

std::uintptr_t Tracee::ReadPc() const {
  return static_cast<std::uintptr_t>(ptrace(
      PTRACE_PEEKUSER, thread_,
      offsetof(struct user, regs) + offsetof(user_regs_struct, rip), nullptr));
}

user_regs_struct Tracee::ReadRegisters() const {
  user_regs_struct registers{};
  ptrace(PTRACE_GETREGS, thread_, nullptr, &registers);
  return registers;
}

Tracee::Event Tracee::Wait(std::uintptr_t pc) {
  int status = 0;
  if (WaitFor(thread_, &status, __WALL) != thread_) std::abort();
  if (!WIFSTOPPED(status)) {
    is_traced_ = false;
    thread_is_gone_ = true;
    if (thread_ == pid_) {
      pid_ = -1;
      status_ = status;
    }
    if (WIFSIGNALED(status)) {
      signal_ = WTERMSIG(status);
      return Event::kDied;
    }
    return Event::kExited;
  }
  signal_ = WSTOPSIG(status);
  if (signal_ != SIGTRAP) return Event::kDied;
  signal_ = 0;
  const std::uintptr_t now = ReadPc();
  if (now == reinterpret_cast<std::uintptr_t>(&End)) return Event::kEnd;
  if (pc == 0 || now == pc) return Event::kThere;
  signal_ = SIGTRAP;
  return Event::kDied;
}

Tracee::Event Tracee::RunTo(std::uintptr_t pc, std::uint32_t hits) {
  SetBreakpoints(pc);
  Event event = Event::kThere;
  for (; hits != 0 && event == Event::kThere; --hits) {
    ptrace(PTRACE_CONT, thread_, nullptr, nullptr);
    event = Wait(pc);
  }
  return event;
}

Tracee::Event Tracee::Step() {
  ptrace(PTRACE_SINGLESTEP, thread_, nullptr, nullptr);
  return Wait(0);
}

Tracee::Event Tracee::RunToEnd() {
  return RunTo(reinterpret_cast<std::uintptr_t>(&End), 1);
}

void Tracee::Kill() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  int status = 0;
  if (thread_ > 0 && thread_ != pid_ && !thread_is_gone_) {
    WaitFor(thread_, &status, __WALL);
  }
  // Dead, and left there until the destructor. Taken away at once, the kernel
  // would spin as long as the last thread is still on its way out; which, on
  // one processor that others want as well, is half of all the time.
  siginfo_t info{};
  waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT | __WALL);
  zombie_ = pid_;
  pid_ = -1;
  is_traced_ = false;
}

void Tracee::Stop() {
  if (pid_ <= 0) return;  // gone; and -1 would be everybody
  if (pc_set_ != 0 && !thread_is_gone_) Poke(thread_, 7, 0);
  kill(pid_, SIGSTOP);
  if (is_traced_) ptrace(PTRACE_DETACH, thread_, nullptr, nullptr);
  is_traced_ = false;
  // A thread that was traced is nobody's to wait for any more.
  thread_is_gone_ = true;
  int status = 0;
  if (WaitFor(pid_, &status, WUNTRACED | __WALL) != pid_) std::abort();
  if (!WIFSTOPPED(status)) {
    status_ = status;
    pid_ = -1;
  }
}

void Tracee::Continue() {
  if (pid_ > 0) kill(pid_, SIGCONT);
}

int Tracee::Join() {
  int status = status_;
  while (pid_ > 0) {
    if (WaitFor(pid_, &status, __WALL) != pid_) std::abort();
    if (WIFSTOPPED(status)) continue;
    status_ = status;
    pid_ = -1;
  }
  return WIFEXITED(status_) ? WEXITSTATUS(status_) : 128 + WTERMSIG(status_);
}

}  // namespace zcb::steps
