// iceoryx 2.0 with its daemon: a busy publisher is killed; then a new one is
// made, and the subscriber that was there all along hears it or not.
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iceoryx_hoofs/log/logmanager.hpp>
#include <iceoryx_posh/popo/publisher.hpp>
#include <iceoryx_posh/popo/subscriber.hpp>
#include <iceoryx_posh/runtime/posh_runtime.hpp>
#include <string>
#include <vector>

#include "bench/clock.h"
#include "bench/failure.h"
#include "bench/peers/kill/trial.h"
#include "tests/support/temp_directory.h"

namespace zcb::bench {
namespace {

constexpr const char* kDaemon = "/usr/bin/iox-roudi";
constexpr std::uint64_t kStopNs = 5'000'000'000;

constexpr const char* kVictim = "zcb-kill-victim";
constexpr const char* kSurvivor = "zcb-kill-survivor";
constexpr const char* kSuccessor = "zcb-kill-successor";

// What the daemon makes in /dev/shm: the segment is named after our group.
std::vector<std::string> SharedFiles() {
  std::vector<std::string> files = {"/dev/shm/iceoryx_mgmt"};
  if (const group* ours = ::getgrgid(::getegid())) {
    files.push_back(std::string("/dev/shm/") + ours->gr_name);
  }
  return files;
}

// It writes thousands of lines when its daemon hangs.
void FallSilent() {
  const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  ::dup2(nowhere, STDOUT_FILENO);
  ::dup2(nowhere, STDERR_FILENO);
}

void Attach(const char* name) {
  FallSilent();
  iox::log::LogManager::GetLogManager().SetDefaultLogLevel(
      iox::log::LogLevel::kOff, iox::log::LogLevelOutput::kHideLogLevel);
  iox::runtime::PoshRuntime::initRuntime(
      iox::RuntimeName_t(iox::cxx::TruncateToCapacity, name));
}

struct Sample {
  std::uint64_t is_from_successor;
  std::array<std::uint64_t, 31> rest;
};

const iox::capro::ServiceDescription kService{"zcb", "kill", "sample"};

// Small pools: the default ones take 150 MB for each kill.
constexpr const char* kConfig = R"([general]
version = 1
[[segment]]
[[segment.mempool]]
size = 512
count = 1000
)";

iox::popo::PublisherOptions Latest() {
  iox::popo::PublisherOptions options;
  options.historyCapacity = 0;
  return options;
}

void Publish(iox::popo::Publisher<Sample>* publisher, bool is_successor) {
  publisher->loan()
      .and_then([&](auto& sample) {
        *sample = Sample{is_successor ? 1U : 0U, {}};
        sample.publish();
      })
      .or_else([](auto&) {});  // none free just now
}

class Iceoryx final : public KillCase {
 public:
  void SetUp(Children* children) override {
    const std::string file = directory_.path() + "/roudi.toml";
    std::ofstream(file) << kConfig;
    daemon_ = children->Start([&] {
      FallSilent();
      ::execl(kDaemon, kDaemon, "-c", file.c_str(), "-l", "off", "-k", "1",
              nullptr);
      ::_exit(1);
    });
  }
  // By the daemon's own way, if it still listens: it takes its files away.
  void TearDown(Children* children) override {
    ::kill(daemon_, SIGTERM);
    const std::uint64_t end_ns = MonotonicNs() + kStopNs;
    siginfo_t info{};
    while (::waitid(P_PID, static_cast<id_t>(daemon_), &info,
                    WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == 0) {
      if (MonotonicNs() > end_ns) ::kill(daemon_, SIGKILL);
      ::usleep(1000);
    }
    children->Collect(daemon_);
    std::error_code ignored;
    for (const std::string& file : SharedFiles()) {
      std::filesystem::remove(file, ignored);
    }
    for (const char* name :
         {"iox-unique-roudi", "roudi", kVictim, kSurvivor, kSuccessor}) {
      std::filesystem::remove(std::string("/tmp/") + name, ignored);
      std::filesystem::remove(std::string("/tmp/") + name + ".lock", ignored);
    }
  }
  // Its monitoring needs 1.5 s to find out that a process has gone.
  unsigned settle_s() const override { return 3; }
  void BeVictim(TrialBoard* board) override {
    Attach(kVictim);
    iox::popo::Publisher<Sample> publisher(kService, Latest());
    for (std::uint64_t sent = 0;; ++sent) {
      Publish(&publisher, false);
      if (sent == 1000) Set(&board->victim_is_busy);
    }
  }
  void BeSurvivor(TrialBoard* board) override {
    Attach(kSurvivor);
    iox::popo::Subscriber<Sample> subscriber(kService);
    Set(&board->survivor_is_ready);
    for (bool hears_successor = false; !hears_successor;) {
      subscriber.take().and_then([&](auto& sample) {
        if (sample->is_from_successor != 0) hears_successor = true;
      });
    }
    Set(&board->survivor_goes_on);
    for (;;) ::pause();
  }
  void BeSuccessor(TrialBoard* /*board*/) override {
    Attach(kSuccessor);
    iox::popo::Publisher<Sample> publisher(kService, Latest());
    for (;;) {
      Publish(&publisher, true);
      ::usleep(100);
    }
  }

 private:
  const testing::TempDirectory directory_;
  pid_t daemon_ = -1;
};

}  // namespace

std::unique_ptr<KillCase> MakeIceoryx() { return std::make_unique<Iceoryx>(); }

std::optional<std::string> WhyNoIceoryx() {
  if (::access(kDaemon, X_OK) != 0) return "no iox-roudi: package iceoryx";
  for (const std::string& file : SharedFiles()) {
    if (std::filesystem::exists(file)) {
      return "another iox-roudi is at work, or has left " + file;
    }
  }
  return std::nullopt;
}

}  // namespace zcb::bench
