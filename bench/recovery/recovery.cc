// A process has a million buffers out and is killed: how long until a survivor
// has put everything right.
//
//   recovery [--json] [buffers [rounds]]      defaults: 1000000 5
//
// Four ways of being out, and the time of each step:
//   given  by the dead one, from its own units, and taken by nobody
//   taken  by the dead one, from a survivor's units
//   sent   by the dead one, and in no ring: a judge is asked about each
//   kept   sent, and in a ring: the judge says that they stay out
//
//   mark   the lease is found to be dead, a system call
//   reap   every word of the dead one's, its units, its touched map
//   home   the survivor takes a buffer of that memory: adopts a unit, or finds
//          the hints
#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "allocator/allocator.h"
#include "allocator/region.h"
#include "allocator/region_options.h"

namespace {

using zcb::alloc::Allocator;
using zcb::alloc::BufferPlace;
using zcb::alloc::BufferRef;
using zcb::alloc::BufferTicket;
using zcb::alloc::BufferWord;
using zcb::alloc::LeaseId;
using zcb::alloc::LeaseWord;
using zcb::alloc::Region;
using zcb::alloc::RegionOptions;

constexpr std::uint64_t kBufferBytes = 64;

template <typename T>
T Must(zcb::Result<T> result) {
  if (!result) throw std::runtime_error(result.reason());
  return *std::move(result);
}

class Directory {
 public:
  Directory() {
    std::string pattern = "/dev/shm/zcb-recovery-XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) {
      throw std::runtime_error("no directory in /dev/shm");
    }
    path_ = pattern;
  }
  ~Directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

enum class Way { kGiven, kTaken, kSent, kKept };
constexpr Way kWays[] = {Way::kGiven, Way::kTaken, Way::kSent, Way::kKept};
constexpr std::string_view kNames[] = {"given", "taken", "sent", "kept"};

struct Times {
  double mark_ms = 0;
  double reap_ms = 0;
  double home_ms = 0;
};

double Since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(
             std::chrono::steady_clock::now() - start)
      .count();
}

// A ring's answer, as a message layer finds it: by the slot that the word
// names.
bool IsInRing(void* slots, BufferRef ref, BufferWord word) {
  return static_cast<const std::uint32_t*>(slots)[word.sequence_low()] ==
         ref.line() + 1;
}

void Send(Allocator& mine, BufferRef ref) {
  const BufferPlace place = Must(mine.BeginSend(ref));
  const BufferWord word =
      BufferWord(place.word->load(std::memory_order_relaxed))
          .Send(0, ref.line());
  place.word->store(word.raw(), std::memory_order_release);
  mine.CommitSend(place);
}

// Runs in a process of its own until it is killed.
[[noreturn]] void BeTheVictim(const RegionOptions& options, Way way,
                              std::uint64_t count, int ready,
                              const std::vector<BufferTicket>& tickets) {
  try {
    const auto region = Must(Region::Open(options));
    const auto mine = Must(Allocator::Create(region));
    for (std::uint64_t i = 0; i < count; ++i) {
      if (way == Way::kTaken) {
        Must(mine->Take(tickets[i]));
        continue;
      }
      const BufferRef ref = Must(mine->Alloc(kBufferBytes));
      if (way == Way::kGiven) {
        Must(mine->Give(ref));
      } else {
        Send(*mine, ref);
      }
    }
    const LeaseId lease = region->lease();
    if (::write(ready, &lease, sizeof lease) == sizeof lease) ::pause();
  } catch (const std::exception& error) {
    fmt::print(stderr, "victim: {}\n", error.what());
  }
  ::_exit(1);
}

Times Measure(Way way, std::uint64_t count) {
  const Directory directory;
  RegionOptions options;
  options.directory = directory.path();
  options.name = "recovery";
  options.region_bytes =
      (count * kBufferBytes * 5 / 4 + (64 << 20)) >> 21 << 21;
  const auto region = Must(Region::Open(options));
  const auto mine = Must(Allocator::Create(region));
  std::vector<BufferTicket> tickets;
  for (std::uint64_t i = 0; way == Way::kTaken && i < count; ++i) {
    tickets.push_back(Must(mine->Give(Must(mine->Alloc(kBufferBytes)))));
  }
  int ends[2];
  if (::pipe(ends) != 0) throw std::runtime_error("no pipe");
  const pid_t victim = ::fork();
  if (victim == 0) BeTheVictim(options, way, count, ends[1], tickets);
  ::close(ends[1]);
  LeaseId dead;
  const bool is_ready = ::read(ends[0], &dead, sizeof dead) == sizeof dead;
  ::close(ends[0]);
  ::kill(victim, SIGKILL);
  ::waitpid(victim, nullptr, 0);
  if (!is_ready) throw std::runtime_error("the victim failed");

  std::vector<std::uint32_t> empty_ring(1 << 16);
  const auto Stays = [](void*, BufferRef, BufferWord) { return true; };
  Times times;
  auto start = std::chrono::steady_clock::now();
  if (!region->MarkDeadIfGone(dead)) throw std::runtime_error("not dead");
  times.mark_ms = Since(start);
  start = std::chrono::steady_clock::now();
  mine->ReapUnits(dead, way == Way::kKept ? +Stays : &IsInRing,
                  empty_ring.data());
  region->FreeDeadLease(dead);
  times.reap_ms = Since(start);
  start = std::chrono::steady_clock::now();
  Must(mine->Alloc(kBufferBytes));
  times.home_ms = Since(start);
  return times;
}

double Median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + values.size() / 2,
                   values.end());
  return values[values.size() / 2];
}

void Run(std::uint64_t count, int rounds, bool as_json) {
  nlohmann::ordered_json json;
  if (!as_json) {
    fmt::print(
        "{} buffers of {} bytes out, median of {} rounds (reap: least to "
        "most)\n",
        count, kBufferBytes, rounds);
  }
  for (std::size_t w = 0; w < std::size(kWays); ++w) {
    std::vector<double> mark, reap, home;
    for (int i = 0; i < rounds; ++i) {
      const Times times = Measure(kWays[w], count);
      mark.push_back(times.mark_ms);
      reap.push_back(times.reap_ms);
      home.push_back(times.home_ms);
    }
    if (as_json) {
      json[kNames[w]] = {
          {"mark_ms", mark}, {"reap_ms", reap}, {"home_ms", home}};
      continue;
    }
    const auto [least, most] = std::minmax_element(reap.begin(), reap.end());
    fmt::print(
        "{:6} mark {:7.3f} ms   reap {:7.2f} ms ({:.2f} to {:.2f})   home "
        "{:6.2f} ms\n",
        kNames[w], Median(mark), Median(reap), *least, *most, Median(home));
  }
  if (as_json) fmt::print("{}\n", json.dump());
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t buffers = 1'000'000;
  int rounds = 5;
  bool as_json = false;
  CLI::App app("Times how a survivor puts right what a dead process left.");
  app.add_option("buffers", buffers, "out when it dies")->capture_default_str();
  app.add_option("rounds", rounds)
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  app.add_flag("--json", as_json, "one line for programs");
  CLI11_PARSE(app, argc, argv);
  try {
    Run(buffers, rounds, as_json);
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "recovery: {}\n", error.what());
    return 1;
  }
}
