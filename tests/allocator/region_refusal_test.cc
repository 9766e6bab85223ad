#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "allocator/region.h"
#include "tests/allocator/region_testing.h"

namespace zcb::alloc {
namespace {

using testing::SucceedsInChild;
using testing::Talk;
using testing::TempDirectory;

// A region that nobody is attached to, to be damaged.
class RegionRefusalTest : public ::testing::Test {
 protected:
  RegionRefusalTest() {
    options_ = directory_.Options();
    RegionOptions keeping = options_;
    keeping.keep = true;
    EXPECT_TRUE(Region::Open(keeping).ok());
  }

  std::string Path(const std::string& name) const {
    return directory_.RegionPath() + "/" + name;
  }
  // Changes the header, with or without a checksum that fits.
  void Patch(const std::function<void(RegionHeader*)>& change,
             bool with_checksum = true) {
    const int fd = ::open(Path("r.meta").c_str(), O_RDWR | O_CLOEXEC);
    ASSERT_GE(fd, 0);
    auto header = std::make_unique<RegionHeader>();
    auto* bytes = reinterpret_cast<std::byte*>(header.get());
    constexpr std::size_t kBytes = offsetof(RegionHeader, state);
    ASSERT_EQ(::pread(fd, bytes, kBytes, 0), ssize_t{kBytes});
    change(header.get());
    if (with_checksum) header->checksum = header->ComputeChecksum();
    ASSERT_EQ(::pwrite(fd, bytes, kBytes, 0), ssize_t{kBytes});
    ::close(fd);
  }
  void ExpectRefusal(Status status) {
    const auto files_before = directory_.RegionFiles();
    const Result<std::shared_ptr<Region>> region = Region::Open(options_);
    ASSERT_FALSE(region.ok());
    EXPECT_EQ(region.status(), status) << region.reason();
    EXPECT_EQ(directory_.RegionFiles(), files_before) << "nothing is swept";
  }

