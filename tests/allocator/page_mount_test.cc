// Page ladder and full file systems, on mounts of the tests' own. Root only;
// each test runs in a child with a private mount namespace.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <functional>
#include <memory>
#include <string>

#include "allocator/region.h"
#include "tests/allocator/region_testing.h"

namespace zcb::alloc {
namespace {

using testing::Child;
using testing::EnterPrivateMountNamespace;
using testing::MountTmpfs;
using testing::MustOpen;
using testing::SucceedsInChild;
using testing::Talk;
using testing::TempDirectory;

class PageMountTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0 || !SucceedsInChild([](Talk&) {
          if (!EnterPrivateMountNamespace()) ::_exit(1);
        })) {
      GTEST_SKIP() << "needs root and mount namespaces";
    }
  }
  // `body` gets the path of a tmpfs mounted with these options.
  void OnTmpfs(const std::string& mount_options,
               const std::function<void(const std::string&)>& body) {
    EXPECT_TRUE(SucceedsInChild([&](Talk&) {
      ASSERT_TRUE(EnterPrivateMountNamespace());
      const std::string path = directory_.path() + "/mnt";
      if (!MountTmpfs(path, mount_options)) return;  // no such option here
      body(path);
    })) << mount_options;
  }
  TempDirectory directory_;
};

std::uint64_t FreeBytes(const std::string& path) {
  struct statfs facts = {};
  EXPECT_EQ(::statfs(path.c_str(), &facts), 0);
  return facts.f_bavail * static_cast<std::uint64_t>(facts.f_bsize);
}

