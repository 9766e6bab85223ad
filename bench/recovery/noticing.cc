// How long a death takes to be told: from SIGKILL to the callback of each
// member, beside the same process's death told to bare waiters on its pidfd.
// bench/README.md says what is compared with what.
#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <exception>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "bench/clock.h"
#include "bench/failure.h"
#include "bench/pages/private_mounts.h"
#include "bench/processes/children.h"
#include "bench/processes/shared_count.h"
#include "bench/quantiles.h"
#include "bench/recovery/board.h"
#include "bench/recovery/roles.h"
#include "tests/support/temp_directory.h"

namespace zcb::bench {
namespace {

constexpr int kNotRun = 75;

struct Options {
  std::uint32_t members = 8;
  std::string park = "futex";
  std::string pages = "small";
  int kills = 100;
  std::uint64_t touched_mib = 64;
  std::uint64_t buffers_out = 0;
  bool json = false;
};

// Microseconds from the kill.
struct Told {
  double first_us = 0;
  double all_us = 0;
};
struct Freed {
  double unlocked_us = 0;  // the record lock is seen free
  double freed_us = 0;     // the lease is: everything is put right
};

// Three deaths, one right after the other, in an order that changes.
struct Round {
  Told members;
  Told bare_one;
  Told bare_all;
  Freed memory;
};

class Run {
 public:
  Run(const Options& options, const std::string& root)
      : options_(options),
        region_(root + "/members"),
        other_region_(root + "/nobody"),
        board_(MakeShared<Board>()) {
    for (const std::string& directory : {region_, other_region_}) {
      if (::mkdir(directory.c_str(), 0700) != 0) Fail("no {}", directory);
    }
    ::setenv("ZCB_PAGES", options.pages.c_str(), 1);
    // The touched bytes, the small buffers, and as much again.
    const std::uint64_t bytes =
        2 * ((options.touched_mib << 20) + options.buffers_out * 80) +
        (128 << 20);
    ::setenv("ZCB_REGION_BYTES", std::to_string(bytes).c_str(), 1);
    for (std::uint32_t i = 0; i < options.members; ++i) {
      waiters_.Start(
          [&] { BeMember(board_, region_, i, options_.park == "descriptor"); });
      board_->ready.WaitFor(i + 1, "members");
    }
    if (options.buffers_out != 0) {
      waiters_.Start([&] { BeObserver(board_, region_); });
      board_->ready.WaitFor(options.members + 1, "observer");
    }
    for (std::uint32_t i = 0; i < options.members; ++i) {
      waiters_.Start([&] { BeBareWaiter(board_, i); });
    }
    waiters_.AwaitSleep();
  }

  Round Measure(int number) {
    Round round;
    for (int turn = 0; turn < 3; ++turn) {
      switch ((number + (number / 3 % 2 == 0 ? turn : 2 - turn)) % 3) {
        case 0:
          round.members = KillMember(&round.memory);
          break;
        case 1:
          round.bare_one = KillOther(1);
          break;
        default:
          round.bare_all = KillOther(options_.members);
          break;
      }
    }
    return round;
  }

 private:
  // `expected` are told of it. The victim waits to be killed afterwards.
  pid_t StartVictim(const std::string& directory, std::uint32_t expected) {
    for (auto& told_ns : board_->told_ns) told_ns = 0;
    board_->expected = expected;
    board_->told.Set(0);
    board_->has_seen_join.Set(0);
    board_->ready.Set(0);
    const VictimPlan plan{options_.touched_mib << 20, options_.buffers_out};
    const pid_t victim =
        victims_.Start([&] { BeVictim(board_, directory, plan); });
    board_->ready.WaitFor(1, "victim");
    return victim;
  }

  std::uint64_t Kill(pid_t victim, bool is_observed) {
    waiters_.AwaitSleep();
    victims_.AwaitSleep();
    // Not always the same time after the last wake.
    ::usleep(static_cast<useconds_t>(random_() % 2000));
    if (is_observed) board_->observe.Set(++observations_);
    const std::uint64_t begin_ns = MonotonicNs();
    ::kill(victim, SIGKILL);
    return begin_ns;
  }

  Told Await(std::uint64_t begin_ns, std::uint32_t expected) const {
    board_->told.WaitFor(expected, "told");
    std::uint64_t first_ns = ~std::uint64_t{0};
    std::uint64_t last_ns = 0;
    for (std::uint32_t i = 0; i < options_.members; ++i) {
      const std::uint64_t told_ns = board_->told_ns[i];
      if (told_ns == 0) continue;
      first_ns = std::min(first_ns, told_ns);
      last_ns = std::max(last_ns, told_ns);
    }
    return {Us(first_ns - begin_ns), Us(last_ns - begin_ns)};
  }

