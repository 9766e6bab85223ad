// Everything that the library finds by name is replaced, one name at a time and
// at every moment at which it is used, by something that leads elsewhere. What
// is elsewhere stays as it was, and the locks that prove life stay held.
//
// The one who replaces may write to the directories: a member of a group that
// shares a region, or anybody in a base that is not sticky.
#include <fcntl.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include "tests/allocator/region_testing.h"
#include "tests/entry/path_calls.h"
#include "tests/ipc/member_fixture.h"
#include "tests/support/child_process.h"
#include "tests/support/temp_directory.h"

namespace zcb::ipc::testing {
namespace {

using zcb::testing::ChildProcess;
using zcb::testing::OnPathCall;
using zcb::testing::PathCall;
using zcb::testing::TempDirectory;

// A user without an account, if we may become one: root may read anything.
constexpr uid_t kVictim = 65533;
constexpr const char* kSecret = "nobody but me writes this\n";

enum class Evil {
  kLinkToFile,
  kLinkToDirectory,
  kLinkToFifo,
  kLinkToNothing,
  kHardLinkToFile,
  kHardLinkToFifo,
  kHardLinkToLock,
  kFile,
  kDirectory,
  kSocket,
  kFifo,
  kNothing,
  kUnreadableThenLink,  // and in the next call for that name, a link to a file
  kCount,
};
constexpr int kEvils = static_cast<int>(Evil::kCount);

// What must not change, and where it is.
class Precious {
 public:
  explicit Precious(const std::string& directory)
      : directory_(directory + "/precious") {
    std::filesystem::create_directory(directory_);
    EXPECT_EQ(chmod(directory_.c_str(), 0750), 0);
    std::ofstream(file()) << kSecret;
    EXPECT_EQ(chmod(file().c_str(), 0600), 0);
    EXPECT_EQ(mkfifo(fifo().c_str(), 0600), 0);
    fifo_fd_ = open(fifo().c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
    EXPECT_GE(fifo_fd_, 0);
  }
  ~Precious() { close(fifo_fd_); }
  Precious(const Precious&) = delete;
  Precious& operator=(const Precious&) = delete;

  const std::string& directory() const { return directory_; }
  std::string file() const { return directory_ + "/file"; }
  std::string fifo() const { return directory_ + "/fifo"; }
  std::string nothing() const { return directory_ + "/nothing"; }

  void ExpectUntouched() const {
    std::ifstream stream(file());
    const std::string text{std::istreambuf_iterator<char>(stream), {}};
    EXPECT_EQ(text, kSecret);
    EXPECT_EQ(ModeOf(file()), S_IFREG | 0600U);
    EXPECT_EQ(ModeOf(fifo()), S_IFIFO | 0600U);
    EXPECT_EQ(ModeOf(directory_), S_IFDIR | 0750U);
    int bytes = 0;
    EXPECT_EQ(ioctl(fifo_fd_, FIONREAD, &bytes), 0);
    EXPECT_EQ(bytes, 0) << "somebody else's bell was rung";
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(directory_)) {
      names.insert(entry.path().filename());
    }
    EXPECT_EQ(names, (std::set<std::string>{"file", "fifo"}));
  }

 private:
  static mode_t ModeOf(const std::string& path) {
    struct stat facts{};
    EXPECT_EQ(lstat(path.c_str(), &facts), 0) << path;
    return facts.st_mode;
  }
  std::string directory_;
  int fifo_fd_ = -1;
};

// Counts the uses of names in a region's directory and in its base, and plants
// something before one of them.
class Swapper {
 public:
  Swapper(const Precious& precious, const std::string& lock_path, Evil evil,
          int turn)
      : precious_(precious), lock_path_(lock_path), evil_(evil), turn_(turn) {
    OnPathCall([this](const PathCall& call) { Meet(call); });
  }
  ~Swapper() { OnPathCall(nullptr); }
  Swapper(const Swapper&) = delete;
  Swapper& operator=(const Swapper&) = delete;

  bool has_planted() const { return has_planted_; }
  const std::string& story() const { return story_; }

 private:
  void Meet(const PathCall& call) {
    const std::string name = call.name;
    // "." is the directory itself, which is open.
    if (call.directory_fd < 0 || name.empty() || name[0] == '/' ||
        name == ".") {
      return;
    }
    if (evil_ == Evil::kHardLinkToLock && name.ends_with(".lock")) return;
    if (evil_ == Evil::kUnreadableThenLink && has_planted_ && name == name_ &&
        !has_planted_again_) {
      has_planted_again_ = true;
      Clear(call);
      EXPECT_EQ(
          symlinkat(precious_.file().c_str(), call.directory_fd, call.name), 0);
    }
    if (turn_-- != 0) return;
    has_planted_ = true;
    name_ = name;
    story_ = std::string(call.function) + " " + name;
    Clear(call);
    Plant(call);
  }

  // Whatever is there goes: renamed, so that a directory goes as well.
  void Clear(const PathCall& call) {
    const std::string aside = "aside" + std::to_string(++moved_);
    (void)!renameat(call.directory_fd, call.name, call.directory_fd,
                    aside.c_str());
  }

