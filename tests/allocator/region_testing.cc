#include "tests/allocator/region_testing.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <utility>

namespace zcb::alloc::testing {

TempDirectory::TempDirectory() {
  std::array<char, 32> name{"/dev/shm/zcb-test-XXXXXX"};
  if (::mkdtemp(name.data()) == nullptr) std::abort();
  path_ = name.data();
}

TempDirectory::~TempDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

RegionOptions TempDirectory::Options() const {
  RegionOptions options;
  options.directory = path_;
  options.name = "r";
  options.region_bytes = 8 * kUnitBytes;
  options.unit_bytes = kUnitBytes;  // though the region is small
  options.prefault_bytes = 0;
  options.lease_count = 64;
  options.client_area_bytes = 1 << 20;
  return options;
}

std::string TempDirectory::RegionPath() const {
  return path_ + "/zcb-" + std::to_string(::geteuid());
}

std::vector<std::string> TempDirectory::RegionFiles() const {
  std::vector<std::string> names;
  std::error_code ignored;
  for (const auto& entry :
       std::filesystem::directory_iterator(RegionPath(), ignored)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::shared_ptr<Region> MustOpen(const RegionOptions& options) {
  Result<std::shared_ptr<Region>> region = Region::Open(options);
  EXPECT_TRUE(region.ok()) << region.reason();
  return region.ok() ? *region : nullptr;
}

std::uint64_t FileBytes(const Region& region, const std::string& kind) {
  struct stat facts = {};
  const std::string path =
      region.directory_path() + "/" + region.file_stem() + kind;
  EXPECT_EQ(::stat(path.c_str(), &facts), 0);
  return static_cast<std::uint64_t>(facts.st_blocks) * 512;
}

void Talk::Say(char word) const {
  while (::send(fd_, &word, 1, MSG_NOSIGNAL) < 0 && errno == EINTR) {
  }
}

char Talk::Hear() const {
  char word = '\0';
  ssize_t got = 0;
  do {
    got = ::read(fd_, &word, 1);
  } while (got < 0 && errno == EINTR);
  return got == 1 ? word : '\0';
}

Child::Child(const std::function<void(Talk&)>& body) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    std::abort();
  }
  std::fflush(nullptr);
  pid_ = ::fork();
  if (pid_ < 0) std::abort();
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::close(ends[0]);
    Talk talk(ends[1]);
    body(talk);
    std::fflush(nullptr);
    ::_exit(::testing::Test::HasFailure() ? 1 : 0);
  }
  ::close(ends[1]);
  fd_ = ends[0];
}

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), fd_(std::exchange(other.fd_, -1)) {}

Child::~Child() {
  Kill();
  CloseTalk();
}

void Child::CloseTalk() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

int Child::Wait() {
  if (pid_ < 0) return 0;
  int state = 0;
  while (::waitpid(pid_, &state, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  return WIFSIGNALED(state) ? -WTERMSIG(state) : WEXITSTATUS(state);
}

void Child::Kill() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  Wait();
}

bool SucceedsInChild(const std::function<void(Talk&)>& body) {
  return Child(body).Wait() == 0;
}

bool IsLockedAsSeenFromOutside(const std::string& lock_path,
                               std::uint32_t byte) {
  Child looker([&](Talk& talk) {
    const int fd = ::open(lock_path.c_str(), O_RDWR | O_CLOEXEC);
    struct flock lock = {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    lock.l_start = static_cast<off_t>(byte);
    lock.l_len = 1;
    const bool asked = fd >= 0 && ::fcntl(fd, F_GETLK, &lock) == 0;
    talk.Say(asked && lock.l_type != F_UNLCK ? 'y' : 'n');
  });
  const bool is_locked = looker.Hear() == 'y';
  looker.Wait();
  return is_locked;
}

bool EnterPrivateMountNamespace() {
  return ::unshare(CLONE_NEWNS) == 0 &&
         ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
}

bool MountTmpfs(const std::string& path, const std::string& options) {
  ::mkdir(path.c_str(), 0700);
  return ::mount("tmpfs", path.c_str(), "tmpfs", 0, options.c_str()) == 0;
}

}  // namespace zcb::alloc::testing
