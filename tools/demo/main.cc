// tools/dev demo: one sender, three receivers, one file, no copy, one kill.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tools/demo/checks.h"
#include "tools/demo/chunk.h"
#include "tools/demo/crew.h"
#include "tools/demo/digest.h"
#include "tools/demo/failure.h"
#include "tools/demo/pass.h"
#include "tools/demo/sample_file.h"
#include "tools/demo/screen.h"
#include "tools/demo/worker.h"
#include "tools/demo/workspace.h"

namespace zcb::demo {
namespace {

constexpr std::uint64_t kPatienceNs = 60'000'000'000;
constexpr std::uint64_t kUsNs = 1'000;
constexpr double kMiB = 1024.0 * 1024.0;

struct Settings {
  std::string path;
  std::uint64_t seed = 1;
  std::uint64_t sample_mib = 128;
  bool corrupts = false;
  std::string worker_order;
};

// Keeps the region alive between the passes, and looks at it.
class Observation {
 public:
  explicit Observation(const SignalGuard& signals) : crew_(signals) {
    Order order;
    order.role = "observe";
    observer_ = crew_.Start(order);
    begin_ = Hear();
  }
  const Report& begin() const { return begin_; }
  Report End() {
    crew_.CloseInput(observer_);
    const Report report = Hear();
    while (!crew_.Listen(NowNs() + kPatienceNs).ended) {
    }
    return report;
  }

 private:
  Report Hear() {
    const Crew::News news = crew_.Listen(NowNs() + kPatienceNs);
    if (news.ended) Fail("the observer has ended");
    return news.report;
  }

  Crew crew_;
  std::size_t observer_ = 0;
  Report begin_;
};

void PrintHead(const Screen& screen, const SampleFile& file,
               const Settings& settings, const std::string& sha256) {
  screen.Title("zcb: one file, one sender, three receivers, no copy, one kill");
  screen.Fact("file", fmt::format("{:.1f} MiB, {}",
                                  static_cast<double>(file.size_bytes()) / kMiB,
                                  file.description()));
  screen.Fact("sha-256", sha256);
  screen.Fact("chunks",
              fmt::format("64 B to 1 MiB, mixed, seed {}", settings.seed));
}

std::string DescribePages(const Report& region) {
  return fmt::format(
      "{} KiB; {:.0f} MiB committed, {:.0f} of them in huge pages; {}",
      region.page_bytes >> 10,
      static_cast<double>(region.committed_bytes) / kMiB,
      static_cast<double>(region.huge_bytes) / kMiB, region.page_kind);
}

void PrintNotes(const Screen& screen) {
  screen.Note("");
  screen.Note(
      "MB/s      what each receiver gets, from the sender's first alloc");
  screen.Note("          until the last receiver has done with the last byte;");
  screen.Note("          the sender reads the file straight into the region");
  screen.Note("median,   from just before the send to when a receiver has the");
  screen.Note("p99       message in hand; in a stream most of it is queueing");
}

struct Passes {
  PassResult look;
  PassResult hash;
  PassResult asleep;
  std::optional<PassResult> awake;  // needs two CPUs
  std::vector<const PassResult*> All() const {
    std::vector<const PassResult*> all = {&look, &hash, &asleep};
    if (awake) all.push_back(&*awake);
    return all;
  }
};

Passes RunPasses(const Screen& screen, const SignalGuard& signals,
                 const SampleFile& file, const Settings& settings) {
  Passes passes;
  const auto run = [&](const char* name, const PassPlan& plan) {
    screen.Working(name);
    PassResult result = RunPass(signals, plan, file, settings.seed);
    screen.Pass(name, result);
    return result;
  };
  screen.PassHead();
  PassPlan plan;
  plan.group = "look";
  passes.look = run("stream, 3 receivers look at each message", plan);
  plan.group = "hash";
  plan.hashes = true;
  plan.kills_one = true;
  plan.corrupts = settings.corrupts;
  passes.hash = run("stream, 3 receivers hash, 1 is killed", plan);
  PassPlan paced;
  paced.group = "asleep";
  paced.pace_ns = 500 * kUsNs;
  paced.paced_count = 1000;
  passes.asleep = run("256 B each 500 us, 3 receivers asleep", paced);
  if (std::thread::hardware_concurrency() > 1) {
    paced.group = "awake";
    paced.receiver_count = 1;
    paced.spins = true;
    paced.pace_ns = 20 * kUsNs;
    paced.paced_count = 10'000;
    passes.awake = run("256 B each 20 us, 1 receiver awake", paced);
  }
  return passes;
}

bool RunDemo(const Settings& settings) {
  const Screen screen;
  const SignalGuard signals;
  screen.Working("making a file");
  const SampleFile file(settings.path, settings.sample_mib << 20);
  const std::string sha256 = DigestOfFile(file.path());
  const Workspace workspace;
  Observation observation(signals);
  PrintHead(screen, file, settings, sha256);
  screen.Fact("region", workspace.Description());
  screen.Fact("pages", DescribePages(observation.begin()));

  screen.Title("passes");
  const Passes passes = RunPasses(screen, signals, file, settings);
  PrintNotes(screen);
  screen.Title("views (members)");
  screen.Views(passes.hash);

  const Report last = observation.End();
  screen.Title("region, at the end");
  screen.Fact("pages", DescribePages(last));
  screen.Title("checks");
  std::vector<Check> checks = {
      CheckDigests(passes.hash, sha256),   CheckComplete(passes.All()),
      CheckInPlace(passes.All()),          CheckViews(passes.hash),
      CheckNothingOut(passes.All(), last),
  };
  const std::size_t files = workspace.Leftovers().size();
  checks.push_back({files == 0, "the last process removed the region",
                    fmt::format("{} files left", files)});
  bool all_hold = true;
  for (const Check& check : checks) {
    screen.Result(check);
    all_hold &= check.holds;
  }
  screen.Verdict(all_hold);
  return all_hold;
}

}  // namespace
}  // namespace zcb::demo

int main(int argc, char** argv) {
  zcb::demo::Settings settings;
  CLI::App app(
      "Multicasts a file from one process to three, in place; kills one "
      "receiver on the way; checks and measures.");
  app.add_option("FILE", settings.path,
                 "what to send; without it, 128 MiB of what is installed here")
      ->check(CLI::ExistingFile);
  app.add_option("--seed", settings.seed, "of the chunks' sizes")
      ->capture_default_str();
  app.add_option("--sample-mib", settings.sample_mib, "size of the made file")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  // For tests: one receiver hashes one wrong byte, so the demo must fail.
  app.add_flag("--corrupt-one-byte", settings.corrupts)->group("");
  app.add_option("--worker", settings.worker_order)->group("");
  CLI11_PARSE(app, argc, argv);
  if (!settings.worker_order.empty()) {
    return zcb::demo::RunWorker(settings.worker_order);
  }
  try {
    return zcb::demo::RunDemo(settings) ? 0 : 1;
  } catch (const std::exception& error) {
    std::fflush(stdout);
    fmt::print(stderr, "\ndemo: {}\n", error.what());
    return 1;
  }
}
