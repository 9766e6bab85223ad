// Starting, stopping and killing; crowd_watch.cc has the rest.
#include "tests/storm/crowd.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <utility>

#include "allocator/zcb_allocator.h"
#include "tests/storm/auditor.h"
#include "tests/storm/life.h"
#include "tests/storm/pool_user.h"
#include "tests/storm/processes.h"

namespace zcb::storm {
namespace {

using Fate = order::WorkerOrders::Fate;
using order::WitnessOrders;

constexpr auto kRelaxed = std::memory_order_relaxed;  // the board's notes
constexpr std::uint32_t kWitnessNodes = 1'000'000;
constexpr char kGoOn = 'g';
constexpr char kEnd = 'e';

struct Pipe {
  Pipe() {
    if (pipe2(ends, O_CLOEXEC) != 0) std::abort();
  }
  int ends[2];
};

void Write(int descriptor, char byte) {
  // Nobody listens any more: its end is reported.
  (void)!write(descriptor, &byte, 1);
}

// Holds the pool open, so that others' deaths are its concern.
int RunStormWitness(order::Journal* journal, const WitnessOrders& orders) {
  zcb_options options = PoolOptions(32 << 20);
  zcb_allocator* pool = nullptr;
  if (zcb_allocator_open(&options, &pool) != ZCB_OK) {
    journal->Complain(std::string("the witness's pool: ") + zcb_last_reason());
  }
  const int code = order::RunWitness(journal, orders);
  if (pool != nullptr) (void)zcb_allocator_close(pool);
  return code;
}

}  // namespace

Crowd::Crowd(const CrowdOptions& options, Board* board, order::Journal* journal,
             order::Dice* dice, RoundReport* report)
    : options_(options),
      board_(board),
      journal_(journal),
      dice_(dice),
      report_(report),
      next_life_(board->LifeEnd()) {
  if (signal(SIGPIPE, SIG_IGN) == SIG_ERR) std::abort();
  sigemptyset(&child_signal_);
  sigaddset(&child_signal_, SIGCHLD);
  sigprocmask(SIG_BLOCK, &child_signal_, &old_mask_);
  // relaxed: the board's notes
  board_->finishing().store(false, kRelaxed);
}

Crowd::~Crowd() {
  sigprocmask(SIG_SETMASK, &old_mask_, nullptr);
  for (const int descriptor : {to_witness_, from_witness_}) {
    if (descriptor >= 0) close(descriptor);
  }
}

// --- starting ----------------------------------------------------------------

pid_t Crowd::Fork() {
  std::fflush(nullptr);  // or both would write what waits there
  const pid_t pid = fork();
  if (pid < 0) std::abort();
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigprocmask(SIG_SETMASK, &old_mask_, nullptr);
  }
  return pid;
}

