#include "bench/processes/measured_once.h"

#include <fmt/format.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>

#include "bench/failure.h"
#include "bench/floor.h"

namespace zcb::bench {
namespace {

constexpr unsigned kFloorLimitSeconds = 60;

// Under ZCB_DIR, if the user (or run.py) says where regions may be.
class OwnDirectory {
 public:
  OwnDirectory() {
    const char* const place = ::getenv("ZCB_DIR");
    path_ = std::string(place != nullptr ? place : "/dev/shm") +
            "/zcb-bench-XXXXXX";
    if (::mkdtemp(path_.data()) == nullptr) Fail("cannot make {}", path_);
    ::setenv("ZCB_DIR", path_.c_str(), 1);
    ::unsetenv("ZCB_REGION");
  }
  ~OwnDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  OwnDirectory(const OwnDirectory&) = delete;
  OwnDirectory& operator=(const OwnDirectory&) = delete;

 private:
  std::string path_;
};

// One cache line, one way, now; in two processes of its own.
double FloorNs(PairPlaces places) {
  const auto side = [](Side which) {
    return [which](PairPage& page) {
      const TickClock clock;
      const Floor floor = MeasureFloor(page, which, clock);
      if (which == Side::kFirst) {
        page.result.floor_before_ns = floor.one_line_ns;
      }
    };
  };
  return RunPair(places, kFloorLimitSeconds, side(Side::kFirst),
                 side(Side::kSecond))
      .floor_before_ns;
}

std::vector<int> FindOtherCpus(PairPlaces places) {
  std::vector<int> others{places.second_cpu};
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (::sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return others;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(static_cast<unsigned>(cpu), &allowed) &&
        cpu != places.first_cpu && cpu != places.second_cpu) {
      others.push_back(cpu);
    }
  }
  return others;
}

}  // namespace

std::uint64_t ThreadCpuNs() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U +
         static_cast<std::uint64_t>(now.tv_nsec);
}

MeasuredOnce::MeasuredOnce(std::string name, std::string description)
    : name_(std::move(name)),
      app_(std::make_unique<CLI::App>(std::move(description))) {
  app_->add_option("--cpus", cpus_, "the measuring process's, and another one")
      ->capture_default_str();
  app_->add_flag("--json", json_, "one line for programs");
}

MeasuredOnce::~MeasuredOnce() = default;

void MeasuredOnce::Number(const char* name, std::uint64_t* value,
                          const char* what, std::uint64_t least,
                          std::uint64_t most) {
  app_->add_option(name, *value, what)
      ->check(CLI::Range(least, most))
      ->capture_default_str();
}

void MeasuredOnce::Choice(const char* name, std::string* value,
                          const char* what,
                          const std::vector<std::string>& choices) {
  app_->add_option(name, *value, what)
      ->check(CLI::IsMember(choices))
      ->capture_default_str();
}

void MeasuredOnce::Flag(const char* name, bool* value, const char* what) {
  app_->add_flag(name, *value, what);
}

void MeasuredOnce::Print(const Figures& figures, double floor_before_ns,
                         double floor_after_ns) const {
  if (json_) {
    nlohmann::ordered_json line;
    for (const auto& [name, value] : figures) line[name] = value;
    line["floor_before_ns"] = floor_before_ns;
    line["floor_after_ns"] = floor_after_ns;
    fmt::print("{}\n", line.dump());
    return;
  }
  for (const auto& [name, value] : figures) {
    fmt::print("{:<28} {:>16.2f}\n", name, value);
  }
  fmt::print("{:<28} {:>16.2f}   after: {:.2f}\n", "floor_ns", floor_before_ns,
             floor_after_ns);
}

int MeasuredOnce::Run(int argc, char** argv,
                      const std::function<Figures()>& measure) {
  CLI11_PARSE(*app_, argc, argv);
  try {
    places_ = ParsePlaces(cpus_);
    other_cpus_ = FindOtherCpus(places_);
    const OwnDirectory directory;
    const double before_ns = FloorNs(places_);
    const Figures figures = measure();
    const double after_ns = FloorNs(places_);
    Print(figures, before_ns, after_ns);
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}: {}\n", name_, error.what());
    return 1;
  }
}

}  // namespace zcb::bench
