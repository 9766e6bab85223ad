#include "allocator/allocator_options.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

namespace zcb::alloc {
namespace {

constexpr const char* kVariables[] = {"ZCB_QUOTA_BYTES",    "ZCB_SPARE_BYTES",
                                      "ZCB_IDLE_BYTES",     "ZCB_POISON",
                                      "ZCB_MAGAZINE_BYTES", "ZCB_NUMA"};

class AllocatorOptionsTest : public ::testing::Test {
 protected:
  AllocatorOptionsTest() { Clear(); }
  ~AllocatorOptionsTest() override { Clear(); }
  static void Clear() {
    for (const char* const name : kVariables) ::unsetenv(name);
  }
  static AllocatorOptions With(const char* name, const char* value) {
    Clear();
    ::setenv(name, value, 1);
    const auto options = AllocatorOptions::FromEnvironment();
    EXPECT_TRUE(options.ok()) << name << "=" << value << options.reason();
    return options ? *options : AllocatorOptions{};
  }
};

TEST_F(AllocatorOptionsTest, WithoutVariablesTheDefaultsHold) {
  const auto options = AllocatorOptions::FromEnvironment();
  ASSERT_TRUE(options.ok());
  EXPECT_EQ(options->quota_bytes, AllocatorOptions::kNoQuota);
  EXPECT_EQ(options->spare_bytes, AllocatorOptions::kDefaultSpareBytes);
  EXPECT_EQ(options->idle_bytes, AllocatorOptions::kKeepAll);
  EXPECT_EQ(options->magazine_bytes, MagazineLimits::kRotationBytes);
  EXPECT_FALSE(options->poison);
  EXPECT_EQ(options->numa_node, AllocatorOptions::kNoNode);
  EXPECT_EQ(options->topology, nullptr);
}

TEST_F(AllocatorOptionsTest, EachVariableSetsItsOption) {
  EXPECT_EQ(With("ZCB_QUOTA_BYTES", "3g").quota_bytes, std::uint64_t{3} << 30);
  EXPECT_EQ(With("ZCB_SPARE_BYTES", "0").spare_bytes, 0U);
  EXPECT_EQ(With("ZCB_IDLE_BYTES", "64m").idle_bytes, 64U << 20);
  EXPECT_EQ(With("ZCB_IDLE_BYTES", "all").idle_bytes,
            AllocatorOptions::kKeepAll);
  EXPECT_EQ(With("ZCB_MAGAZINE_BYTES", "64k").magazine_bytes, 64U << 10);
  EXPECT_EQ(With("ZCB_MAGAZINE_BYTES", "16m").magazine_bytes, 16U << 20);
  EXPECT_TRUE(With("ZCB_POISON", "1").poison);
  EXPECT_FALSE(With("ZCB_POISON", "0").poison);
  EXPECT_EQ(With("ZCB_NUMA", "3").numa_node, 3);
  EXPECT_EQ(With("ZCB_NUMA", "local").numa_node, AllocatorOptions::kLocalNode);
  EXPECT_EQ(With("ZCB_NUMA", "none").numa_node, AllocatorOptions::kNoNode);
}

TEST_F(AllocatorOptionsTest, NonsenseIsRefusedByName) {
  for (const char* const name : kVariables) {
    for (const char* const value :
         {"", "x", "-1", "1 ", "99999999999999999g"}) {
      Clear();
      ::setenv(name, value, 1);
      const auto options = AllocatorOptions::FromEnvironment();
      EXPECT_EQ(options.status(), Status::kInvalidParam) << name << value;
      EXPECT_EQ(std::string(options.reason()).find(name), 0U)
          << options.reason();
    }
  }
}

TEST_F(AllocatorOptionsTest, MagazinesOutOfRangeAreRefused) {
  for (const char* const value : {"0", "65535", "16777217", "1g", "all"}) {
    Clear();
    ::setenv("ZCB_MAGAZINE_BYTES", value, 1);
    EXPECT_EQ(AllocatorOptions::FromEnvironment().status(),
              Status::kInvalidParam)
        << value;
  }
  AllocatorOptions options;
  options.magazine_bytes = MagazineLimits::kMostRotationBytes + 1;
  EXPECT_EQ(options.Check().status(), Status::kInvalidParam);
}

}  // namespace
}  // namespace zcb::alloc