// Takes all but about `left_bytes`; gives the file's path.
std::string Fill(const std::string& path, std::uint64_t left_bytes) {
  const std::string name = path + "/filler";
  const int fd = ::open(name.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  const std::uint64_t free_bytes = FreeBytes(path);
  EXPECT_GT(free_bytes, left_bytes);
  EXPECT_EQ(
      ::posix_fallocate(fd, 0, static_cast<off_t>(free_bytes - left_bytes)), 0);
  ::close(fd);
  return name;
}

TEST_F(PageMountTest, HugeMountsGiveVerifiedHugePages) {
  for (const std::string huge : {"always", "within_size", "advise"}) {
    OnTmpfs("size=128m,huge=" + huge, [&](const std::string& path) {
      RegionOptions options = directory_.Options();
      options.directory = path;
      options.region_bytes = 32 * kUnitBytes;
      options.prefault_bytes = 4 * kUnitBytes;
      options.pages = PagePolicy::kHuge;
      const std::shared_ptr<Region> region = MustOpen(options);
      ASSERT_NE(region, nullptr);
      PageReport report = region->ReportPages();
      EXPECT_EQ(report.kind, PageReport::Kind::kTransparentHuge);
      EXPECT_EQ(report.committed_bytes, 4 * kUnitBytes);
      EXPECT_EQ(report.huge_bytes, 4 * kUnitBytes);
      // Later units come as such by themselves on these rungs.
      ASSERT_TRUE(region->CommitUnits(10, 2).ok());
      report = region->ReportPages();
      EXPECT_EQ(report.huge_bytes, 6 * kUnitBytes) << report.how;
      // An attacher maps them so as well, without further ado.
      EXPECT_TRUE(SucceedsInChild([&](Talk&) {
        const std::shared_ptr<Region> mine = MustOpen(options);
        ASSERT_NE(mine, nullptr);
        EXPECT_EQ(mine->ReportPages().huge_bytes, 6 * kUnitBytes);
      }));
      // Tables stay on 4 KiB pages: sparse ones would waste the memory.
      ASSERT_TRUE(region->CommitMeta(region->geometry().client_offset, 1).ok());
      struct stat facts = {};
      ASSERT_EQ(::stat((region->directory_path() + "/r.meta").c_str(), &facts),
                0);
      EXPECT_EQ(static_cast<std::uint64_t>(facts.st_blocks) * 512,
                region->geometry().granules_offset + 4096);
    });
  }
}

TEST_F(PageMountTest, MountWithoutHugePagesIsCollapsedAtCreation) {
  OnTmpfs("size=128m,huge=never", [&](const std::string& path) {
    RegionOptions options = directory_.Options();
    options.directory = path;
    options.region_bytes = 32 * kUnitBytes;
    options.prefault_bytes = 4 * kUnitBytes;
    const std::shared_ptr<Region> region = MustOpen(options);
    ASSERT_NE(region, nullptr);
    if (region->ReportPages().kind == PageReport::Kind::kSmall) return;
    EXPECT_EQ(region->ReportPages().huge_bytes, 4 * kUnitBytes);
    ASSERT_TRUE(region->CommitUnits(10, 1).ok());
    EXPECT_EQ(region->ReportPages().huge_bytes, 4 * kUnitBytes)
        << "never inside an allocation";
    ASSERT_TRUE(region->PrefaultUnits(10, 2).ok());
    EXPECT_EQ(region->ReportPages().huge_bytes, 6 * kUnitBytes);
  });
}

TEST_F(PageMountTest, SmallPolicyKeepsOffHugePages) {
  OnTmpfs("size=128m,huge=advise", [&](const std::string& path) {
    RegionOptions options = directory_.Options();
    options.directory = path;
    options.prefault_bytes = kUnitBytes;
    options.pages = PagePolicy::kSmall;
    const std::shared_ptr<Region> region = MustOpen(options);
    ASSERT_NE(region, nullptr);
    EXPECT_EQ(region->ReportPages().kind, PageReport::Kind::kSmall);
  });
}

TEST_F(PageMountTest, DefaultRegionWorksOnSixtyFourMebibytes) {
  for (const std::string huge : {"never", "advise", "always"}) {
    OnTmpfs("size=64m,huge=" + huge, [&](const std::string& path) {
      RegionOptions options;
      options.directory = path;
      options.client_area_bytes = 130ULL << 20;
      std::shared_ptr<Region> region = MustOpen(options);
      ASSERT_NE(region, nullptr);
      EXPECT_EQ(region->geometry().region_bytes,
                RegionLimits::kDefaultRegionBytes);
      EXPECT_GE(region->ReportPages().committed_bytes,
                RegionLimits::kDefaultPrefaultBytes);
      // Until it is full, which is an error and no signal; what was given is
      // there to be written.
      std::uint32_t units = 0;
      Outcome outcome;
      while (units < region->geometry().unit_count) {
        outcome = region->CommitUnits(units, 1);
        if (!outcome) break;
        std::memset(region->data() + units * kUnitBytes, 0xa5, kUnitBytes);
        ++units;
      }
      EXPECT_EQ(outcome.status(), Status::kNoMemory) << outcome.reason();
      EXPECT_GE(units, 24U);
      // Pages of the meta file as well.
      std::uint64_t meta_pages = 0;
      const Geometry& g = region->geometry();
      outcome = {};
      while (outcome && meta_pages < 100'000) {
        const std::uint64_t at = g.client_offset + meta_pages * 4096;
        outcome = region->CommitMeta(at, 4096);
        if (outcome) std::memset(region->meta<char>(at), 1, 4096), ++meta_pages;
        if (at + 8192 > g.meta_bytes) break;
      }
      EXPECT_EQ(outcome.status(), Status::kNoMemory) << meta_pages;
      // Space is freed: it works again.
      ASSERT_TRUE(region->DecommitUnits(0, 2).ok());
      EXPECT_TRUE(region->CommitUnits(units, 1).ok());
      std::memset(region->data() + units * kUnitBytes, 0x5a, kUnitBytes);
      EXPECT_TRUE(
          region->CommitMeta(g.client_offset + meta_pages * 4096, 4096).ok());
      region.reset();
      EXPECT_GT(FreeBytes(path), 63ULL << 20) << "all was given back";
    });
  }
}

TEST_F(PageMountTest, FileSystemFilledByOthersIsNoMemory) {
  OnTmpfs("size=64m", [&](const std::string& path) {
    RegionOptions options = directory_.Options();
    options.directory = path;
    const std::shared_ptr<Region> region = MustOpen(options);
    ASSERT_NE(region, nullptr);
    ASSERT_TRUE(region->CommitUnits(0, 1).ok());
    const std::string filler = Fill(path, 1 << 20);
    EXPECT_EQ(region->CommitUnits(1, 1).status(), Status::kNoMemory);
    std::memset(region->data(), 1, kUnitBytes);
    ::unlink(filler.c_str());
    EXPECT_TRUE(region->CommitUnits(1, 1).ok());
  });
}

TEST_F(PageMountTest, CreationOnAFullFileSystemLeavesNothing) {
  OnTmpfs("size=64m", [&](const std::string& path) {
    RegionOptions options = directory_.Options();
    options.directory = path;
    options.prefault_bytes = 4 * kUnitBytes;
    options.region_bytes = 64 * kUnitBytes;
    // For a while too little for the tables, then for a unit, then for all
    // units that were asked for.
    for (const std::uint64_t left_bytes : {4096ULL, 1ULL << 20, 5ULL << 20}) {
      const std::string filler = Fill(path, left_bytes);
      const std::uint64_t before = FreeBytes(path);
      Result<std::shared_ptr<Region>> region = Region::Open(options);
      if (left_bytes < 2ULL << 20) {
        ASSERT_FALSE(region.ok()) << left_bytes;
        EXPECT_EQ(region.status(), Status::kNoMemory) << region.reason();
        EXPECT_EQ(FreeBytes(path), before);
      } else {
        ASSERT_TRUE(region.ok()) << region.reason();
        EXPECT_EQ((*region)->ReportPages().committed_bytes, 2 * kUnitBytes)
            << "fewer units than asked for";
        *region = nullptr;
      }
      ::unlink(filler.c_str());
    }
  });
}

// --- hugetlbfs -------------------------------------------------------------

class HugetlbfsTest : public PageMountTest {
 protected:
  static constexpr const char* kPool = "/proc/sys/vm/nr_hugepages";
  void SetUp() override {
    PageMountTest::SetUp();
    if (IsSkipped()) return;
    std::ifstream(kPool) >> before_;
    SetPool(before_ + 12);
    long now = 0;
    std::ifstream(kPool) >> now;
    if (now < before_ + 12) GTEST_SKIP() << "no huge pages to be had";
  }
  void TearDown() override {
    if (before_ >= 0) SetPool(before_);
  }
  static void SetPool(long pages) { std::ofstream(kPool) << pages << "\n"; }

  void OnHugetlbfs(const std::string& mount_options,
                   const std::function<void(const RegionOptions&)>& body) {
    EXPECT_TRUE(SucceedsInChild([&](Talk&) {
      ASSERT_TRUE(EnterPrivateMountNamespace());
      const std::string mount = directory_.path() + "/huge";
      ::mkdir(mount.c_str(), 0700);
      ASSERT_EQ(::mount("none", mount.c_str(), "hugetlbfs", 0,
                        ("pagesize=2M" + mount_options).c_str()),
                0);
      RegionOptions options = directory_.Options();
      options.hugetlbfs_mount = mount;
      options.region_bytes = 64 * kUnitBytes;
      options.prefault_bytes = 4 * kUnitBytes;
      body(options);
    }));
  }
  static bool IsThere(const std::string& path) {
    return ::access(path.c_str(), F_OK) == 0;
  }
  long before_ = -1;
};

TEST_F(HugetlbfsTest, DataFileLiesOnTheMountAndIsVerified) {
  OnHugetlbfs(",size=16m", [&](const RegionOptions& options) {
    const std::string data = options.hugetlbfs_mount + "/zcb-0-r.data";
    std::shared_ptr<Region> region = MustOpen(options);
    ASSERT_NE(region, nullptr);
    EXPECT_TRUE(IsThere(data));
    EXPECT_EQ(directory_.RegionFiles().size(), 2U);
    PageReport report = region->ReportPages();
    EXPECT_EQ(report.kind, PageReport::Kind::kHugetlbfs);
    EXPECT_EQ(report.committed_bytes, 4 * kUnitBytes);
    EXPECT_EQ(report.huge_bytes, 4 * kUnitBytes);

    // An attacher finds the mount in the header.
    EXPECT_TRUE(SucceedsInChild([&](Talk&) {
      RegionOptions other = options;
      other.hugetlbfs_mount.clear();
      const std::shared_ptr<Region> mine = MustOpen(other);
      ASSERT_NE(mine, nullptr);
      EXPECT_EQ(mine->ReportPages().kind, PageReport::Kind::kHugetlbfs);
      ASSERT_TRUE(mine->CommitUnits(4, 1).ok());
      mine->data()[4 * kUnitBytes] = std::byte{4};
    }));
    EXPECT_EQ(region->data()[4 * kUnitBytes], std::byte{4});

    // The pool's end is an error, and no signal.
    EXPECT_TRUE(region->CommitUnits(5, 3).ok());
    EXPECT_EQ(region->CommitUnits(8, 1).status(), Status::kNoMemory);
    EXPECT_TRUE(region->DecommitUnits(5, 1).ok());
    EXPECT_TRUE(region->CommitUnits(8, 1).ok());
    region->data()[9 * kUnitBytes - 1] = std::byte{1};
    region.reset();
    EXPECT_FALSE(IsThere(data));
    EXPECT_TRUE(directory_.RegionFiles().empty());
  });
}

TEST_F(HugetlbfsTest, TooFewFreePagesFallToTheNextRung) {
  OnHugetlbfs(",size=6m", [&](const RegionOptions& options) {
    const std::shared_ptr<Region> region = MustOpen(options);
    ASSERT_NE(region, nullptr);
    EXPECT_NE(region->ReportPages().kind, PageReport::Kind::kHugetlbfs);
    EXPECT_EQ(directory_.RegionFiles().size(), 3U);
    EXPECT_FALSE(IsThere(options.hugetlbfs_mount + "/zcb-0-r.data"));
  });
}

TEST_F(HugetlbfsTest, DataFileOfADeadCreatorIsReplaced) {
  OnHugetlbfs("", [&](const RegionOptions& options) {
    const std::string data = options.hugetlbfs_mount + "/zcb-0-r.data";
    for (const bool with_lock_file : {false, true}) {
      ::close(::open(data.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
      if (with_lock_file) {
        const std::string lock = directory_.RegionPath() + "/r.lock";
        ::close(::open(lock.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
      }
      std::shared_ptr<Region> region = MustOpen(options);
      ASSERT_NE(region, nullptr);
      EXPECT_EQ(region->ReportPages().kind, PageReport::Kind::kHugetlbfs);
      region.reset();
      EXPECT_FALSE(IsThere(data));
      EXPECT_TRUE(directory_.RegionFiles().empty());
    }
  });
}

TEST_F(HugetlbfsTest, KilledRegionIsSweptFromTheMountToo) {
  OnHugetlbfs("", [&](const RegionOptions& options) {
    Child member([&](Talk& talk) {
      const std::shared_ptr<Region> mine = MustOpen(options);
      talk.Say('a');
      talk.Hear();
    });
    ASSERT_EQ(member.Hear(), 'a');
    member.Kill();
    EXPECT_TRUE(IsThere(options.hugetlbfs_mount + "/zcb-0-r.data"));
    RegionOptions next = options;
    next.hugetlbfs_mount.clear();
    const std::shared_ptr<Region> region = MustOpen(next);
    ASSERT_NE(region, nullptr);
    EXPECT_EQ(directory_.RegionFiles().size(), 3U);
    EXPECT_FALSE(IsThere(options.hugetlbfs_mount + "/zcb-0-r.data"));
  });
}

}  // namespace
}  // namespace zcb::alloc