  Told KillMember(Freed* memory) {
    const std::uint32_t members = options_.members;
    const pid_t victim = StartVictim(region_, members);
    board_->has_seen_join.WaitFor(members, "join");
    const std::uint64_t begin_ns = Kill(victim, options_.buffers_out != 0);
    const Told told = Await(begin_ns, members);
    if (options_.buffers_out != 0) {
      board_->observed.WaitFor(observations_, "reaping");
      memory->unlocked_us = Us(board_->unlocked_ns - begin_ns);
      memory->freed_us = Us(board_->freed_ns - begin_ns);
    }
    victims_.Collect(victim);
    return told;
  }

  Told KillOther(std::uint32_t bare_waiters) {
    const pid_t victim = StartVictim(other_region_, bare_waiters);
    board_->victim = victim;
    board_->watchers = bare_waiters;
    board_->ready.Set(0);
    board_->order.Set(board_->order.value() + 1);
    board_->ready.WaitFor(bare_waiters, "bare waiters");
    const std::uint64_t begin_ns = Kill(victim, false);
    const Told told = Await(begin_ns, bare_waiters);
    victims_.Collect(victim);
    return told;
  }

  static double Us(std::uint64_t ns) { return static_cast<double>(ns) / 1000; }

  const Options& options_;
  const std::string region_;
  const std::string other_region_;
  Board* const board_;
  Children waiters_;
  Children victims_;
  std::uint32_t observations_ = 0;
  std::mt19937 random_{1};
};

void Print(const Options& options, const std::vector<Round>& rounds) {
  const auto show = [&](const char* what, auto&& value) {
    std::vector<double> values;
    for (const Round& round : rounds) values.push_back(value(round));
    fmt::print("  {:<34} p50 {:>9.2f}  p99 {:>9.2f}\n", what,
               Quantile(values, 0.5), Quantile(values, 0.99));
  };
  fmt::print(
      "{} members asleep on {}, {} MiB touched, {} pages, {} kills; us\n",
      options.members, options.park, options.touched_mib, options.pages,
      rounds.size());
  show("first member", [](const Round& r) { return r.members.first_us; });
  show("a bare waiter", [](const Round& r) { return r.bare_one.first_us; });
  show("  more than that",
       [](const Round& r) { return r.members.first_us - r.bare_one.first_us; });
  show("all members", [](const Round& r) { return r.members.all_us; });
  show("as many bare waiters",
       [](const Round& r) { return r.bare_all.all_us; });
  show("  times that",
       [](const Round& r) { return r.members.all_us / r.bare_all.all_us; });
  if (options.buffers_out == 0) return;
  fmt::print("  {} buffers out\n", options.buffers_out);
  show("record lock seen free",
       [](const Round& r) { return r.memory.unlocked_us; });
  show("memory, after the lock",
       [](const Round& r) { return r.memory.freed_us - r.memory.unlocked_us; });
}

nlohmann::ordered_json AsJson(const std::vector<Round>& rounds) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const Round& round : rounds) {
    json.push_back({{"first_us", round.members.first_us},
                    {"all_us", round.members.all_us},
                    {"bare_one_us", round.bare_one.first_us},
                    {"bare_first_us", round.bare_all.first_us},
                    {"bare_all_us", round.bare_all.all_us},
                    {"unlocked_us", round.memory.unlocked_us},
                    {"freed_us", round.memory.freed_us}});
  }
  return json;
}

int Measure(const Options& options) {
  const testing::TempDirectory directory;
  if (options.pages == "huge" &&
      (!EnterPrivateMounts() ||
       !Mount("tmpfs", directory.path(), "huge=always,mode=0700"))) {
    fmt::print(stderr, "not run: needs root\n");
    return kNotRun;
  }
  std::vector<Round> rounds;
  {
    Run run(options, directory.path());
    for (int i = 0; i < options.kills; ++i) rounds.push_back(run.Measure(i));
  }
  if (options.json) {
    fmt::print("{}\n", AsJson(rounds).dump());
  } else {
    Print(options, rounds);
  }
  return 0;
}

}  // namespace
}  // namespace zcb::bench

int main(int argc, char** argv) {
  zcb::bench::Options options;
  CLI::App app("Kills members of a group, and times how the others are told.");
  app.add_option("--members", options.members, "that survive")
      ->check(CLI::Range(1U, 128U))
      ->capture_default_str();
  app.add_option("--park", options.park, "what they sleep on")
      ->check(CLI::IsMember({"futex", "descriptor"}))
      ->capture_default_str();
  app.add_option("--pages", options.pages, "huge: as root")
      ->check(CLI::IsMember({"small", "huge"}))
      ->capture_default_str();
  app.add_option("--kills", options.kills, "of each kind")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  app.add_option("--touched-mib", options.touched_mib,
                 "payload that the victim has written")
      ->check(CLI::Range(0U, 65'536U))
      ->capture_default_str();
  app.add_option("--buffers", options.buffers_out,
                 "of 64 bytes that the victim has out")
      ->capture_default_str();
  app.add_flag("--json", options.json, "one line for programs");
  CLI11_PARSE(app, argc, argv);
  try {
    return zcb::bench::Measure(options);
  } catch (const std::exception& error) {
    fmt::print(stderr, "noticing: {}\n", error.what());
    return 1;
  }
}
