// A user who may have no more threads. Root only: root itself has no limit, so
// the case becomes another user.
#include <corosync/cpg.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tests/faults/cpg_life.h"
#include "tests/faults/cpg_world.h"
#include "tests/faults/listed_errors.h"
#include "tests/faults/resources.h"
#include "tests/support/child_process.h"

namespace zcb::faults {
namespace {

using zcb::testing::ChildProcess;

// That nobody else in a test has.
constexpr uid_t kSomebody = 64'321;

TEST(ThreadLimitTest, JoinWithoutAThreadIsAClearErrorAndWorksLater) {
  if (geteuid() != 0) GTEST_SKIP() << "not run: needs root";
  EmptyWorld world;
  (void)IsListed("", 0);
  ASSERT_EQ(chown(world.directory().c_str(), kSomebody, kSomebody), 0);
  ChildProcess child([&world] {
    if (setgid(kSomebody) != 0 || setuid(kSomebody) != 0) return 90;
    cpg_handle_t handle = 0;
    cpg_name group{};
    group.length = static_cast<std::uint32_t>(std::strlen(kGroupName));
    std::memcpy(group.value, kGroupName, group.length);
    if (cpg_initialize(&handle, nullptr) != CS_OK) return 1;
    const Resources before = Resources::Now(world.directory());
    rlimit limit{};
    if (getrlimit(RLIMIT_NPROC, &limit) != 0) return 91;
    limit.rlim_cur = 0;
    if (setrlimit(RLIMIT_NPROC, &limit) != 0) return 92;
    // A member whom nobody tells of deaths is not made.
    for (int i = 0; i < 3; ++i) {
      if (cpg_join(handle, &group) != CS_ERR_NO_RESOURCES) return 2;
    }
    // What needs no thread works, and what could do with one does without.
    const Life poor = Live();
    if (!poor.wrong.empty()) {
      std::fprintf(stderr, "%s\n", poor.wrong.c_str());
      return 3;
    }
    Resources after = Resources::Now(world.directory());
    after.mapped_bytes = before.mapped_bytes;  // the tables of buffers
    after.blocks = before.blocks;
    const std::string more = after.MoreThan(before);
    if (!more.empty()) {
      std::fprintf(stderr, "leaks%s\n", more.c_str());
      return 4;
    }
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NPROC, &limit) != 0) return 93;
    if (!Live().IsWhole()) return 5;
    std::exit(cpg_join(handle, &group) == CS_OK ? 0 : 6);
  });
  EXPECT_EQ(child.Join(), 0);
  EXPECT_TRUE(FilesBelow(world.directory()).empty());
}

}  // namespace
}  // namespace zcb::faults
