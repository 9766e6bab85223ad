#include "tests/hostile/round.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>
#include <vector>

#include "tests/hostile/attacker.h"
#include "tests/hostile/stage.h"
#include "tests/hostile/victim.h"
#include "tests/order/dice.h"
#include "tests/support/child_process.h"
#include "tests/support/temp_directory.h"

namespace zcb::hostile {
namespace {

using testing::ChildProcess;

// Where the victims' words go: there must be none.
class Output {
 public:
  Output() : fd_(memfd_create("victims", 0)) {}
  ~Output() { close(fd_); }
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;
  void TakeOver() const {
    dup2(fd_, STDOUT_FILENO);
    dup2(fd_, STDERR_FILENO);
  }
  std::string Text() const {
    struct stat facts = {};
    std::string text;
    if (fstat(fd_, &facts) != 0) return "lost";
    text.resize(static_cast<std::size_t>(facts.st_size));
    if (pread(fd_, text.data(), text.size(), 0) < 0) return "lost";
    return text;
  }

 private:
  int fd_;
};

std::string StemOf(const std::string& directory, const char* name) {
  return directory + "/zcb-" + std::to_string(geteuid()) + "/" + name;
}

// Lets the victims make some calls; not for ever, they may be done.
void Pause(const Stage& stage, std::uint64_t calls) {
  const std::uint64_t until =
      stage.calls.load(std::memory_order_relaxed) + calls;
  for (int i = 0; i < 2'000; ++i) {
    if (stage.calls.load(std::memory_order_relaxed) >= until) return;
    sched_yield();
  }
}

int RunAttacker(std::uint64_t seed, const RoundOptions& options,
                const std::string& directory, Stage* stage) {
  Attacker on_groups(seed, StemOf(directory, "default"));
  Attacker on_memory(seed + 1, StemOf(directory, "allocator"));
  order::Dice dice(seed, 1000);
  Pause(*stage, 20 + dice.Below(200));
  for (std::uint32_t i = 0; i < options.attacks; ++i) {
    Attacker& attacker = dice.OneIn(3) ? on_memory : on_groups;
    const bool truncates =
        options.one_truncation_in != 0 && dice.OneIn(options.one_truncation_in);
    if (truncates ? attacker.Truncate() : attacker.Attack()) {
      stage->attacks.fetch_add(1, std::memory_order_relaxed);
    }
    // Sometimes several at once.
    if (!dice.OneIn(4)) Pause(*stage, dice.Below(24));
  }
  Pause(*stage, 50);
  return 0;
}

}  // namespace

void RoundReport::Add(const RoundReport& other) {
  attacks += other.attacks;
  calls += other.calls;
  errors += other.errors;
  victims += other.victims;
  killed += other.killed;
  complaint += other.complaint;
}

std::string ToText(const RoundReport& report) {
  return std::to_string(report.attacks) + " attacks on " +
         std::to_string(report.victims) + " processes (" +
         std::to_string(report.killed) + " killed), " +
         std::to_string(report.calls) + " calls, " +
         std::to_string(report.errors) + " errors\n" + report.complaint;
}

RoundReport RunRound(std::uint64_t seed, const RoundOptions& options) {
  const testing::TempDirectory attacked;
  const testing::TempDirectory fresh;
  const StageMemory stage;
  const Output output;
  order::Dice dice(seed);
  constexpr std::uint64_t kRegionBytes[] = {8 << 20, 16 << 20, 64 << 20,
                                            128 << 20};
  VictimPlan plan;
  plan.seed = seed;
  plan.region_bytes = kRegionBytes[dice.Below(4)];
  plan.handles_sigbus = options.one_truncation_in != 0;
  plan.directory = attacked.path();
  plan.fresh_directory = fresh.path();

  std::vector<std::unique_ptr<ChildProcess>> victims;
  const auto add_victim = [&] {
    victims.push_back(std::make_unique<ChildProcess>([&] {
      output.TakeOver();
      return RunVictim(plan, &*stage);
    }));
    ++plan.number;
  };
  const std::uint32_t victim_count = 2 + dice.Below(2);
  for (std::uint32_t i = 0; i < victim_count; ++i) add_victim();
  RoundReport report;
  {
    ChildProcess attacker(
        [&] { return RunAttacker(seed, options, attacked.path(), &*stage); });
    // Now and then one dies in the middle, and another one comes.
    if (dice.OneIn(2)) {
      Pause(*stage, 100 + dice.Below(400));
      victims[dice.Below(victim_count)]->Kill();
      ++report.killed;
      add_victim();
    }
    if (attacker.Join() != 0) report.complaint = "the attacker failed\n";
  }
  stage->must_finish.store(true, std::memory_order_relaxed);
  std::uint64_t killed = 0;
  for (const auto& victim : victims) {
    const int code = victim->Join();
    if (code == 128 + SIGKILL && killed < report.killed) {
      ++killed;
    } else if (code != 0) {
      report.complaint += "a victim ends with " + std::to_string(code) + "\n";
    }
  }
  if (const std::string text = output.Text(); !text.empty()) {
    report.complaint += "the victims say:\n" + text;
  }
  report.victims = victims.size();
  report.attacks = stage->attacks.load(std::memory_order_relaxed);
  report.calls = stage->calls.load(std::memory_order_relaxed);
  report.errors = stage->errors.load(std::memory_order_relaxed);
  return report;
}

}  // namespace zcb::hostile
