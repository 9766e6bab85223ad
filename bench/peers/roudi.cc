#include "bench/peers/roudi.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "bench/failure.h"
#include "bench/pages/private_mounts.h"

namespace zcb::bench {
namespace {

constexpr const char* kDaemon = "/usr/bin/iox-roudi";
constexpr int kStopMs = 5000;

// What it makes in /dev/shm: the segment is named after our group.
std::vector<std::string> SharedFiles() {
  std::vector<std::string> files = {"/dev/shm/iceoryx_mgmt"};
  if (const group* ours = ::getgrgid(::getegid())) {
    files.push_back(std::string("/dev/shm/") + ours->gr_name);
  }
  return files;
}

bool HaveOwnPlaces() {
  static const bool have = EnterPrivateMounts() &&
                           Mount("tmpfs", "/dev/shm", "mode=1777,size=90%") &&
                           Mount("tmpfs", "/tmp", "mode=1777");
  return have;
}

std::string WriteConfig(std::size_t chunk_bytes, std::size_t chunks) {
  const std::string file = fmt::format("/tmp/zcb-roudi-{}.toml", ::getpid());
  std::ofstream(file) << fmt::format(
      "[general]\nversion = 1\n[[segment]]\n[[segment.mempool]]\n"
      "size = {}\ncount = {}\n",
      chunk_bytes, chunks);
  return file;
}

[[noreturn]] void BeDaemon(const std::string& config, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);  // it died before we asked
  const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  ::dup2(nowhere, STDOUT_FILENO);
  ::dup2(nowhere, STDERR_FILENO);
  ::execl(kDaemon, kDaemon, "-c", config.c_str(), "-l", "off", "-k", "1",
          nullptr);
  ::_exit(1);
}

}  // namespace

void TakePlacesForRoudi() { HaveOwnPlaces(); }

Roudi::Roudi(std::size_t chunk_bytes, std::size_t chunks) {
  if (::access(kDaemon, X_OK) != 0) Fail("no {}", kDaemon);
  if (!HaveOwnPlaces()) {
    for (const std::string& file : SharedFiles()) {
      if (!std::filesystem::exists(file)) continue;
      Fail("another iox-roudi is at work, or has left {}", file);
    }
  }
  const std::string config = WriteConfig(chunk_bytes, chunks);
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ < 0) Fail("fork: {}", std::strerror(errno));
  if (pid_ == 0) BeDaemon(config, parent);
}

Roudi::~Roudi() {
  ::kill(pid_, SIGTERM);
  pollfd ended{static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)), POLLIN, 0};
  if (::poll(&ended, 1, kStopMs) != 1) ::kill(pid_, SIGKILL);
  ::close(ended.fd);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  std::error_code ignored;
  for (const std::string& file : SharedFiles()) {
    std::filesystem::remove(file, ignored);
  }
  for (const char* name : {"iox-unique-roudi", "roudi"}) {
    std::filesystem::remove(std::string("/tmp/") + name, ignored);
    std::filesystem::remove(std::string("/tmp/") + name + ".lock", ignored);
  }
  std::filesystem::remove(fmt::format("/tmp/zcb-roudi-{}.toml", ::getpid()),
                          ignored);
}

}  // namespace zcb::bench
