#include "allocator/region_options.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

namespace zcb::alloc {
namespace {

using Variables = std::vector<std::pair<std::string, std::string>>;

// Sets variables for one test and takes them away afterwards.
class Environment {
 public:
  explicit Environment(const Variables& variables) {
    for (const char* name : {"ZCB_DIR", "ZCB_REGION", "ZCB_REGION_BYTES",
                             "ZCB_PAGES", "ZCB_KEEP", "ZCB_PREFAULT_BYTES"}) {
      ::unsetenv(name);
    }
    for (const auto& [name, value] : variables) {
      ::setenv(name.c_str(), value.c_str(), 1);
      names_.push_back(name);
    }
  }
  ~Environment() {
    for (const std::string& name : names_) ::unsetenv(name.c_str());
  }

 private:
  std::vector<std::string> names_;
};

TEST(RegionOptionsTest, EmptyEnvironmentGivesTheDefaults) {
  const Environment environment(Variables{});
  const Result<RegionOptions> options = RegionOptions::FromEnvironment();
  ASSERT_TRUE(options.ok()) << options.reason();
  EXPECT_EQ(options->directory, "");
  EXPECT_EQ(options->name, "default");
  EXPECT_EQ(options->region_bytes, RegionLimits::kDefaultRegionBytes);
  EXPECT_EQ(options->pages, PagePolicy::kAuto);
  EXPECT_EQ(options->hugetlbfs_mount, "");
  EXPECT_EQ(options->prefault_bytes, RegionLimits::kDefaultPrefaultBytes);
  EXPECT_EQ(options->lease_count, RegionLimits::kDefaultLeases);
  EXPECT_FALSE(options->keep);
}

TEST(RegionOptionsTest, EveryVariableIsTaken) {
  const Environment environment(Variables{{"ZCB_DIR", "/tmp"},
                                          {"ZCB_REGION", "a-b_c.D@users"},
                                          {"ZCB_REGION_BYTES", "64m"},
                                          {"ZCB_PAGES", "huge:/mnt/huge"},
                                          {"ZCB_PREFAULT_BYTES", "16m"},
                                          {"ZCB_KEEP", "1"}});
  const Result<RegionOptions> options = RegionOptions::FromEnvironment();
  ASSERT_TRUE(options.ok()) << options.reason();
  EXPECT_EQ(options->directory, "/tmp");
  EXPECT_EQ(options->name, "a-b_c.D@users");
  EXPECT_EQ(options->region_bytes, 64U << 20);
  EXPECT_EQ(options->pages, PagePolicy::kHuge);
  EXPECT_EQ(options->hugetlbfs_mount, "/mnt/huge");
  EXPECT_EQ(options->prefault_bytes, 16U << 20);
  EXPECT_TRUE(options->keep);
}

struct Row {
  const char* variable;
  const char* value;
  Status status;
};

class RegionOptionsTableTest : public ::testing::TestWithParam<Row> {};

TEST_P(RegionOptionsTableTest, ValueIsTakenOrRefusedAndNeverGuessed) {
  const Row row = GetParam();
  const Environment environment(Variables{{row.variable, row.value}});
  const Result<RegionOptions> options = RegionOptions::FromEnvironment();
  EXPECT_EQ(options.ok() ? Status::kOk : options.status(), row.status)
      << row.variable << "=" << row.value;
}

const std::string* const kLongName = new std::string(65, 'n');
const std::string* const kLongestName = new std::string(64, 'n');
const std::string* const kLongDirectory =
    new std::string("/" + std::string(4000, 'd'));
const std::string* const kLongMount =
    new std::string("auto:/" + std::string(255, 'd'));

INSTANTIATE_TEST_SUITE_P(
    Values, RegionOptionsTableTest,
    ::testing::Values(
        Row{"ZCB_REGION_BYTES", "4194304", Status::kOk},
        Row{"ZCB_REGION_BYTES", "4096k", Status::kOk},
        Row{"ZCB_REGION_BYTES", "5000000", Status::kOk},
        Row{"ZCB_REGION_BYTES", "128g", Status::kOk},
        Row{"ZCB_REGION_BYTES", "129g", Status::kInvalidParam},
        Row{"ZCB_REGION_BYTES", "4194303", Status::kInvalidParam},
        Row{"ZCB_REGION_BYTES", "", Status::kInvalidParam},
        Row{"ZCB_REGION_BYTES", "m", Status::kInvalidParam},
        Row{"ZCB_REGION_BYTES", "64M", Status::kInvalidParam},
        Row{"ZCB_REGION_BYTES", "64 m", Status::kInvalidParam},
        Row{"ZCB_REGION_BYTES", "-64m", Status::kInvalidParam},
        Row{"ZCB_REGION_BYTES", "0x4000000", Status::kInvalidParam},
        Row{"ZCB_REGION_BYTES", "64mm", Status::kInvalidParam},
        Row{"ZCB_REGION_BYTES", "17179869184g", Status::kInvalidParam},
        Row{"ZCB_REGION_BYTES", "18446744073709551617", Status::kInvalidParam},
        Row{"ZCB_PREFAULT_BYTES", "0", Status::kOk},
        Row{"ZCB_PREFAULT_BYTES", "999g", Status::kOk},  // cut to an eighth
        Row{"ZCB_PREFAULT_BYTES", "all", Status::kInvalidParam},
        Row{"ZCB_PREFAULT_BYTES", "", Status::kInvalidParam},
        Row{"ZCB_PREFAULT_BYTES", "-1", Status::kInvalidParam},
        Row{"ZCB_PAGES", "auto", Status::kOk},
        Row{"ZCB_PAGES", "huge", Status::kOk},
        Row{"ZCB_PAGES", "small", Status::kOk},
        Row{"ZCB_PAGES", "auto:/huge", Status::kOk},
        Row{"ZCB_PAGES", "auto:", Status::kInvalidParam},
        Row{"ZCB_PAGES", "small:/huge", Status::kInvalidParam},
        Row{"ZCB_PAGES", "auto:huge", Status::kInvalidParam},
        Row{"ZCB_PAGES", "AUTO", Status::kInvalidParam},
        Row{"ZCB_PAGES", "", Status::kInvalidParam},
        Row{"ZCB_PAGES", kLongMount->c_str(), Status::kNameTooLong},
        Row{"ZCB_KEEP", "0", Status::kOk},
        Row{"ZCB_KEEP", "yes", Status::kInvalidParam},
        Row{"ZCB_KEEP", "", Status::kInvalidParam},
        Row{"ZCB_KEEP", "01", Status::kInvalidParam},
        Row{"ZCB_REGION", "x", Status::kOk},
        Row{"ZCB_REGION", kLongestName->c_str(), Status::kOk},
        Row{"ZCB_REGION", kLongName->c_str(), Status::kNameTooLong},
        Row{"ZCB_REGION", "", Status::kInvalidParam},
        Row{"ZCB_REGION", "a/b", Status::kInvalidParam},
        Row{"ZCB_REGION", "..", Status::kInvalidParam},
        Row{"ZCB_REGION", ".hidden", Status::kInvalidParam},
        Row{"ZCB_REGION", "a b", Status::kInvalidParam},
        Row{"ZCB_REGION", "a@", Status::kInvalidParam},
        Row{"ZCB_REGION", "@users", Status::kInvalidParam},
        Row{"ZCB_REGION", "a@b@c", Status::kInvalidParam},
        Row{"ZCB_DIR", "", Status::kOk},
        Row{"ZCB_DIR", "relative/path", Status::kInvalidParam},
        Row{"ZCB_DIR", kLongDirectory->c_str(), Status::kNameTooLong}));

TEST(RegionOptionsTest, NumbersOutOfRangeAreRefused) {
  RegionOptions options;
  options.lease_count = 0;
  EXPECT_EQ(options.Check().status(), Status::kInvalidParam);
  options.lease_count = RegionLimits::kMaxLeases + 1;
  EXPECT_EQ(options.Check().status(), Status::kInvalidParam);
  options.lease_count = RegionLimits::kMaxLeases;
  EXPECT_TRUE(options.Check().ok());
  options.client_area_bytes = RegionOptions::kMaxClientAreaBytes + 1;
  EXPECT_EQ(options.Check().status(), Status::kInvalidParam);
}

}  // namespace
}  // namespace zcb::alloc
