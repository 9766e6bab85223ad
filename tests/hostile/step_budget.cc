#include "tests/hostile/step_budget.h"

#include <execinfo.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

namespace zcb::hostile {
namespace {

// A clock that ticks once a second, and the call at the last tick.
struct Clock {
  clockid_t id;
  int most_ticks;
  const char* what;
  std::uint64_t call = 0;
  int ticks = 0;
};

Clock clocks[] = {
    {CLOCK_PROCESS_CPUTIME_ID, kMostCpuSeconds, "seconds of processor time"},
    {CLOCK_MONOTONIC, kMostSeconds, "seconds"},
};
std::uint64_t watched_seed = 0;
std::atomic<std::uint64_t> call_number{0};
std::atomic<const char*> call_name{"nothing"};

// In a signal handler; it ends the process, so it may do what it likes.
[[noreturn]] void Report(const Clock& clock) {
  std::fprintf(stderr, "hang: seed %llu: %s has taken %d %s\n",
               static_cast<unsigned long long>(watched_seed),
               call_name.load(std::memory_order_relaxed), clock.ticks,
               clock.what);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_print_stack_trace();
#else
  void* frames[64];
  backtrace_symbols_fd(frames, backtrace(frames, 64), STDERR_FILENO);
#endif
  _exit(kHangExitCode);
}

void OnTick(int, siginfo_t* info, void*) {
  Clock& clock = *static_cast<Clock*>(info->si_value.sival_ptr);
  const std::uint64_t call = call_number.load(std::memory_order_relaxed);
  if (call != clock.call) {
    clock.call = call;
    clock.ticks = 0;
  } else if (++clock.ticks >= clock.most_ticks) {
    Report(clock);
  }
}

}  // namespace

void WatchCalls(std::uint64_t seed) {
  watched_seed = seed;
  void* frame[1];
  (void)backtrace(frame, 1);  // loads what it needs before a handler may not
  struct sigaction action = {};
  action.sa_sigaction = &OnTick;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  sigaction(SIGRTMIN, &action, nullptr);
  for (Clock& clock : clocks) {
    sigevent event = {};
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = SIGRTMIN;
    event.sigev_value.sival_ptr = &clock;
    event._sigev_un._tid = static_cast<pid_t>(syscall(SYS_gettid));
    timer_t timer = nullptr;
    itimerspec second = {};
    second.it_interval.tv_sec = second.it_value.tv_sec = 1;
    if (timer_create(clock.id, &event, &timer) != 0 ||
        timer_settime(timer, 0, &second, nullptr) != 0) {
      std::abort();
    }
  }
}

void BeginCall(const char* name) {
  call_name.store(name, std::memory_order_relaxed);
  call_number.store(call_number.load(std::memory_order_relaxed) + 1,
                    std::memory_order_relaxed);
}

}  // namespace zcb::hostile
