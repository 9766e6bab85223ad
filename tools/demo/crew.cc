#include "tools/demo/crew.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "tools/demo/chunk.h"
#include "tools/demo/failure.h"

extern char** environ;

namespace zcb::demo {
namespace {

constexpr std::uint64_t kNsPerMs = 1'000'000;

sigset_t EndingSignals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, signal);
  return set;
}

struct Pipe {
  Pipe() {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) {
      Fail("pipe: {}", std::strerror(errno));
    }
    read_end = ends[0];
    write_end = ends[1];
  }
  int read_end = -1;
  int write_end = -1;
};

// A child with these as standard input and output, and no signal blocked.
pid_t Spawn(const std::string& order_json, int input, int output) {
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&files);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_adddup2(&files, input, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&files, output, STDOUT_FILENO);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  std::string program = "/proc/self/exe";
  std::string option = "--worker";
  std::string argument = order_json;
  std::array<char*, 4> arguments = {program.data(), option.data(),
                                    argument.data(), nullptr};
  pid_t pid = -1;
  const int error = posix_spawn(&pid, program.c_str(), &files, &attributes,
                                arguments.data(), environ);
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) Fail("cannot start a process: {}", std::strerror(error));
  return pid;
}

int WaitForEnd(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

void CloseOnce(int& descriptor) {
  if (descriptor >= 0) close(std::exchange(descriptor, -1));
}

}  // namespace

SignalGuard::SignalGuard() {
  const sigset_t set = EndingSignals();
  sigprocmask(SIG_BLOCK, &set, nullptr);
  descriptor_ = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  if (descriptor_ < 0) Fail("signalfd: {}", std::strerror(errno));
}

SignalGuard::~SignalGuard() {
  const sigset_t set = EndingSignals();
  close(descriptor_);
  sigprocmask(SIG_UNBLOCK, &set, nullptr);
}

void SignalGuard::ThrowIfTaken() const {
  signalfd_siginfo taken;
  const ssize_t got = read(descriptor_, &taken, sizeof(taken));
  if (got == static_cast<ssize_t>(sizeof(taken))) {
    Fail("interrupted by {}", strsignal(static_cast<int>(taken.ssi_signo)));
  }
}

Crew::~Crew() {
  for (Worker& worker : workers_) {
    CloseOnce(worker.input);
    if (worker.output < 0) continue;
    CloseOnce(worker.output);
    kill(worker.pid, SIGKILL);
    WaitForEnd(worker.pid);
  }
}

std::size_t Crew::Start(Order order) {
  order.driver_pid = getpid();
  const Pipe input;
  const Pipe output;
  Worker worker;
  worker.pid =
      Spawn(nlohmann::json(order).dump(), input.read_end, output.write_end);
  close(input.read_end);
  close(output.write_end);
  worker.input = input.write_end;
  worker.output = output.read_end;
  workers_.push_back(std::move(worker));
  return workers_.size() - 1;
}

void Crew::Kill(std::size_t worker) { kill(workers_[worker].pid, SIGKILL); }

void Crew::CloseInput(std::size_t worker) { CloseOnce(workers_[worker].input); }

bool Crew::TakeLine(Worker& worker, News* news) const {
  const std::size_t end = worker.text.find('\n');
  if (end == std::string::npos) return false;
  news->report =
      nlohmann::json::parse(worker.text.substr(0, end)).get<Report>();
  worker.text.erase(0, end + 1);
  if (news->report.kind == "failed") {
    Fail("process {}: {}", worker.pid, news->report.why);
  }
  return true;
}

// Fills in `ended` if that was the end.
void Crew::Read(Worker& worker, News* news) {
  std::array<char, 65536> piece;
  const ssize_t got = read(worker.output, piece.data(), piece.size());
  if (got > 0) worker.text.append(piece.data(), static_cast<std::size_t>(got));
  if (got > 0 || (got < 0 && errno == EINTR)) return;
  CloseOnce(worker.output);
  news->ended = true;
  news->status = WaitForEnd(worker.pid);
}

Crew::News Crew::Listen(std::uint64_t limit_ns) {
  for (;;) {
    std::vector<pollfd> ends = {{signals_.descriptor(), POLLIN, 0}};
    for (std::size_t i = 0; i < workers_.size(); ++i) {
      News news;
      news.worker = i;
      if (TakeLine(workers_[i], &news)) return news;
      ends.push_back({workers_[i].output, POLLIN, 0});  // -1 is ignored
    }
    const std::uint64_t now_ns = NowNs();
    if (now_ns >= limit_ns) Fail("the processes have stopped making progress");
    const int wait_ms = static_cast<int>((limit_ns - now_ns) / kNsPerMs) + 1;
    if (poll(ends.data(), ends.size(), wait_ms) < 0 && errno != EINTR) {
      Fail("poll: {}", std::strerror(errno));
    }
    signals_.ThrowIfTaken();
    for (std::size_t i = 0; i < workers_.size(); ++i) {
      if (ends[i + 1].revents == 0) continue;
      News news;
      news.worker = i;
      Read(workers_[i], &news);
      if (news.ended) return news;
    }
  }
}

}  // namespace zcb::demo
