// Lives of processes that the system gives little: descriptors, address space,
// file sizes.
#include <corosync/cpg.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <string>

#include "tests/faults/cpg_life.h"
#include "tests/faults/cpg_world.h"
#include "tests/faults/listed_errors.h"
#include "tests/faults/resources.h"
#include "tests/support/child_process.h"

namespace zcb::faults {
namespace {

using zcb::testing::ChildProcess;

constexpr int kWhole = 10;    // exit codes of a life: nothing was refused
constexpr int kRefused = 11;  // something was, as documented
constexpr int kUndocumented = 12;
constexpr int kLeak = 13;
constexpr int kNotAgain = 14;  // with the limit lifted it did not work

void SetLimit(__rlimit_resource what, rlim_t soft) {
  rlimit limit{};
  if (getrlimit(what, &limit) != 0) _exit(99);
  limit.rlim_cur = std::min(soft, limit.rlim_max);
  if (setrlimit(what, &limit) != 0) _exit(99);
}
void LiftLimit(__rlimit_resource what) {
  rlimit limit{};
  if (getrlimit(what, &limit) != 0) _exit(99);
  SetLimit(what, limit.rlim_max);
}

// A life with at most that much of `what`, and two without the limit. What the
// first one leaves open must not be more than what the others do.
int LiveWithin(__rlimit_resource what, rlim_t soft,
               const std::string& directory) {
  SetLimit(what, soft);
  const Life limited = Live();
  if (!limited.wrong.empty()) {
    std::fprintf(stderr, "%s\n", limited.wrong.c_str());
    _exit(kUndocumented);
  }
  LiftLimit(what);
  const Resources after = Resources::Now(directory);
  if (!Live().IsWhole()) _exit(kNotAgain);
  const std::string more = after.MoreThan(Resources::Now(directory));
  if (!more.empty()) {
    std::fprintf(stderr, "leaks%s\n", more.c_str());
    _exit(kLeak);
  }
  std::exit(limited.IsWhole() ? kWhole : kRefused);
}

// The limits from `from` on in steps, until nothing is refused. How many.
int Raise(__rlimit_resource what, rlim_t from, rlim_t step, World* world) {
  (void)IsListed("", 0);
  int levels = 0;
  for (rlim_t limit = from; levels < 1000; limit += step, ++levels) {
    ChildProcess child(
        [&] { return LiveWithin(what, limit, world->directory()); });
    const int end = child.Join();
    EXPECT_TRUE(end == kWhole || end == kRefused)
        << "with " << limit << ": " << end;
    EXPECT_EQ(world->Check({}), "") << limit;
    if (end == kWhole) break;
  }
  return levels;
}

TEST(ResourceLimitsTest, EveryNumberOfDescriptorsIsEnoughOrAClearError) {
  EmptyWorld empty;
  const int to_create = Raise(RLIMIT_NOFILE, 3, 1, &empty);
  std::printf("levels of descriptors: %d\n", to_create);
  std::fflush(stdout);
  EXPECT_GE(to_create, 8);
  KeptWorld kept;
  EXPECT_GE(Raise(RLIMIT_NOFILE, 3, 1, &kept), 8);
}

TEST(ResourceLimitsTest, EveryAmountOfAddressSpaceIsEnoughOrAClearError) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "the sanitizer itself takes terabytes";
#else
  std::ifstream statm("/proc/self/statm");
  rlim_t pages = 0;
  statm >> pages;
  const rlim_t now = pages * static_cast<rlim_t>(sysconf(_SC_PAGESIZE));
  EmptyWorld empty;
  const int to_create = Raise(RLIMIT_AS, now, 2 << 20, &empty);
  std::printf("levels of address space: %d\n", to_create);
  std::fflush(stdout);
  EXPECT_GE(to_create, 10);
  KeptWorld kept;
  EXPECT_GE(Raise(RLIMIT_AS, now, 4 << 20, &kept), 5);
#endif
}

TEST(ResourceLimitsTest, FileSizeLimitIsAnErrorAndNoSignal) {
  EmptyWorld empty;
  // Of the larger of two files, in mebibytes.
  const int to_create = Raise(RLIMIT_FSIZE, 0, 8 << 20, &empty);
  std::printf("levels of file size: %d\n", to_create);
  std::fflush(stdout);
  EXPECT_GE(to_create, 2);
  // A region that is there does not grow.
  KeptWorld kept;
  EXPECT_EQ(Raise(RLIMIT_FSIZE, 0, 1 << 20, &kept), 0);
}

// What is sent is in the order, so whoever sleeps must hear of it.
TEST(ResourceLimitsTest, SenderWithoutDescriptorsWakesTheOthers) {
  KeptWorld world;
  ChildProcess child([&world] {
    cpg_handle_t handle = 0;
    cpg_name group{};
    group.length = static_cast<std::uint32_t>(std::strlen(kGroupName));
    std::memcpy(group.value, kGroupName, group.length);
    {
      // The keeper is rung by this one's join, so that no bell is open below.
      ChildProcess first([&] {
        cpg_initialize(&handle, nullptr);
        cpg_join(handle, &group);
        std::exit(0);
        return 0;
      });
      first.Join();
    }
    if (cpg_initialize(&handle, nullptr) != CS_OK ||
        cpg_join(handle, &group) != CS_OK || !world.Read(0).empty()) {
      return 1;
    }
    const int free_fd = dup(2);
    close(free_fd);
    SetLimit(RLIMIT_NOFILE, static_cast<rlim_t>(free_fd));
    const iovec piece{&group, 10};
    for (int i = 0; i < 3; ++i) {
      if (cpg_mcast_joined(handle, CPG_TYPE_AGREED, &piece, 1) != CS_OK) {
        return 2;
      }
      const std::string wrong = world.Read(1);
      if (!wrong.empty()) {
        std::fprintf(stderr, "%d: %s\n", i, wrong.c_str());
        return 3;
      }
    }
    std::exit(0);
    return 0;
  });
  EXPECT_EQ(child.Join(), 0);
  EXPECT_EQ(world.Check({}), "");
}

}  // namespace
}  // namespace zcb::faults
