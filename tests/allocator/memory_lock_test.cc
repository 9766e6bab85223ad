// A region's memory locked in place. Apart, since the sanitizers make mlock(2)
// do nothing.
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "allocator/region.h"
#include "tests/allocator/region_testing.h"

namespace zcb::alloc {
namespace {

using testing::FileBytes;
using testing::MustOpen;
using testing::TempDirectory;

// VmLck of this process.
std::uint64_t LockedBytes() {
  std::ifstream status("/proc/self/status");
  std::string line;
  while (std::getline(status, line)) {
    if (line.rfind("VmLck:", 0) == 0) return std::stoull(line.substr(6)) * 1024;
  }
  return 0;
}

TEST(MemoryLockTest, MemoryIsLockedAndUnlockedWhole) {
  const TempDirectory directory;
  const std::shared_ptr<Region> region = MustOpen(directory.Options());
  ASSERT_NE(region, nullptr);
  const std::uint64_t before = LockedBytes();
  const Outcome locked = region->LockMemory();
  if (locked.status() == Status::kNoResources) GTEST_SKIP() << "no privilege";
  ASSERT_TRUE(locked.ok()) << locked.reason();
  EXPECT_EQ(LockedBytes() - before,
            region->geometry().region_bytes + region->geometry().meta_bytes);
  EXPECT_EQ(FileBytes(*region, ".data"), 0U) << "locking commits nothing";
  EXPECT_TRUE(region->CommitUnits(0, 1).ok());
  region->data()[5] = std::byte{5};
  EXPECT_TRUE(region->DecommitUnits(0, 1).ok()) << "locked pages can go";
  EXPECT_EQ(FileBytes(*region, ".data"), 0U);
  region->UnlockMemory();
  EXPECT_EQ(LockedBytes(), before);
}

TEST(MemoryLockTest, ALimitOnLockedMemoryIsNoResourcesAndLocksNothing) {
  const TempDirectory directory;
  RegionOptions options = directory.Options();
  options.region_bytes = RegionLimits::kMinRegionBytes;
  EXPECT_TRUE(testing::SucceedsInChild([&](testing::Talk&) {
    const std::shared_ptr<Region> region = MustOpen(options);
    ASSERT_NE(region, nullptr);
    // Room for the data file, not for the tables. Root is above limits.
    const rlimit limit = {region->geometry().region_bytes + 4096,
                          region->geometry().region_bytes + 4096};
    ASSERT_EQ(::setrlimit(RLIMIT_MEMLOCK, &limit), 0);
    __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct none[2] = {};
    ASSERT_EQ(::syscall(SYS_capset, &header, none), 0);
    EXPECT_EQ(region->LockMemory().status(), Status::kNoResources);
    EXPECT_EQ(LockedBytes(), 0U);
  }));
}

}  // namespace
}  // namespace zcb::alloc
