#include "bench/process_pair.h"

#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <exception>
#include <filesystem>
#include <new>
#include <system_error>

#include "bench/failure.h"

namespace zcb::bench {
namespace {

int ParseCpu(std::string_view text) {
  int cpu = -1;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), cpu);
  if (error != std::errc() || end != text.data() + text.size() || cpu < 0 ||
      cpu >= CPU_SETSIZE) {
    Fail("not a CPU number: '{}'", text);
  }
  return cpu;
}

// Signals that end or steer a run are taken by sigtimedwait(2), while blocked.
class BlockedSignals {
 public:
  BlockedSignals() {
    sigemptyset(&set_);
    for (const int signal : {SIGCHLD, SIGINT, SIGTERM})
      sigaddset(&set_, signal);
    sigprocmask(SIG_BLOCK, &set_, &before_);
  }
  ~BlockedSignals() { Restore(); }
  BlockedSignals(const BlockedSignals&) = delete;
  BlockedSignals& operator=(const BlockedSignals&) = delete;

  void Restore() const { sigprocmask(SIG_SETMASK, &before_, nullptr); }
  // The signal, or -1 when `limit` is over.
  int Take(const timespec& limit) const {
    int signal = -1;
    do {
      signal = sigtimedwait(&set_, nullptr, &limit);
    } while (signal < 0 && errno == EINTR);
    return signal;
  }

 private:
  sigset_t set_{};
  sigset_t before_{};
};

// Children that are killed, by pid, unless they were waited for.
class Children {
 public:
  Children() = default;
  ~Children() {
    for (const pid_t pid : pids_) {
      if (pid <= 0) continue;
      kill(pid, SIGKILL);
      while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
      }
    }
  }
  Children(const Children&) = delete;
  Children& operator=(const Children&) = delete;

  void Start(std::size_t index, int cpu, const SideFunction& run,
             PairPage& page, const BlockedSignals& signals) {
    std::fflush(nullptr);
    const pid_t parent = getpid();
    const pid_t pid = fork();
    if (pid < 0) Fail("fork: {}", std::strerror(errno));
    if (pid > 0) {
      pids_[index] = pid;
      return;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);  // it died before we asked
    signals.Restore();
    int status = 0;
    try {
      PinTo(cpu);
      run(page);
    } catch (const std::exception& error) {
      fmt::print(stderr, "bench: {}\n", error.what());
      status = 1;
    }
    std::fflush(nullptr);
    _exit(status);
  }

  // True when all have ended well; throws if one has not.
  bool AllEnded() {
    bool all = true;
    for (pid_t& pid : pids_) {
      int status = 0;
      if (pid <= 0) continue;
      if (waitpid(pid, &status, WNOHANG) != pid) {
        all = false;
        continue;
      }
      pid = 0;
      if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        Fail("one side failed (wait status {:#x})", status);
      }
    }
    return all;
  }

 private:
  std::array<pid_t, 2> pids_{};
};

struct SharedPage {
  SharedPage() {
    void* memory = mmap(nullptr, sizeof(PairPage), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) Fail("mmap: {}", std::strerror(errno));
    page = new (memory) PairPage{};
  }
  ~SharedPage() { munmap(page, sizeof(PairPage)); }
  SharedPage(const SharedPage&) = delete;
  SharedPage& operator=(const SharedPage&) = delete;
  PairPage* page = nullptr;
};

}  // namespace

void PinTo(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<unsigned>(cpu), &set);
  if (sched_setaffinity(0, sizeof(set), &set) != 0) {
    Fail("cannot pin to CPU {}: {}", cpu, std::strerror(errno));
  }
}

PairPlaces ParsePlaces(std::string_view text) {
  const std::size_t comma = text.find(',');
  if (comma == std::string_view::npos) Fail("want two CPUs, as in 0,1");
  const PairPlaces places{ParseCpu(text.substr(0, comma)),
                          ParseCpu(text.substr(comma + 1))};
  if (places.first_cpu == places.second_cpu) {
    Fail("the two sides spin, so they need two different CPUs");
  }
  return places;
}

PairFigures RunPair(PairPlaces places, unsigned limit_s,
                    const SideFunction& first, const SideFunction& second) {
  const SharedPage shared;
  const BlockedSignals signals;
  Children children;
  children.Start(0, places.first_cpu, first, *shared.page, signals);
  children.Start(1, places.second_cpu, second, *shared.page, signals);
  // In steps: a library with threads of its own, which block nothing, may have
  // SIGCHLD taken from us.
  constexpr unsigned kStepsPerSecond = 10;
  constexpr timespec kStep{0, 1'000'000'000 / kStepsPerSecond};
  unsigned steps_left = limit_s * kStepsPerSecond;
  while (!children.AllEnded()) {
    const int signal = signals.Take(kStep);
    if (signal < 0 && steps_left-- == 0) {
      Fail("the two sides did not end within {} s", limit_s);
    }
    if (signal >= 0 && signal != SIGCHLD) Fail("interrupted");
  }
  return shared.page->result;
}

void PatientSpin::GiveWay() { ::sched_yield(); }

void PassGate(PairPage& page, Side side) {
  auto& mine = side == Side::kFirst ? page.first_gate : page.second_gate;
  auto& other = side == Side::kFirst ? page.second_gate : page.first_gate;
  const std::uint64_t gate = mine.load(std::memory_order_relaxed) + 1;
  // release/acquire: what either side did before the gate is seen behind it.
  mine.store(gate, std::memory_order_release);
  for (PatientSpin spin; other.load(std::memory_order_acquire) < gate;) {
    spin.Turn();
  }
}

PrivateRegion::PrivateRegion() {
  if (getenv("ZCB_DIR") != nullptr) return;
  directory_ = "/dev/shm/zcb-bench-XXXXXX";
  if (mkdtemp(directory_.data()) == nullptr) {
    Fail("cannot make a directory in /dev/shm: {}", std::strerror(errno));
  }
  setenv("ZCB_DIR", directory_.c_str(), 1);
}

PrivateRegion::~PrivateRegion() {
  if (directory_.empty()) return;
  unsetenv("ZCB_DIR");
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

}  // namespace zcb::bench