LifeOrders Crowd::RollOrders() {
  order::Dice& dice = *dice_;
  LifeOrders orders;
  orders.may_fork = dice.OneIn(2);
  orders.exits_cleanly = dice.OneIn(2);
  if (dice.OneIn(12)) orders.kind = LifeKind::kPoolUser;
  if (dice.OneIn(25)) orders.executes_after = 1 + dice.Below(60);
  order::WorkerOrders& worker = orders.worker;
  worker.seed = options_.seed;
  worker.stream = board_->LifeEnd();
  worker.threads = dice.OneIn(3) ? 1 + dice.Below(3) : 1;
  worker.handles_per_thread = 1 + dice.Below(3);
  worker.steps_per_thread = 50 + dice.Below(1'500);
  if (dice.OneIn(4)) worker.sends_from_outside = 200 + dice.Below(2'000);
  constexpr Fate kFates[] = {Fate::kVanishes, Fate::kKillsItself,
                             Fate::kKillsItselfHearing};
  const std::uint32_t fate = dice.Below(24);
  if (fate < std::size(kFates)) worker.fate = kFates[fate];
  worker.after = dice.Below(200);
  worker.plan = options_.plan;
  worker.habits.evicts_from = options_.plan.first + options_.plan.witnessed;
  worker.habits.evict_after_ms = dice.OneIn(2) ? 0 : 1 + dice.Below(30);
  worker.habits.is_crowded = true;
  worker.habits.large_one_in = 64;
  worker.habits.waits = true;
  return orders;
}

void Crowd::StartLife() {
  const bool executes = dice_->OneIn(50);
  const std::uint32_t life = board_->NewLife(RollOrders());
  const pid_t pid = Fork();
  if (pid == 0) {
    if (executes) ExecuteLife(board_, journal_, life);
    std::exit(RunLife(board_, journal_, life));
  }
  board_->life(life).pid.store(pid, kRelaxed);
  if (executes) ++report_->executed;
}

void Crowd::StartWitness() {
  Pipe to;
  Pipe from;
  WitnessOrders orders;
  orders.seed = options_.seed + options_.plan.first;
  orders.plan = options_.plan;
  orders.ready_to = from.ends[1];
  orders.stop_from = to.ends[0];
  witness_ = Fork();
  if (witness_ == 0) {
    setenv("ZCB_NODEID",
           std::to_string(kWitnessNodes + options_.plan.first).c_str(), 1);
    std::exit(RunStormWitness(journal_, orders));
  }
  close(from.ends[1]);
  close(to.ends[0]);
  to_witness_ = to.ends[1];
  from_witness_ = from.ends[0];
  ++report_->processes;
}

bool Crowd::Start() {
  StartWitness();
  return WaitForWitness("the witness does not begin");
}

// --- killing -----------------------------------------------------------------

bool Crowd::KillUntil(std::uint64_t kills) {
  while (report_->kills < kills) {
    TakeEnded();
    FindNewLives();
    for (std::uint32_t n = 4; n > 0 && CountBusy() < options_.most_alive; --n) {
      StartLife();
      FindNewLives();
    }
    Act();
    if (!NothingHangs()) return false;
  }
  return true;
}

void Crowd::Act() {
  ++actions_;
  WakeStopped(false);
  const std::uint32_t kind = dice_->Below(256);
  if (kind == 0) {
    StopWitness();
  } else if (kind < 40) {
    if (const auto victim = PickVictim()) Stop(*victim);
  } else if (kind < 80) {
    // Whoever notices the first is at its reaping when the next ones die.
    for (std::uint32_t n = 2 + dice_->Below(5); n > 0; --n) {
      if (const auto victim = PickVictim()) Kill(*victim);
      Pause(dice_->OneIn(2) ? 1 : 400);
    }
  } else if (const auto victim = PickVictim()) {
    Kill(*victim);
  }
  WaitForNextAction();
}

// So many actions a second, also where this process gets the processor late.
void Crowd::WaitForNextAction() {
  constexpr std::uint32_t kMostUs = 12'000;
  constexpr auto kMostLate = std::chrono::milliseconds(500);
  const auto now = Clock::now();
  next_action_ = std::max(next_action_, now - kMostLate) +
                 std::chrono::microseconds(1 + dice_->Below(kMostUs));
  const auto wait = next_action_ - now;
  if (wait <= wait.zero()) return;
  const timespec time{0, std::chrono::nanoseconds(wait).count()};
  (void)sigtimedwait(&child_signal_, nullptr, &time);
}

void Crowd::Pause(std::uint32_t most_us) {
  const timespec time{0, static_cast<long>(dice_->Below(most_us) + 1) * 1'000};
  // Woken by an end as well.
  (void)sigtimedwait(&child_signal_, nullptr, &time);
}

void Crowd::Kill(std::uint32_t life) {
  Alive& victim = alive_.at(life);
  victim.is_killed = true;
  (void)kill(victim.pid, SIGKILL);
}

void Crowd::Stop(std::uint32_t life) {
  Alive& victim = alive_.at(life);
  victim.is_stopped = true;
  victim.goes_on_at = actions_ + 1 + dice_->Below(80);
  victim.dies_stopped = dice_->OneIn(2);
  (void)kill(victim.pid, SIGSTOP);
  ++report_->stops;
}

void Crowd::WakeStopped(bool all) {
  for (auto& [life, alive] : alive_) {
    if (!alive.is_stopped || alive.is_killed ||
        (!all && alive.goes_on_at > actions_)) {
      continue;
    }
    if (alive.dies_stopped && !all) {
      Kill(life);
      continue;
    }
    alive.is_stopped = false;
    alive.moved_at.fill(Clock::now());
    (void)kill(alive.pid, SIGCONT);
  }
  if (witness_goes_on_at_ != 0 && (all || witness_goes_on_at_ <= actions_)) {
    witness_goes_on_at_ = 0;
    (void)kill(witness_, SIGCONT);
  }
}

void Crowd::StopWitness() {
  if (witness_goes_on_at_ != 0) return;
  witness_goes_on_at_ = actions_ + 1 + dice_->Below(40);
  (void)kill(witness_, SIGSTOP);
  ++report_->stops;
}

bool Crowd::KillAllButTheWitness() { return CallTheRoll() && KillLives(); }

bool Crowd::KillLives() {
  ++report_->all_but_one_killed;
  FindNewLives();
  std::vector<std::uint32_t> lives;
  for (const auto& [life, alive] : alive_) lives.push_back(life);
  while (!lives.empty()) {
    std::swap(lives[dice_->Below(static_cast<std::uint32_t>(lives.size()))],
              lives.back());
    Kill(lives.back());
    lives.pop_back();
    if (dice_->OneIn(4)) Pause(300);
  }
  return WaitForNoLife(true);
}

bool Crowd::KillAll() {
  if (!CallTheRoll()) return false;
  ++report_->all_killed;
  --report_->all_but_one_killed;
  witness_may_die_ = true;
  (void)kill(witness_, SIGKILL);
  if (!KillLives()) return false;
  ++report_->kills;
  return true;
}

bool Crowd::FinishAll() {
  WakeStopped(true);
  board_->finishing().store(true, kRelaxed);
  const bool ended = WaitForNoLife(false);
  board_->finishing().store(false, kRelaxed);
  return ended;
}

bool Crowd::Audit() {
  ++report_->audits;
  WakeStopped(true);
  Write(to_witness_, WitnessOrders::kBeAlone);
  if (!WaitForWitness("the witness does not find itself alone")) return false;
  const pid_t auditor = Fork();
  if (auditor == 0) {
    setenv("ZCB_NODEID", "2000000", 1);
    _exit(RunAuditor(*board_, journal_, 1));
  }
  int status = 0;
  while (waitpid(auditor, &status, 0) != auditor) {
  }
  if (status != 0) {
    journal_->Complain("the auditor ended with " + std::to_string(status));
  }
  Write(to_witness_, kGoOn);
  return journal_->Complaints().empty();
}

bool Crowd::End() {
  Write(to_witness_, kEnd);
  while (witness_ != 0) {
    TakeEnded();
    Pause(10'000);
    if (!NothingHangs()) return false;
  }
  return true;
}

void Crowd::GiveUp() {
  for (const auto& [life, alive] : alive_) (void)kill(alive.pid, SIGKILL);
  witness_may_die_ = true;
  if (witness_ != 0) (void)kill(witness_, SIGKILL);
  while (!Children().empty()) {
    for (const pid_t pid : Children()) (void)kill(pid, SIGKILL);
    TakeEnded();
    Pause(2'000);
  }
}

}  // namespace zcb::storm
