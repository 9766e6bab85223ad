// Something else, before any one instruction of a piece of code: what another
// thread may do there. x86-64, by the trap flag; sanitizers' runtimes and qemu
// are in its way.
#ifndef ZCB_TESTS_SUPPORT_SINGLE_STEP_H_
#define ZCB_TESTS_SUPPORT_SINGLE_STEP_H_

#include <gtest/gtest.h>
#include <signal.h>
#include <ucontext.h>

#include <functional>

#if !defined(__x86_64__)
#error "steps by the trap flag of x86-64"
#endif

namespace zcb::testing {

// One at a time. While it lives SIGTRAP is its own.
class SingleStep {
 public:
  SingleStep() {
    struct sigaction action = {};
    action.sa_sigaction = OnTrap;
    action.sa_flags = SA_SIGINFO;
    EXPECT_EQ(::sigaction(SIGTRAP, &action, &before_), 0);
  }
  ~SingleStep() { ::sigaction(SIGTRAP, &before_, nullptr); }
  SingleStep(const SingleStep&) = delete;
  SingleStep& operator=(const SingleStep&) = delete;

  // Runs `body`, and `interruption` once, in a signal handler, before that
  // instruction of it. False: it has fewer, and was not interrupted.
  template <typename Body>
  static bool Run(int instruction, std::function<void()> interruption,
                  Body&& body) {
    running().interruption = std::move(interruption);
    running().instructions_left = instruction;
    running().is_stepping = true;
    SetTrapFlag();
    body();
    ClearTrapFlag();
    const bool was_interrupted = !running().is_stepping;
    running().is_stepping = false;
    return was_interrupted;
  }

 private:
  static constexpr long long kTrapFlag = 1 << 8;

  // A signal handler has no argument of ours.
  struct Running {
    std::function<void()> interruption;
    int instructions_left = 0;
    volatile bool is_stepping = false;
  };
  static Running& running() {
    static Running running;
    return running;
  }

  static void OnTrap(int, siginfo_t*, void* context) {
    if (running().instructions_left-- > 0) return;
    auto& registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
    registers[REG_EFL] &= ~kTrapFlag;
    running().is_stepping = false;
    running().interruption();
  }

  // From the next instruction but one on, until the handler has had enough.
  [[gnu::noinline]] static void SetTrapFlag() {
    asm volatile(
        "pushfq\n"
        "orq $0x100, (%%rsp)\n"
        "popfq\n" ::
            : "memory", "cc");
  }
  [[gnu::noinline]] static void ClearTrapFlag() {
    asm volatile(
        "pushfq\n"
        "andq $~0x100, (%%rsp)\n"
        "popfq\n" ::
            : "memory", "cc");
  }

  struct sigaction before_ = {};
};

}  // namespace zcb::testing

#endif  // ZCB_TESTS_SUPPORT_SINGLE_STEP_H_
