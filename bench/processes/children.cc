#include "bench/processes/children.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <system_error>

#include "bench/clock.h"
#include "bench/failure.h"

namespace zcb::bench {
namespace {

constexpr std::uint64_t kPatienceNs = 60'000'000'000;

// The letter behind the last bracket: a thread's name may hold anything.
char StateOf(const std::filesystem::path& task) {
  std::ifstream file(task / "stat");
  const std::string line((std::istreambuf_iterator<char>(file)),
                         std::istreambuf_iterator<char>());
  const std::size_t bracket = line.rfind(')');
  return bracket != std::string::npos && bracket + 2 < line.size()
             ? line[bracket + 2]
             : 'X';
}

bool IsAsleep(pid_t pid) {
  std::error_code error;
  const std::filesystem::directory_iterator tasks(
      fmt::format("/proc/{}/task", pid), error);
  if (error) Fail("process {} has ended", pid);
  return std::all_of(begin(tasks), end(tasks), [&](const auto& task) {
    const char state = StateOf(task.path());
    if (state == 'Z') Fail("process {} has ended", pid);
    return state == 'S';
  });
}

}  // namespace

Children::~Children() {
  for (const pid_t pid : pids_) ::kill(pid, SIGKILL);
  while (!pids_.empty()) Collect(pids_.back());
}

pid_t Children::Start(const std::function<void()>& body) {
  std::fflush(nullptr);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) Fail("no process");
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);  // it died before we asked
    try {
      body();
      ::_exit(0);
    } catch (const std::exception& error) {
      fmt::print(stderr, "bench: {}\n", error.what());
    }
    ::_exit(1);
  }
  pids_.push_back(pid);
  return pid;
}

int Children::Collect(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  std::erase(pids_, child);
  return status;
}

void Children::AwaitSleep() const {
  const std::uint64_t end_ns = MonotonicNs() + kPatienceNs;
  while (!std::all_of(pids_.begin(), pids_.end(), IsAsleep)) {
    if (MonotonicNs() > end_ns) Fail("somebody never sleeps");
    ::usleep(500);
  }
}

}  // namespace zcb::bench