  TempDirectory directory_;
  RegionOptions options_;
};

TEST_F(RegionRefusalTest, UndamagedRegionIsAttached) {
  const Result<std::shared_ptr<Region>> region = Region::Open(options_);
  EXPECT_TRUE(region.ok()) << region.reason();
}

TEST_F(RegionRefusalTest, WrongMagicIsNotARegion) {
  Patch([](RegionHeader* header) { header->magic ^= 1; });
  ExpectRefusal(Status::kLibrary);
}

TEST_F(RegionRefusalTest, AnotherLayoutVersionIsSaidSo) {
  Patch([](RegionHeader* header) { header->layout_version += 1; },
        /*with_checksum=*/false);
  ExpectRefusal(Status::kVersion);
}

TEST_F(RegionRefusalTest, AnotherUnitSizeIsAnotherVersion) {
  Patch([](RegionHeader* header) { header->huge_page_bytes *= 2; });
  ExpectRefusal(Status::kVersion);
}

TEST_F(RegionRefusalTest, DamagedHeaderFailsItsChecksum) {
  Patch([](RegionHeader* header) { header->identity ^= 1; },
        /*with_checksum=*/false);
  ExpectRefusal(Status::kLibrary);
}

TEST_F(RegionRefusalTest, ForgedGeometryIsRefusedEvenWithAChecksum) {
  Patch([](RegionHeader* header) { header->geometry.units_offset += 4096; });
  ExpectRefusal(Status::kLibrary);
}

TEST_F(RegionRefusalTest, MountWithoutAnEndIsRefused) {
  Patch([](RegionHeader* header) { header->hugetlbfs_mount.fill('/'); });
  ExpectRefusal(Status::kLibrary);
}

TEST_F(RegionRefusalTest, TruncatedMetaIsRefusedWithoutTouchingIt) {
  const auto whole = std::filesystem::file_size(Path("r.meta"));
  for (const std::uintmax_t bytes :
       {std::uintmax_t{0}, std::uintmax_t{100}, std::uintmax_t{4096},
        whole - 4096, whole + 4096}) {
    std::filesystem::resize_file(Path("r.meta"), bytes);
    ExpectRefusal(Status::kLibrary);
  }
}

TEST_F(RegionRefusalTest, TruncatedDataIsRefused) {
  const auto whole = std::filesystem::file_size(Path("r.data"));
  std::filesystem::resize_file(Path("r.data"), whole - kUnitBytes);
  ExpectRefusal(Status::kLibrary);
}

TEST_F(RegionRefusalTest, DataTruncatedUnderUsIsNoticedAtTheNextCommit) {
  const Result<std::shared_ptr<Region>> region = Region::Open(options_);
  ASSERT_TRUE(region.ok());
  std::filesystem::resize_file(Path("r.data"), kUnitBytes);
  EXPECT_EQ((*region)->CommitUnits(5, 1).status(), Status::kLibrary);
}

TEST_F(RegionRefusalTest, FileOfAnotherRegionIsNotPairedWithThisOne) {
  RegionOptions other = directory_.Options();
  other.name = "other";
  other.keep = true;
  ASSERT_TRUE(Region::Open(other).ok());
  for (const std::string kind : {".data", ".lock"}) {
    std::filesystem::rename(Path("r" + kind), Path("hidden"));
    std::filesystem::copy_file(Path("other" + kind), Path("r" + kind));
    ExpectRefusal(Status::kLibrary);
    std::filesystem::remove(Path("r" + kind));
    ExpectRefusal(Status::kLibrary);
    std::filesystem::rename(Path("hidden"), Path("r" + kind));
  }
  EXPECT_TRUE(Region::Open(options_).ok());
}

TEST_F(RegionRefusalTest, LockFileOfAnAttachedRegionIsNotOpenedAgain) {
  // r's header is made to name the lock file of a region that we live in, and
  // r.lock to be that file: opening and closing it would cost our lease.
  RegionOptions other = directory_.Options();
  other.name = "other";
  const Result<std::shared_ptr<Region>> attached = Region::Open(other);
  ASSERT_TRUE(attached.ok());
  std::filesystem::rename(Path("other.lock"), Path("r.lock"));
  struct stat facts = {};
  ASSERT_EQ(::stat(Path("r.lock").c_str(), &facts), 0);
  Patch([&](RegionHeader* header) { header->lock_inode = facts.st_ino; });
  ExpectRefusal(Status::kLibrary);
  // The same when the meta file is gone.
  std::filesystem::remove(Path("r.meta"));
  ExpectRefusal(Status::kLibrary);
  EXPECT_TRUE(testing::IsLockedAsSeenFromOutside(Path("r.lock"), 0));
}

TEST_F(RegionRefusalTest, WorldWritableFileIsRefused) {
  for (const std::string name : {"r.meta", "r.data", "r.lock"}) {
    ASSERT_EQ(::chmod(Path(name).c_str(), 0602), 0);
    ExpectRefusal(Status::kAccess);
    ASSERT_EQ(::chmod(Path(name).c_str(), 0620), 0);
    ExpectRefusal(Status::kAccess);
    ASSERT_EQ(::chmod(Path(name).c_str(), 0600), 0);
  }
}

TEST_F(RegionRefusalTest, WorldWritableDirectoryIsRefused) {
  ASSERT_EQ(::chmod(directory_.RegionPath().c_str(), 0777), 0);
  ExpectRefusal(Status::kAccess);
}

TEST_F(RegionRefusalTest, ForeignFileIsRefused) {
  if (::geteuid() != 0) GTEST_SKIP() << "not run: needs root";
  for (const std::string name : {"r.meta", "r.data", "r.lock"}) {
    ASSERT_EQ(::chown(Path(name).c_str(), 65534, 65534), 0);
    ExpectRefusal(Status::kAccess);
    ASSERT_EQ(::chown(Path(name).c_str(), 0, 0), 0);
  }
  ASSERT_EQ(::chown(directory_.RegionPath().c_str(), 65534, 65534), 0);
  ExpectRefusal(Status::kAccess);
}

TEST_F(RegionRefusalTest, SymbolicLinkIsNotFollowed) {
  for (const std::string name : {"r.meta", "r.data", "r.lock"}) {
    std::filesystem::rename(Path(name), Path("target"));
    std::filesystem::create_symlink("target", Path(name));
    ExpectRefusal(Status::kAccess);
    std::filesystem::remove(Path(name));
    std::filesystem::rename(Path("target"), Path(name));
  }
}

TEST_F(RegionRefusalTest, FileWithASecondNameIsRefused) {
  for (const std::string name : {"r.meta", "r.data", "r.lock"}) {
    std::filesystem::create_hard_link(Path(name), directory_.path() + "/x");
    ExpectRefusal(Status::kAccess);
    std::filesystem::remove(directory_.path() + "/x");
  }
  EXPECT_TRUE(Region::Open(options_).ok());
}

TEST_F(RegionRefusalTest, LinkedDirectoryIsNotFollowed) {
  const std::string moved = directory_.path() + "/moved";
  std::filesystem::rename(directory_.RegionPath(), moved);
  std::filesystem::create_symlink(moved, directory_.RegionPath());
  EXPECT_EQ(Region::Open(options_).status(), Status::kAccess);
}

TEST_F(RegionRefusalTest, FifoInPlaceOfAFileNeitherBlocksNorPasses) {
  std::filesystem::remove(Path("r.meta"));
  ASSERT_EQ(::mkfifo(Path("r.meta").c_str(), 0600), 0);
  ExpectRefusal(Status::kAccess);
}

TEST_F(RegionRefusalTest, NamesThatLeadElsewhereAreRefused) {
  struct Row {
    std::string name;
    Status status;
  };
  for (const Row& row :
       {Row{"../x", Status::kInvalidParam}, Row{"a/b", Status::kInvalidParam},
        Row{".", Status::kInvalidParam}, Row{"", Status::kInvalidParam},
        Row{std::string("a\0b", 3), Status::kInvalidParam},
        Row{std::string(65, 'x'), Status::kNameTooLong},
        Row{"x@no-such-group", Status::kInvalidParam}}) {
    options_.name = row.name;
    ExpectRefusal(row.status);
  }
}

TEST(RegionOwnershipTest, UsersDoNotMeetUnderOneBaseDirectory) {
  if (::geteuid() != 0) GTEST_SKIP() << "not run: needs root";
  const TempDirectory directory;
  ASSERT_EQ(::chmod(directory.path().c_str(), 01777), 0);
  const Result<std::shared_ptr<Region>> region =
      Region::Open(directory.Options());
  ASSERT_TRUE(region.ok());
  EXPECT_TRUE(SucceedsInChild([&](Talk&) {
    ASSERT_EQ(::setgid(65534), 0);
    ASSERT_EQ(::setuid(65534), 0);
    ::umask(0777);
    const Result<std::shared_ptr<Region>> mine =
        Region::Open(directory.Options());
    ASSERT_TRUE(mine.ok()) << mine.reason();
    EXPECT_NE((*mine)->identity(), (*region)->identity());
    EXPECT_EQ((*mine)->directory_path(), directory.path() + "/zcb-65534");
  }));
}

TEST(RegionOwnershipTest, DirectoryPreparedByAnotherUserIsRefused) {
  if (::geteuid() != 0) GTEST_SKIP() << "not run: needs root";
  const TempDirectory directory;
  ASSERT_EQ(::mkdir(directory.RegionPath().c_str(), 0700), 0);
  ASSERT_EQ(::chown(directory.RegionPath().c_str(), 65534, 65534), 0);
  EXPECT_EQ(Region::Open(directory.Options()).status(), Status::kAccess);
}

}  // namespace
}  // namespace zcb::alloc
