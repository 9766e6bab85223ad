// Every combination of what a region's directory and files may allow to others:
// attached to exactly when nobody else can write.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <string>

#include "allocator/region.h"
#include "tests/allocator/region_testing.h"

namespace zcb::alloc {
namespace {

class ModeMatrixTest : public ::testing::Test {
 protected:
  ModeMatrixTest() {
    options_ = directory_.Options();
    options_.keep = true;
  }
  // What Open() says when the mode of `path` has these bits besides `own`.
  void ExpectOpen(const std::string& path, mode_t own, mode_t bits,
                  bool is_wanted) {
    ASSERT_EQ(::chmod(path.c_str(), own | bits), 0);
    const Result<std::shared_ptr<Region>> region = Region::Open(options_);
    EXPECT_EQ(region.status(), is_wanted ? Status::kOk : Status::kAccess)
        << path << " " << std::oct << bits;
    ASSERT_EQ(::chmod(path.c_str(), own), 0);
  }
  std::string DirectoryPath() const {
    const std::string& name = options_.name;
    const std::size_t at = name.find('@');
    return at == std::string::npos
               ? directory_.RegionPath()
               : directory_.path() + "/zcb-g" + name.substr(at + 1);
  }

  testing::TempDirectory directory_;
  RegionOptions options_;
};

TEST_F(ModeMatrixTest, AUsersRegionIsRefusedWhenGroupOrOthersMayWrite) {
  ASSERT_TRUE(Region::Open(options_).ok());
  for (mode_t bits = 0; bits <= 077; ++bits) {
    const bool is_wanted = (bits & 022) == 0;
    ExpectOpen(DirectoryPath(), 0700, bits, is_wanted);
    for (const char* file : {"/r.meta", "/r.data", "/r.lock"}) {
      ExpectOpen(DirectoryPath() + file, 0600, bits, is_wanted);
    }
  }
}

TEST_F(ModeMatrixTest, ATeamsRegionIsRefusedWhenOthersMayWrite) {
  options_.name = "r@" + std::to_string(::getegid());
  ASSERT_TRUE(Region::Open(options_).ok());
  for (mode_t bits = 0; bits <= 07; ++bits) {
    const bool is_wanted = (bits & 02) == 0;
    ExpectOpen(DirectoryPath(), 02770, bits, is_wanted);
    ExpectOpen(DirectoryPath(), 0770, bits, is_wanted);
    for (const char* file : {"/r.meta", "/r.data", "/r.lock"}) {
      ExpectOpen(DirectoryPath() + file, 0660, bits, is_wanted);
    }
  }
}

}  // namespace
}  // namespace zcb::alloc
