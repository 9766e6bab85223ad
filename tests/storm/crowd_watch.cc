// Who lives, who has ended, and who seems to hang.
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

#include "tests/storm/crowd.h"
#include "tests/storm/processes.h"

namespace zcb::storm {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;  // the board's notes
constexpr auto kLookEvery = std::chrono::milliseconds(200);
// Nothing that a process does takes so long, on however busy a machine; only
// then is it looked at closely.
constexpr auto kHangs = std::chrono::seconds(60);

// Changes with whatever the thread does.
std::uint64_t StateOf(const Life::Thread& thread) {
  return thread.steps.load(kRelaxed) * 16 +
         static_cast<std::uint64_t>(thread.doing.load(kRelaxed));
}

bool HasEnded(const Life::Thread& thread) {
  return thread.doing.load(kRelaxed) == Doing::kEnded;
}

std::uint32_t ThreadsOf(const Life& life) {
  return life.orders.kind == LifeKind::kWorker ? life.orders.worker.threads : 1;
}

// Ended, but its parent, who lives, has not waited for it.
bool IsZombie(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  std::getline(file, text);
  const auto at = text.rfind(") ");
  return at == std::string::npos || text[at + 2] == 'Z';
}

}  // namespace

void Crowd::FindNewLives() {
  const std::uint32_t end = board_->LifeEnd();
  for (; next_life_ < end; ++next_life_) unborn_.push_back(next_life_);
  std::erase_if(unborn_, [&](std::uint32_t index) {
    const pid_t pid = board_->life(index).pid.load(kRelaxed);
    if (pid == 0) return false;
    // Another image of a process that we know?
    for (auto it = alive_.begin(); it != alive_.end(); ++it) {
      if (it->second.pid != pid) continue;
      const bool is_killed = it->second.is_killed;
      const bool is_stopped = it->second.is_stopped;
      Alive& alive = alive_[index];
      alive = it->second;
      alive.is_killed = is_killed;
      alive.is_stopped = is_stopped;
      alive_.erase(it);
      ++report_->executed;
      --report_->processes;  // it is the same one
      return true;
    }
    Alive& alive = alive_[index];
    alive.pid = pid;
    alive.moved_at.fill(Clock::now());
    return true;
  });
}

void Crowd::TakeEnded() {
  for (;;) {
    int status = 0;
    const pid_t pid = waitpid(-1, &status, WNOHANG);
    if (pid <= 0) return;
    FindNewLives();
    TakeEnd(pid, status);
  }
}

void Crowd::TakeEnd(pid_t pid, int status) {
  const bool is_killed =
      WIFSIGNALED(status) != 0 && WTERMSIG(status) == SIGKILL;
  const std::string how =
      WIFSIGNALED(status) != 0
          ? " ended by signal " + std::to_string(WTERMSIG(status))
          : " ended with " + std::to_string(WEXITSTATUS(status));
  if (pid == witness_) {
    witness_ = 0;
    if (status != 0 && !witness_may_die_) {
      journal_->Complain("the witness" + how);
    }
    return;
  }
  const auto it = std::ranges::find_if(
      alive_, [&](const auto& item) { return item.second.pid == pid; });
  if (it == alive_.end()) {
    // It had no time to say who it is.
    if (status != 0 && !is_killed) {
      journal_->Complain("process " + std::to_string(pid) + how);
    }
    return;
  }
  Life& life = board_->life(it->first);
  life.end_status.store(status, kRelaxed);
  if (is_killed) {
    if (life.orders.kind != LifeKind::kIdler) {
      ++report_->kills;
      if (it->second.is_stopped) ++report_->kills_stopped;
    }
  } else if (status != 0) {
    journal_->Complain("life " + std::to_string(it->first) + ", process " +
                       std::to_string(pid) + how);
  }
  alive_.erase(it);
}