  void Plant(const PathCall& call) {
    errno = 0;
    const int fd = call.directory_fd;
    const char* name = call.name;
    int result = 0;
    switch (evil_) {
      case Evil::kLinkToFile:
        result = symlinkat(precious_.file().c_str(), fd, name);
        break;
      case Evil::kLinkToDirectory:
        result = symlinkat(precious_.directory().c_str(), fd, name);
        break;
      case Evil::kLinkToFifo:
        result = symlinkat(precious_.fifo().c_str(), fd, name);
        break;
      case Evil::kLinkToNothing:
        result = symlinkat(precious_.nothing().c_str(), fd, name);
        break;
      case Evil::kHardLinkToFile:
        result = linkat(AT_FDCWD, precious_.file().c_str(), fd, name, 0);
        break;
      case Evil::kHardLinkToFifo:
        result = linkat(AT_FDCWD, precious_.fifo().c_str(), fd, name, 0);
        break;
      case Evil::kHardLinkToLock:
        result = linkat(AT_FDCWD, lock_path_.c_str(), fd, name, 0);
        if (errno == ENOENT) result = 0;  // it has no name yet
        break;
      case Evil::kFile:
        result = mknodat(fd, name, S_IFREG | 0600, 0);
        break;
      case Evil::kDirectory:
        result = mkdirat(fd, name, 0700);
        break;
      case Evil::kSocket:
        result = mknodat(fd, name, S_IFSOCK | 0600, 0);
        break;
      case Evil::kFifo:
        result = mknodat(fd, name, S_IFIFO | 0600, 0);
        break;
      case Evil::kUnreadableThenLink:
        result = mknodat(fd, name, S_IFIFO, 0);
        break;
      case Evil::kNothing:
      case Evil::kCount:
        break;
    }
    EXPECT_EQ(result, 0) << story_;
  }

  const Precious& precious_;
  const std::string lock_path_;
  const Evil evil_;
  int turn_;
  int moved_ = 0;
  bool has_planted_ = false;
  bool has_planted_again_ = false;
  std::string name_;
  std::string story_;
};

// Attaches, joins twice, sleeps, wakes the sleeper, and goes. Every step may
// fail: it says so, and that is the end.
void Live(const IpcOptions& options, const std::string& lock_path) {
  auto opened = Attachment::Open(options);
  if (!opened) return;
  Attachment& attachment = **opened;
  const std::uint32_t lease_slot = attachment.region().lease().slot;
  {
    auto bell = attachment.MakeDoorbell();
    auto other_bell = attachment.MakeDoorbell();
    if (!bell || !other_bell) return;
    const auto join = [&](Doorbell* with) {
      return attachment.Join(Named("g"), with, Attachment::Membership::kMany);
    };
    auto sender = join(bell->get());
    auto sleeper = join(other_bell->get());
    if (!sender || !sleeper) return;
    while (!ReadOne(**sleeper).empty()) {
    }
    (*sleeper)->AnnounceSleep();
    (void)SendText(**sender, "wake up");
    EXPECT_EQ(ReadOne(**sleeper), "wake up");
    // As another process sees it: this one lives.
    struct stat facts{};
    if (lstat(lock_path.c_str(), &facts) == 0 && S_ISREG(facts.st_mode) &&
        facts.st_size == 0) {
      EXPECT_TRUE(
          alloc::testing::IsLockedAsSeenFromOutside(lock_path, lease_slot));
    }
  }
}

constexpr int kNothingLeft = 77;

// One life, with one name replaced at its `turn`th use.
int LiveWith(Evil evil, int turn, mode_t mask) {
  TempDirectory base;
  if (geteuid() == 0) {
    EXPECT_EQ(chown(base.path().c_str(), kVictim, kVictim), 0);
  }
  ChildProcess victim([&]() -> int {
    if (geteuid() == 0 && (setgroups(0, nullptr) != 0 ||
                           setresgid(kVictim, kVictim, kVictim) != 0 ||
                           setresuid(kVictim, kVictim, kVictim) != 0)) {
      return 2;
    }
    const Precious precious(base.path());
    IpcOptions options = OptionsIn(base.path());
    options.region.region_bytes = 4 << 20;
    options.region.name = "r";
    const std::string lock_path =
        base.path() + "/zcb-" + std::to_string(geteuid()) + "/r.lock";
    umask(mask);
    bool has_planted = false;
    {
      Swapper swapper(precious, lock_path, evil, turn);
      Live(options, lock_path);
      has_planted = swapper.has_planted();
      if (::testing::Test::HasFailure()) {
        std::fprintf(stderr, "planted: %s\n", swapper.story().c_str());
      }
    }
    umask(022);
    precious.ExpectUntouched();
    if (::testing::Test::HasFailure()) return 1;
    return has_planted ? 0 : kNothingLeft;
  });
  return victim.Join();
}

class SwapTest : public ::testing::TestWithParam<int> {
 protected:
  void TryEveryTurn(mode_t mask) {
    int turn = 0;
    for (;; ++turn) {
      const int verdict = LiveWith(static_cast<Evil>(GetParam()), turn, mask);
      if (verdict == kNothingLeft) break;
      ASSERT_EQ(verdict, 0) << "turn " << turn;
      ASSERT_LT(turn, 1000);
    }
    RecordProperty("turns", turn);
    EXPECT_GT(turn, 25) << "the names were not seen";
  }
};

TEST_P(SwapTest, WhatIsElsewhereStaysAsItIs) { TryEveryTurn(022); }

// Then what was just made cannot be opened before its mode is changed.
TEST_P(SwapTest, NorDoesItUnderAUmaskThatForbidsEverything) {
  TryEveryTurn(0777);
}

constexpr const char* kNames[] = {
    "LinkToFile",        "LinkToDirectory", "LinkToFifo",     "LinkToNothing",
    "HardLinkToFile",    "HardLinkToFifo",  "HardLinkToLock", "File",
    "Directory",         "Socket",          "Fifo",           "Nothing",
    "UnreadableThenLink"};
static_assert(std::size(kNames) == std::size_t(Evil::kCount));

INSTANTIATE_TEST_SUITE_P(Each, SwapTest, ::testing::Range(0, kEvils),
                         [](const auto& param) {
                           return std::string(kNames[param.param]);
                         });

}  // namespace
}  // namespace zcb::ipc::testing
