// The C interface's options: fields, the environment behind them, defaults.
#include "allocator/zcb_options.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

namespace zcb::alloc {
namespace {

class ZcbOptionsTest : public ::testing::Test {
 protected:
  ZcbOptionsTest() {
    Clear();
    options_.size = sizeof options_;
  }
  ~ZcbOptionsTest() override { Clear(); }
  static void Clear() {
    for (const char* variable :
         {"ZCB_DIR", "ZCB_REGION", "ZCB_REGION_BYTES", "ZCB_PAGES", "ZCB_KEEP",
          "ZCB_SIGBUS", "ZCB_QUOTA_BYTES", "ZCB_SPARE_BYTES", "ZCB_IDLE_BYTES",
          "ZCB_POISON", "ZCB_NUMA"}) {
      unsetenv(variable);
    }
  }
  OpenOptions MustRead() {
    const auto read = ReadOpenOptions(&options_);
    EXPECT_TRUE(read.ok()) << read.reason();
    return read ? *read : OpenOptions{};
  }
  void ExpectRefused() {
    const auto read = ReadOpenOptions(&options_);
    EXPECT_EQ(read.status(), Status::kInvalidParam);
    EXPECT_STRNE(read.reason(), "");
  }
  struct zcb_options options_{};
};

TEST_F(ZcbOptionsTest, NothingSetMeansTheDefaultsUnderANameOfItsOwn) {
  for (const bool is_null : {true, false}) {
    const auto read = ReadOpenOptions(is_null ? nullptr : &options_);
    ASSERT_TRUE(read.ok()) << read.reason();
    EXPECT_EQ(read->region.name, "allocator");
    EXPECT_NE(read->region.name, RegionOptions().name);
    EXPECT_EQ(read->region.directory, "");
    EXPECT_EQ(read->region.region_bytes, RegionOptions().region_bytes);
    EXPECT_EQ(read->region.prefault_bytes, RegionOptions().prefault_bytes);
    EXPECT_EQ(read->region.lease_count, RegionOptions().lease_count);
    EXPECT_EQ(read->region.client_area_bytes, 0U);
    EXPECT_EQ(read->allocator.quota_bytes, AllocatorOptions::kNoQuota);
    EXPECT_EQ(read->allocator.spare_bytes,
              AllocatorOptions::kDefaultSpareBytes);
    EXPECT_EQ(read->allocator.idle_bytes, AllocatorOptions::kKeepAll);
    EXPECT_EQ(read->allocator.numa_node, AllocatorOptions::kNoNode);
    EXPECT_FALSE(read->allocator.poison);
  }
}

TEST_F(ZcbOptionsTest, TheEnvironmentFillsWhatTheProgramLeavesOpen) {
  setenv("ZCB_REGION", "env", 1);
  setenv("ZCB_DIR", "/dev/shm/env", 1);
  setenv("ZCB_REGION_BYTES", "32m", 1);
  setenv("ZCB_PAGES", "small", 1);
  setenv("ZCB_KEEP", "1", 1);
  setenv("ZCB_QUOTA_BYTES", "5m", 1);
  setenv("ZCB_SPARE_BYTES", "6m", 1);
  setenv("ZCB_IDLE_BYTES", "7m", 1);
  setenv("ZCB_POISON", "1", 1);
  setenv("ZCB_NUMA", "local", 1);
  const OpenOptions read = MustRead();
  EXPECT_EQ(read.region.name, "env");
  EXPECT_EQ(read.region.directory, "/dev/shm/env");
  EXPECT_EQ(read.region.region_bytes, 32U << 20);
  EXPECT_EQ(read.region.pages, PagePolicy::kSmall);
  EXPECT_TRUE(read.region.keep);
  EXPECT_EQ(read.allocator.quota_bytes, 5U << 20);
  EXPECT_EQ(read.allocator.spare_bytes, 6U << 20);
  EXPECT_EQ(read.allocator.idle_bytes, 7U << 20);
  EXPECT_TRUE(read.allocator.poison);
  EXPECT_EQ(read.allocator.numa_node, AllocatorOptions::kLocalNode);

  options_.name = "mine";
  options_.directory = "/dev/shm/mine";
  options_.region_bytes = 8 << 20;
  options_.pages = ZCB_PAGES_AUTO;
  options_.keep = ZCB_NO;
  options_.quota_bytes = ZCB_NONE;
  options_.spare_bytes = ZCB_NONE;
  options_.idle_bytes = ZCB_ALL;
  options_.poison = ZCB_NO;
  options_.numa = ZCB_NUMA_NONE;
  const OpenOptions mine = MustRead();
  EXPECT_EQ(mine.region.name, "mine");
  EXPECT_EQ(mine.region.directory, "/dev/shm/mine");
  EXPECT_EQ(mine.region.region_bytes, 8U << 20);
  EXPECT_EQ(mine.region.pages, PagePolicy::kAuto);
  EXPECT_FALSE(mine.region.keep);
  EXPECT_EQ(mine.allocator.quota_bytes, AllocatorOptions::kNoQuota);
  EXPECT_EQ(mine.allocator.spare_bytes, 0U);
  EXPECT_EQ(mine.allocator.idle_bytes, AllocatorOptions::kKeepAll);
  EXPECT_FALSE(mine.allocator.poison);
  EXPECT_EQ(mine.allocator.numa_node, AllocatorOptions::kNoNode);
}

TEST_F(ZcbOptionsTest, EveryFieldArrives) {
  options_.hugetlbfs_mount = "/mnt/huge";
  options_.pages = ZCB_PAGES_HUGE;
  options_.unit_bytes = 1 << 18;
  options_.process_count = 17;
  options_.prefault_bytes = 3 << 20;
  options_.idle_bytes = ZCB_NONE;
  options_.quota_bytes = 9 << 20;
  options_.poison = ZCB_YES;
  options_.numa = ZCB_NUMA_NODE(0);
  OpenOptions read = MustRead();
  EXPECT_EQ(read.region.hugetlbfs_mount, "/mnt/huge");
  EXPECT_EQ(read.region.pages, PagePolicy::kHuge);
  EXPECT_EQ(read.region.unit_bytes, 1U << 18);
  EXPECT_EQ(read.region.lease_count, 17U);
  EXPECT_EQ(read.region.prefault_bytes, 3U << 20);
  EXPECT_EQ(read.allocator.idle_bytes, 0U);
  EXPECT_EQ(read.allocator.quota_bytes, 9U << 20);
  EXPECT_TRUE(read.allocator.poison);
  EXPECT_EQ(read.allocator.numa_node, 0);
  options_.prefault_bytes = ZCB_NONE;
  options_.numa = ZCB_NUMA_NODE(3);
  read = MustRead();
  EXPECT_EQ(read.region.prefault_bytes, 0U);
  EXPECT_EQ(read.allocator.numa_node, 3);
  options_.prefault_bytes = ZCB_ALL;
  EXPECT_EQ(MustRead().region.prefault_bytes, RegionOptions().region_bytes);
}

TEST_F(ZcbOptionsTest, NumbersThatMeanNothingAreRefused) {
  const auto Refused = [&](auto change) {
    options_ = {};
    options_.size = sizeof options_;
    change();
    ExpectRefused();
  };
  Refused([&] { options_.size = 0; });
  Refused([&] { options_.size = sizeof options_ - 1; });
  Refused([&] { options_.pages = 4; });
  Refused([&] { options_.keep = 3; });
  Refused([&] { options_.poison = 3; });
  Refused([&] { options_.numa = -3; });
  Refused([&] { setenv("ZCB_POISON", "maybe", 1); });
}

TEST_F(ZcbOptionsTest, AFieldOfTheFutureIsRefusedOnlyWhenItIsSet) {
  struct {
    struct zcb_options known;
    std::uint64_t of_the_future;
  } later{{}, 0};
  later.known.size = sizeof later;
  later.known.name = "later";
  const auto read = ReadOpenOptions(&later.known);
  ASSERT_TRUE(read.ok()) << read.reason();
  EXPECT_EQ(read->region.name, "later");
  later.of_the_future = 1;
  EXPECT_EQ(ReadOpenOptions(&later.known).status(), Status::kInvalidParam);
}

}  // namespace
}  // namespace zcb::alloc
