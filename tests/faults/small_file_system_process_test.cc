// File systems that are too small, or become full at some point of a process's
// life. Root only: each case mounts a tmpfs that only its own process sees.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>

#include "tests/faults/cpg_life.h"
#include "tests/faults/cpg_world.h"
#include "tests/faults/listed_errors.h"
#include "tests/faults/resources.h"
#include "tests/support/child_process.h"
#include "tests/support/temp_directory.h"

namespace zcb::faults {
namespace {

using zcb::testing::ChildProcess;

constexpr int kWhole = 10;
constexpr int kRefused = 11;
constexpr int kUndocumented = 12;
constexpr int kNotAgain = 13;
constexpr int kLeft = 14;
constexpr int kNoMount = 77;

class SmallFileSystemTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "not run: needs root";
    ChildProcess probe([this] {
      Mount("size=1m");
      return 0;
    });
    if (probe.Join() != 0) GTEST_SKIP() << "not run: may not mount";
    UseDirectory(directory_.path());
    (void)IsListed("", 0);
  }

  void Mount(const std::string& options) const {
    if (unshare(CLONE_NEWNS) != 0 ||
        mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        mount("none", directory_.path().c_str(), "tmpfs", 0, options.c_str()) !=
            0) {
      _exit(kNoMount);
    }
  }
  void Remount(const std::string& options) const {
    if (mount("none", directory_.path().c_str(), "tmpfs", MS_REMOUNT,
              options.c_str()) != 0) {
      _exit(kNoMount);
    }
  }
  std::string filler() const { return directory_.path() + "/filler"; }
  // Not a byte is left.
  void Fill() const {
    const int fd = open(filler().c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    const std::string page(4096, 'x');
    while (write(fd, page.data(), page.size()) > 0) {
    }
    close(fd);
  }

  // Judges a life in need, and one in plenty; SIGBUS would end the process.
  int Judge(const Life& poor, const Life& rich) const {
    if (!poor.wrong.empty()) {
      std::fprintf(stderr, "%s\n", poor.wrong.c_str());
      return kUndocumented;
    }
    if (!rich.IsWhole()) return kNotAgain;
    return poor.IsWhole() ? kWhole : kRefused;
  }

  // Runs `body` in a child; exit handlers detach, and then nothing is left.
  int InChild(const std::function<int()>& body) {
    ChildProcess outer([&] {
      Mount("size=64m,nr_inodes=100");
      const int end = ChildProcess([&] {
                        std::exit(body());
                        return 0;
                      }).Join();
      if (end != kWhole && end != kRefused) return end;
      unlink(filler().c_str());
      return FilesBelow(directory_.path()).empty() ? end : kLeft;
    });
    return outer.Join();
  }

  zcb::testing::TempDirectory directory_;
};

TEST_F(SmallFileSystemTest, EverySizeIsEnoughOrAClearError) {
  // In steps of 128 KiB; small regions are made in four or five MiB.
  int levels = 0;
  for (int end = kRefused; end == kRefused && levels < 200; ++levels) {
    end = InChild([&] {
      Remount("size=" + std::to_string((levels + 1) * 128) + "k");
      const Life poor = Live();
      Remount("size=64m");
      return Judge(poor, Live());
    });
    EXPECT_TRUE(end == kWhole || end == kRefused) << levels << ": " << end;
  }
  std::printf("levels of file system size: %d\n", levels);
  std::fflush(stdout);
  EXPECT_GE(levels, 10);
}

TEST_F(SmallFileSystemTest, EveryNumberOfInodesIsEnoughOrAClearError) {
  int inodes = 1;
  for (int end = kRefused; end == kRefused && inodes < 50; ++inodes) {
    end = InChild([&] {
      Remount("nr_inodes=" + std::to_string(inodes));
      const Life poor = Live();
      Remount("nr_inodes=100");
      return Judge(poor, Live());
    });
    EXPECT_TRUE(end == kWhole || end == kRefused) << inodes << ": " << end;
  }
  std::printf("levels of inodes: %d\n", inodes);
  std::fflush(stdout);
  EXPECT_GE(inodes, 5);
}

TEST_F(SmallFileSystemTest, FullAtAnyPointOfALifeIsAClearErrorAndNoSignal) {
  int calls = 1;
  for (int full_at = 0; full_at < calls; ++full_at) {
    for (const bool lasts : {true, false}) {
      // Full from that call on, or during that call alone.
      int* const counted = &calls;
      int fds[2];
      ASSERT_EQ(pipe(fds), 0);
      const int end = InChild([&] {
        const Life poor = Live([&](int call) {
          if (call == full_at) Fill();
          if (!lasts && call == full_at + 1) unlink(filler().c_str());
        });
        unlink(filler().c_str());
        const Life rich = Live();
        if (write(fds[1], &rich.calls, sizeof(int)) != sizeof(int)) return 99;
        return Judge(poor, rich);
      });
      EXPECT_TRUE(end == kWhole || end == kRefused)
          << "full at call " << full_at << ": " << end;
      close(fds[1]);
      int all = 0;
      if (read(fds[0], &all, sizeof(all)) == sizeof(all)) *counted = all;
      close(fds[0]);
    }
  }
  std::printf("points of a life: %d\n", calls);
  EXPECT_GE(calls, 20);
}

}  // namespace
}  // namespace zcb::faults