bool Crowd::WaitForNoLife(bool kills) {
  for (;;) {
    TakeEnded();
    FindNewLives();
    bool somebody = false;
    for (const pid_t pid : Children()) {
      if (pid == witness_ && !witness_may_die_) continue;
      somebody = true;
      if (kills) (void)kill(pid, SIGKILL);  // a child of ours, not waited for
    }
    for (auto& [life, alive] : alive_) {
      if (kills || board_->life(life).orders.kind == LifeKind::kIdler) {
        Kill(life);
      }
    }
    if (!somebody) break;
    if (!NothingHangs()) return false;
    Pause(2'000);
  }
  alive_.clear();
  unborn_.clear();
  return true;
}

bool Crowd::CallTheRoll() {
  TakeEnded();
  FindNewLives();
  std::map<std::uint32_t, std::array<std::uint64_t, Life::kThreads>> silent;
  for (const auto& [index, alive] : alive_) {
    const Life& life = board_->life(index);
    if (life.orders.kind == LifeKind::kIdler) continue;
    for (std::uint32_t i = 0; i < ThreadsOf(life); ++i) {
      silent[index][i] = StateOf(life.threads[i]);
    }
  }
  for (;;) {
    std::erase_if(silent, [&](const auto& item) {
      const auto& [index, states] = item;
      const auto found = alive_.find(index);
      if (found == alive_.end() || found->second.is_stopped ||
          found->second.is_killed) {
        return true;
      }
      const Life& life = board_->life(index);
      for (std::uint32_t i = 0; i < ThreadsOf(life); ++i) {
        if (states[i] == StateOf(life.threads[i]) &&
            !HasEnded(life.threads[i])) {
          return false;
        }
      }
      return true;
    });
    if (silent.empty()) return true;
    std::erase_if(silent, [&](const auto& item) {
      return IsZombie(alive_.at(item.first).pid);
    });
    if (!NothingHangs()) return false;
    Pause(2'000);
    TakeEnded();
    FindNewLives();
  }
}

bool Crowd::WaitForWitness(const char* what) {
  const auto begun = Clock::now();
  pollfd ready{from_witness_, POLLIN, 0};
  while (poll(&ready, 1, 100) != 1) {
    TakeEnded();
    if (witness_ == 0) break;
    if (Clock::now() - begun > kHangs) return Report(what, std::nullopt);
  }
  char byte = 0;
  if (witness_ != 0 && read(from_witness_, &byte, 1) == 1) return true;
  journal_->Complain("the witness is gone");
  return false;
}

std::uint32_t Crowd::CountBusy() const {
  return static_cast<std::uint32_t>(
      std::ranges::count_if(alive_, [&](const auto& item) {
        return board_->life(item.first).orders.kind != LifeKind::kIdler &&
               !item.second.is_killed;
      }));
}

// One that has done something since the last look, or else a hang would be
// killed before it is noticed.
std::optional<std::uint32_t> Crowd::PickVictim() {
  if (alive_.empty()) return std::nullopt;
  const std::uint64_t ripe = dice_->OneIn(8) ? 0 : 1 + dice_->Below(40);
  const bool idlers = dice_->OneIn(16);
  auto it = alive_.begin();
  std::advance(it, dice_->Below(static_cast<std::uint32_t>(alive_.size())));
  for (std::size_t n = alive_.size(); n > 0; --n, ++it) {
    if (it == alive_.end()) it = alive_.begin();
    const auto& [index, alive] = *it;
    const Life& life = board_->life(index);
    if (alive.is_killed || alive.is_stopped) continue;
    if (life.orders.kind == LifeKind::kIdler) {
      if (idlers) return index;
      continue;
    }
    if (life.Steps() < ripe) continue;
    bool moves = true;
    for (std::uint32_t i = 0; i < ThreadsOf(life); ++i) {
      moves = moves && alive.seen[i] != StateOf(life.threads[i]);
    }
    if (moves) return index;
  }
  return std::nullopt;
}

bool Crowd::NothingHangs() {
  const auto now = Clock::now();
  if (now < next_look_) return true;
  // Was the whole machine stopped, or this process? Then nobody is to blame.
  const bool is_late = now - next_look_ > kHangs / 4;
  next_look_ = now + kLookEvery;
  for (auto& [index, alive] : alive_) {
    const Life& life = board_->life(index);
    const std::uint32_t threads = ThreadsOf(life);
    bool all_ended = true;
    for (std::uint32_t i = 0; i < threads; ++i) {
      const std::uint64_t state = StateOf(life.threads[i]);
      if (alive.seen[i] != state || is_late) alive.moved_at[i] = now;
      alive.seen[i] = state;
      all_ended = all_ended && HasEnded(life.threads[i]);
    }
    if (alive.is_stopped || life.orders.kind == LifeKind::kIdler) continue;
    for (std::uint32_t i = 0; i < threads; ++i) {
      if (now - alive.moved_at[i] < kHangs) continue;
      if (HasEnded(life.threads[i]) && !all_ended) continue;
      if (!IsZombie(alive.pid)) {
        return Report("life " + std::to_string(index) + " does nothing", index);
      }
    }
  }
  return journal_->Complaints().empty();
}

bool Crowd::Report(const std::string& what,
                   std::optional<std::uint32_t> stuck) {
  std::string& text = report_->hang;
  text = "HANG: " + what + "; seed " + std::to_string(options_.seed) + "\n";
  if (witness_ != 0) {
    text += "  the witness, process " + std::to_string(witness_) +
            (witness_goes_on_at_ != 0 ? ", stopped\n" : "\n") +
            DescribeProcess(witness_, !stuck);
  }
  for (const auto& [index, alive] : alive_) {
    const Life& life = board_->life(index);
    text += "  life " + std::to_string(index) + ", process " +
            std::to_string(alive.pid) + (alive.is_stopped ? ", stopped" : "") +
            (alive.is_killed ? ", killed" : "");
    for (std::uint32_t i = 0; i < ThreadsOf(life); ++i) {
      text += "; thread " + std::to_string(i) + " " +
              NameOf(life.threads[i].doing.load(kRelaxed)) + " after " +
              std::to_string(life.threads[i].steps.load(kRelaxed)) + " steps";
    }
    text += "\n" + DescribeProcess(alive.pid, index == stuck);
  }
  return false;
}

}  // namespace zcb::storm
