#include "tests/order/run.h"

#include <corosync/cpg.h>
#include <corosync/cpg_zcb.h>
#include <poll.h>
#include <signal.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <utility>

#include "tests/order/dice.h"
#include "tests/order/journal.h"
#include "tests/order/participant.h"
#include "tests/order/worker.h"
#include "tests/support/child_process.h"
#include "tests/support/temp_directory.h"

namespace zcb::order {
namespace {

using Fate = WorkerOrders::Fate;
using testing::ChildProcess;
using testing::TempDirectory;

constexpr std::size_t kMostMemberships = 1 << 14;
constexpr std::size_t kLogBytes = 256 << 20;
constexpr std::uint32_t kWorkers = 16;
constexpr std::size_t kAtOnce = 5;

// A pipe whose ends belong to different processes after the fork.
struct Pipe {
  Pipe() {
    if (pipe(ends) != 0) std::abort();
  }
  ~Pipe() {
    CloseRead();
    CloseWrite();
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  void CloseRead() { Close(&ends[0]); }
  void CloseWrite() { Close(&ends[1]); }
  static void Close(int* end) {
    if (*end >= 0) close(std::exchange(*end, -1));
  }
  int ends[2];
};

// Sends through each group, and reads, until the next message of it is that
// number or a later one. A buffer's word has 16 bits of it.
void AgeRings(const GroupPlan& plan, std::uint64_t next_number) {
  for (std::uint32_t group = plan.first; group < plan.end(); ++group) {
    cpg_handle_t handle = 0;
    const cpg_name name = GroupName(group);
    if (cpg_model_initialize(&handle, CPG_MODEL_ZCB, nullptr, nullptr) !=
            CS_OK ||
        cpg_join(handle, &name) != CS_OK) {
      std::abort();
    }
    for (std::uint64_t number = 0; number + 1 < next_number;) {
      iovec byte{const_cast<char*>("x"), 1};
      for (int i = 0; i < 100; ++i) {
        if (cpg_mcast_joined(handle, CPG_TYPE_AGREED, &byte, 1) != CS_OK) {
          std::abort();
        }
      }
      cpg_zcb_message message{};
      while (cpg_zcb_next(handle, &message) == CS_OK) number = message.sequence;
    }
    (void)cpg_finalize(handle);
  }
}

class Coordinator {
 public:
  explicit Coordinator(std::uint64_t seed)
      : seed_(seed), dice_(seed), journal_(kMostMemberships, kLogBytes) {
    setenv("ZCB_DIR", directory_.path().c_str(), 1);
    // One that failed does not listen any more.
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR) std::abort();
    // Small units and a region that fills up, or neither.
    setenv("ZCB_REGION_BYTES", dice_.OneIn(2) ? "32m" : "256m", 1);
    // Rings that go round often and are full often, or not.
    const bool is_tight = dice_.OneIn(2);
    setenv("ZCB_RING_SLOTS", is_tight ? "1024" : "4096", 1);
    habits_.waits = dice_.OneIn(2);
    if (dice_.OneIn(2)) habits_.large_one_in = 64;
    if (dice_.OneIn(3)) {
      habits_.evicts_from = GroupPlan().first + GroupPlan().witnessed;
      habits_.evict_after_ms = 1 + dice_.Below(30);
    }
    for (const char* name : {"ZCB_REGION", "ZCB_NODEID", "ZCB_KEEP"}) {
      unsetenv(name);
    }
  }

  RunReport Run() {
    StartWitness();
    std::uint32_t started = 0;
    while (started < kWorkers || !workers_.empty()) {
      if (started < kWorkers && workers_.size() < kAtOnce) {
        StartWorker(started++);
      } else {
        WaitForSome();
      }
    }
    StopWitness();
    if (directory_.CountFiles() != 0) {
      journal_.Complain("files are left in the region's directory");
    }
    const History history = journal_.Read();
    report_.verdict = Verify(history);
    report_.complaints = journal_.Complaints();
    report_.memberships =
        static_cast<std::uint32_t>(history.memberships.size());
    return std::move(report_);
  }

 private:
  struct Worker {
    Pipe announces;
    std::unique_ptr<ChildProcess> process;
    bool dies = false;
  };

