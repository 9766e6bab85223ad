// The file of a doorbell: its mode, whatever the umask, and old files.
#include "ipc/doorbell.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>

#include "tests/ipc/member_fixture.h"

namespace zcb::ipc {
namespace {

using namespace testing;  // NOLINT: the fixture's helpers
using zcb::testing::TempDirectory;

class DoorbellTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto opened = Attachment::Open(OptionsIn(directory_.path()));
    ASSERT_TRUE(opened.ok()) << opened.reason();
    region_ = std::shared_ptr<alloc::Region>(*opened, &(*opened)->region());
  }
  std::string PathOf(std::uint32_t number) const {
    const alloc::LeaseId lease = region_->lease();
    return region_->file_stem() + ".bell." + std::to_string(lease.slot) + "." +
           std::to_string(lease.generation) + "." + std::to_string(number);
  }
  mode_t ModeOf(const Doorbell& bell) const {
    struct stat facts{};
    EXPECT_EQ(fstat(bell.descriptor(), &facts), 0);
    return facts.st_mode;
  }

  TempDirectory directory_;
  std::shared_ptr<alloc::Region> region_;
};

TEST_F(DoorbellTest, ModeIsTheRegionsWhateverTheUmask) {
  for (const mode_t mask : {0U, 022U, 077U, 0277U, 0777U}) {
    const mode_t before = umask(mask);
    const auto bell = Doorbell::Make(region_, mask);
    umask(before);
    ASSERT_TRUE(bell.ok()) << bell.reason();
    EXPECT_EQ(ModeOf(**bell), S_IFIFO | region_->file_mode());
  }
}

TEST_F(DoorbellTest, LeftoverWithItsNameIsReplaced) {
  const std::string path = PathOf(7);
  ASSERT_EQ(mknodat(region_->directory_fd(), path.c_str(), S_IFREG | 0600, 0),
            0);
  {
    const auto bell = Doorbell::Make(region_, 7);
    ASSERT_TRUE(bell.ok()) << bell.reason();
    EXPECT_TRUE(S_ISFIFO(ModeOf(**bell)));
    (*bell)->Ring();
    EXPECT_TRUE((*bell)->Wait(Deadline::InMs(0)));
    EXPECT_TRUE((*bell)->Drain());
    EXPECT_FALSE((*bell)->Wait(Deadline::InMs(0)));
  }
  struct stat facts{};
  EXPECT_NE(fstatat(region_->directory_fd(), path.c_str(), &facts, 0), 0)
      << "the file goes with the bell";
}

// Who dies while he makes one has made its file, perhaps: the reaper must look
// for it. Here the making fails half-way, for want of a descriptor.
TEST_F(DoorbellTest, CountsBeforeItsFileIsThere) {
  const auto attachment = Attachment::Open(OptionsIn(directory_.path()));
  ASSERT_TRUE(attachment.ok()) << attachment.reason();
  const std::atomic<std::uint32_t>& count =
      region_->lease_record(region_->lease().slot).bell_count;
  ASSERT_EQ(count.load(), 0U);
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none{0, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  const auto bell = (*attachment)->MakeDoorbell();
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(bell.status(), Status::kNoResources);
  EXPECT_EQ(count.load(), 1U);
}

// A process that had thousands of handles, one after the other, has few bells,
// of high numbers.
TEST_F(DoorbellTest, OfTheDeadGoesWhateverItsNumber) {
  constexpr std::uint32_t kHandles = 100'000;
  const alloc::LeaseId dead{9, 3};
  const std::string stem = region_->file_stem() + ".bell.9.3.";
  const auto make = [this](const std::string& path) {
    ASSERT_EQ(mknodat(region_->directory_fd(), path.c_str(), S_IFIFO | 0600, 0),
              0);
  };
  const auto is_there = [this](const std::string& path) {
    return faccessat(region_->directory_fd(), path.c_str(), F_OK, 0) == 0;
  };
  make(stem + "0");
  make(stem + "5000");
  make(stem + "99999");
  const std::string others = region_->file_stem() + ".bell.9.31.0";
  make(others);
  UnlinkBellsOf(*region_, dead, kHandles);
  EXPECT_FALSE(is_there(stem + "0"));
  EXPECT_FALSE(is_there(stem + "5000"));
  EXPECT_FALSE(is_there(stem + "99999"));
  EXPECT_TRUE(is_there(others));
  UnlinkBellsOf(*region_, {9, 31}, 1);
  EXPECT_FALSE(is_there(others));
}

}  // namespace
}  // namespace zcb::ipc
