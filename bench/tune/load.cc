#include "bench/tune/load.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <string_view>

#include "bench/clock.h"
#include "bench/failure.h"
#include "bench/tune/load_board.h"
#include "bench/tune/load_process.h"

namespace zcb::bench::tune {
namespace {

// So long everybody may take to join, and to stop.
constexpr std::uint64_t kLimitNs = 30'000'000'000;

void SleepNs(std::uint64_t ns) {
  const timespec time{static_cast<time_t>(ns / 1'000'000'000),
                      static_cast<long>(ns % 1'000'000'000)};
  nanosleep(&time, nullptr);
}

std::uint64_t NsOf(double seconds) {
  return static_cast<std::uint64_t>(seconds * 1e9);
}

struct Unmap {
  void operator()(LoadBoard* board) const { munmap(board, sizeof(LoadBoard)); }
};

std::unique_ptr<LoadBoard, Unmap> MakeBoard() {
  void* const memory = mmap(nullptr, sizeof(LoadBoard), PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) Fail("mmap: {}", std::strerror(errno));
  return std::unique_ptr<LoadBoard, Unmap>(static_cast<LoadBoard*>(memory));
}

void RunOn(const std::vector<int>& cpus) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int cpu : cpus) CPU_SET(static_cast<unsigned>(cpu), &set);
  if (sched_setaffinity(0, sizeof(set), &set) != 0) {
    Fail("cannot run on these CPUs: {}", std::strerror(errno));
  }
}

// The run's processes: killed, by their ids, unless they have ended.
class Crew {
 public:
  Crew(const Workload& workload, const LoadPlan& plan, const Setting& setting,
       LoadBoard& board)
      : workload_(workload), plan_(plan), setting_(setting), board_(board) {}
  ~Crew() {
    for (const pid_t pid : pids_) {
      kill(pid, SIGKILL);
      while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
      }
    }
  }
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  void Start() {
    const unsigned processes = workload_.senders + workload_.receivers;
    if (processes > LoadBoard::kMostProcesses) {
      Fail("{} processes are too many", processes);
    }
    for (unsigned i = 0; i < processes; ++i) {
      const bool has_cpu = processes <= plan_.cpus.size();
      const LoadRole role{i,         i < workload_.senders,
                          processes, workload_.rate_per_s / workload_.senders,
                          has_cpu,   plan_.touched};
      StartOne(role, has_cpu ? std::vector{plan_.cpus[i]} : plan_.cpus);
    }
  }

  void AwaitReady() {
    const std::uint64_t end = MonotonicNs() + kLimitNs;
    // acquire: what they wrote before
    while (board_.ready.load(std::memory_order_acquire) < pids_.size()) {
      if (Collect()) Fail("a process ended early");
      if (MonotonicNs() > end) Fail("not all could join in time");
      SleepNs(200'000);
    }
  }

  void AwaitEnd() {
    const std::uint64_t end = MonotonicNs() + kLimitNs;
    while (!pids_.empty()) {
      if (!Collect()) SleepNs(200'000);
      if (MonotonicNs() > end) Fail("not all ended in time");
    }
  }

 private:
  void StartOne(const LoadRole& role, const std::vector<int>& cpus) {
    std::fflush(nullptr);
    const pid_t parent = getpid();
    const pid_t pid = fork();
    if (pid < 0) Fail("fork: {}", std::strerror(errno));
    if (pid > 0) {
      pids_.push_back(pid);
      return;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);  // it died before we asked
    int status = 0;
    try {
      RunOn(cpus);
      setenv("ZCB_DIR", plan_.directory.c_str(), 1);
      setenv("ZCB_REGION", "tune", 1);
      for (const auto& [variable, value] : setting_) {
        setenv(variable.c_str(), value.c_str(), 1);
      }
      RunProcess(workload_, role, board_);
    } catch (const std::exception& error) {
      const std::string_view why = error.what();
      auto& room = board_.processes[role.index].failure;
      std::copy_n(why.begin(), std::min(why.size(), room.size() - 1),
                  room.begin());
      status = 1;
    }
    _exit(status);
  }

  // True if one has ended; throws if it has not ended well.
  bool Collect() {
    for (std::size_t i = 0; i < pids_.size(); ++i) {
      int status = 0;
      if (waitpid(pids_[i], &status, WNOHANG) != pids_[i]) continue;
      pids_.erase(pids_.begin() + static_cast<std::ptrdiff_t>(i));
      if (status != 0) FailAsTheyDid();
      return true;
    }
    return false;
  }

  [[noreturn]] void FailAsTheyDid() const {
    for (const ProcessFigures& process : board_.processes) {
      if (process.failure[0] != 0) Fail("{}", process.failure.data());
    }
    Fail("a process was killed");
  }

  const Workload& workload_;
  const LoadPlan& plan_;
  const Setting& setting_;
  LoadBoard& board_;
  std::vector<pid_t> pids_;
};

LoadFigures Evaluate(const Workload& workload, const LoadBoard& board) {
  LoadFigures figures;
  figures.pages = board.pages.data();
  const auto latency = std::make_unique<LatencyHistogram>();
  double processor_ns = 0;
  double read_messages = 0;
  for (unsigned i = 0; i < workload.senders + workload.receivers; ++i) {
    const ProcessFigures& process = board.processes[i];
    const bool sends = i < workload.senders;
    figures.refused += process.refused;
    processor_ns += static_cast<double>(sends && workload.rate_per_s > 0
                                            ? process.sending_ns
                                            : process.processor_ns);
    if (sends) continue;
    if (process.messages == 0 || process.window_ns == 0) {
      Fail("a receiver got no message in the measured time");
    }
    const double rate = static_cast<double>(process.messages) /
                        static_cast<double>(process.window_ns) * 1e9;
    if (figures.messages_per_s == 0 || rate < figures.messages_per_s) {
      figures.messages_per_s = rate;
    }
    read_messages += static_cast<double>(process.messages);
    latency->Merge(process.latency);
  }
  figures.p50_ns = latency->Quantile(0.50);
  figures.p90_ns = latency->Quantile(0.90);
  figures.p99_ns = latency->Quantile(0.99);
  figures.max_ns = static_cast<double>(latency->most_ns());
  figures.processor_ns_per_message =
      processor_ns / (read_messages / workload.receivers);
  return figures;
}

}  // namespace

LoadFigures RunLoad(const Workload& workload, const LoadPlan& plan,
                    const Setting& setting) {
  const auto board = MakeBoard();
  Crew crew(workload, plan, setting, *board);
  crew.Start();
  crew.AwaitReady();
  const auto enter = [&board](Phase phase) {
    // relaxed: nothing is carried with it but the time
    board->phase.store(phase, std::memory_order_relaxed);
  };
  enter(Phase::kWarmUp);
  SleepNs(NsOf(plan.warm_up_s));
  enter(Phase::kMeasure);
  SleepNs(NsOf(plan.window_s));
  enter(Phase::kStop);
  crew.AwaitEnd();
  return Evaluate(workload, *board);
}

double CostOf(const Workload& workload, const LoadFigures& figures) {
  if (workload.goal == Goal::kLatency) {
    return figures.LatencyNs(workload.percentile);
  }
  return workload.rate_per_s > 0 ? figures.processor_ns_per_message
                                 : 1e9 / figures.messages_per_s;
}

}  // namespace zcb::bench::tune