  void StartWitness() {
    witness_ = std::make_unique<ChildProcess>([&] {
      stop_.CloseWrite();
      WitnessOrders orders;
      orders.seed = seed_;
      orders.ready_to = ready_.ends[1];
      orders.stop_from = stop_.ends[0];
      // Every second run passes a multiple of 65,536 in each group.
      if (seed_ % 2 == 0) AgeRings(orders.plan, 65'536 - 500);
      // The last of them: what a clean exit gives back is a part of it.
      std::exit(RunWitness(&journal_, orders));
      return 0;
    });
    ready_.CloseWrite();
    ++report_.processes;
    char byte = 0;
    if (read(ready_.ends[0], &byte, 1) != 1) {
      journal_.Complain("the witness did not begin");
    }
  }

  void StopWitness() {
    stop_.CloseRead();
    const char byte = 1;
    if (write(stop_.ends[1], &byte, 1) != 1) {
      journal_.Complain("the witness does not listen");
    }
    ExpectExit(witness_.get(), false, "the witness");
  }

  WorkerOrders RollOrders(std::uint32_t number) {
    WorkerOrders orders;
    orders.seed = seed_;
    orders.stream = number;
    orders.habits = habits_;
    orders.threads = 1 + dice_.Below(3);
    orders.handles_per_thread = 1 + dice_.Below(3);
    orders.steps_per_thread = 200 + dice_.Below(800);
    if (!dice_.OneIn(3)) orders.sends_from_outside = 500 + dice_.Below(5000);
    constexpr Fate kFates[] = {Fate::kFinishes,    Fate::kFinishes,
                               Fate::kFinishes,    Fate::kVanishes,
                               Fate::kIsKilled,    Fate::kIsKilled,
                               Fate::kIsKilled,    Fate::kKillsItself,
                               Fate::kKillsItself, Fate::kKillsItselfHearing};
    orders.fate = kFates[dice_.Below(std::size(kFates))];
    orders.after = dice_.Below(orders.threads * orders.steps_per_thread);
    return orders;
  }

  void StartWorker(std::uint32_t number) {
    WorkerOrders orders = RollOrders(number);
    auto worker = std::make_unique<Worker>();
    worker->dies = orders.fate == Fate::kIsKilled ||
                   orders.fate == Fate::kKillsItself ||
                   orders.fate == Fate::kKillsItselfHearing;
    orders.announce_to = worker->announces.ends[1];
    worker->process = std::make_unique<ChildProcess>([&] {
      stop_.CloseWrite();
      return RunWorker(&journal_, orders);
    });
    worker->announces.CloseWrite();
    workers_.push_back(std::move(worker));
    ++report_.processes;
  }

  // Until one of them has announced that it may be killed now, or has ended.
  void WaitForSome() {
    std::vector<pollfd> waits;
    for (const auto& worker : workers_) {
      waits.push_back({worker->announces.ends[0], POLLIN, 0});
    }
    if (poll(waits.data(), waits.size(), -1) < 0) std::abort();
    for (std::size_t i = waits.size(); i-- > 0;) {
      if (waits[i].revents == 0) continue;
      if ((waits[i].revents & POLLIN) != 0) KillSoon(*workers_[i]->process);
      ExpectExit(workers_[i]->process.get(), workers_[i]->dies, "a worker");
      workers_.erase(workers_.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }

  // A moment later, whatever the victim does then.
  void KillSoon(const ChildProcess& victim) {
    Dice spin(dice_.Next());
    const std::uint32_t turns = dice_.Below(100'000);
    for (std::uint32_t i = 0; i < turns && spin.Next() != 0; ++i) {
    }
    victim.Kill();
  }

  void ExpectExit(ChildProcess* process, bool may_die, const char* who) {
    const int code = process->Join();
    if (code == 128 + SIGKILL && may_die) {
      ++report_.killed;
    } else if (code != 0) {
      journal_.Complain(std::string(who) + " ended with " +
                        std::to_string(code));
    }
  }

  const std::uint64_t seed_;
  Dice dice_;
  Habits habits_;
  TempDirectory directory_;
  Journal journal_;
  Pipe ready_;
  Pipe stop_;
  std::unique_ptr<ChildProcess> witness_;
  std::vector<std::unique_ptr<Worker>> workers_;
  RunReport report_;
};

}  // namespace

void RunReport::Add(const RunReport& good) {
  processes += good.processes;
  killed += good.killed;
  memberships += good.memberships;
  verdict.messages += good.verdict.messages;
  verdict.views += good.verdict.views;
  verdict.deliveries += good.verdict.deliveries;
  verdict.mentions += good.verdict.mentions;
}

RunReport RunSeed(std::uint64_t seed) { return Coordinator(seed).Run(); }

std::string ToText(const RunReport& report) {
  const Verdict& verdict = report.verdict;
  std::string text = std::to_string(report.processes) + " processes, " +
                     std::to_string(report.killed) + " killed, " +
                     std::to_string(report.memberships) + " joins, " +
                     std::to_string(verdict.messages) + " messages, " +
                     std::to_string(verdict.views) + " views, " +
                     std::to_string(verdict.deliveries) + " deliveries, " +
                     std::to_string(verdict.mentions) +
                     " mentions across groups\n";
  constexpr std::size_t kMost = 20;
  for (std::size_t i = 0; i < verdict.violations.size(); ++i) {
    if (i == kMost) {
      text += "  and " + std::to_string(verdict.violations.size() - kMost) +
              " more violations\n";
      break;
    }
    const Violation& violation = verdict.violations[i];
    text += "  " + std::string(NameOf(violation.kind)) + ": membership " +
            std::to_string(violation.membership) + " " + violation.text + "\n";
  }
  for (const std::string& complaint : report.complaints) {
    text += "  " + complaint + "\n";
  }
  return text;
}

}  // namespace zcb::order
