#include "allocator/page_backing.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "allocator/region.h"
#include "allocator/region_files.h"
#include "tests/allocator/region_testing.h"
#include "tests/support/child_process.h"
#include "tests/support/refused_calls.h"

namespace zcb::alloc {
namespace {

using testing::FileBytes;
using testing::MustOpen;
using testing::TempDirectory;

TEST(PageBackingTest, NothingIsCommittedBeforeItIsAskedFor) {
  const TempDirectory directory;
  const std::shared_ptr<Region> region = MustOpen(directory.Options());
  ASSERT_NE(region, nullptr);
  EXPECT_EQ(FileBytes(*region, ".data"), 0U);
  const PageReport report = region->ReportPages();
  EXPECT_EQ(report.kind, PageReport::Kind::kSmall);
  EXPECT_EQ(report.committed_bytes, 0U);
  EXPECT_EQ(report.huge_bytes, 0U);
}

TEST(PageBackingTest, UnitsAreCommittedOneByOneAndGivenBack) {
  const TempDirectory directory;
  const std::shared_ptr<Region> region = MustOpen(directory.Options());
  ASSERT_NE(region, nullptr);
  EXPECT_TRUE(region->CommitUnits(2, 3).ok());
  EXPECT_EQ(FileBytes(*region, ".data"), 3 * kUnitBytes);
  EXPECT_EQ(region->ReportPages().committed_bytes, 3 * kUnitBytes);
  region->data()[2 * kUnitBytes] = std::byte{1};
  EXPECT_TRUE(region->CommitUnits(2, 3).ok()) << "idempotent";
  EXPECT_EQ(region->data()[2 * kUnitBytes], std::byte{1});

  EXPECT_TRUE(region->DecommitUnits(2, 2).ok());
  EXPECT_EQ(FileBytes(*region, ".data"), 1 * kUnitBytes);
  EXPECT_TRUE(region->CommitUnits(2, 1).ok());
  EXPECT_EQ(FileBytes(*region, ".data"), 2 * kUnitBytes);
  EXPECT_EQ(region->data()[2 * kUnitBytes], std::byte{0});
}

// A file system, or a sandbox, that gives no pages for whatever reason: a lack
// of memory, and no damage. All but a descriptor that is not ours any more.
TEST(PageBackingTest, PagesThatAreRefusedAreALackOfMemory) {
  constexpr int kNotHere = 77;
  struct Case {
    int error;
    Status status;
    bool is_damaged;
  };
  for (const Case& one : {Case{ENOSPC, Status::kNoMemory, false},
                          Case{EOPNOTSUPP, Status::kNoMemory, false},
                          Case{EPERM, Status::kNoMemory, false},
                          Case{EIO, Status::kNoMemory, false},
                          Case{EBADF, Status::kLibrary, true}}) {
    zcb::testing::ChildProcess child([&] {
      const TempDirectory directory;
      const std::shared_ptr<Region> region = MustOpen(directory.Options());
      if (region == nullptr) return 1;
      if (!zcb::testing::RefuseCalls(
              {{SYS_madvise, EINVAL}, {SYS_fallocate, one.error}})) {
        return kNotHere;
      }
      if (region->CommitUnits(2, 1).status() != one.status) return 2;
      return region->IsDamaged() == one.is_damaged ? 0 : 3;
    });
    const int code = child.Join();
    if (code == kNotHere) GTEST_SKIP() << "no system call can be refused";
    EXPECT_EQ(code, 0) << strerror(one.error);
  }
}

TEST(PageBackingTest, HintThatWasLostOnlyCostsACall) {
  const TempDirectory directory;
  const std::shared_ptr<Region> region = MustOpen(directory.Options());
  ASSERT_NE(region, nullptr);
  ASSERT_TRUE(region->CommitUnits(1, 1).ok());
  region->data()[kUnitBytes + 5] = std::byte{5};
  auto* committed = region->meta<std::atomic<std::uint8_t>>(
      region->geometry().committed_offset);
  EXPECT_EQ(committed[1].load(std::memory_order_relaxed), 1);
  EXPECT_EQ(committed[2].load(std::memory_order_relaxed), 0);
  committed[1].store(0, std::memory_order_relaxed);
  EXPECT_TRUE(region->CommitUnits(1, 1).ok());
  EXPECT_EQ(region->data()[kUnitBytes + 5], std::byte{5});
}

TEST(PageBackingTest, MetaIsCommittedPageByPage) {
  const TempDirectory directory;
  const std::shared_ptr<Region> region = MustOpen(directory.Options());
  ASSERT_NE(region, nullptr);
  const Geometry& g = region->geometry();
  EXPECT_EQ(FileBytes(*region, ".meta"), g.granules_offset)
      << "header, leases, units and commit bytes";
  EXPECT_TRUE(region->CommitMeta(g.client_offset + 4095, 2).ok());
  EXPECT_EQ(FileBytes(*region, ".meta"), g.granules_offset + 2 * 4096);
  EXPECT_TRUE(region->CommitMeta(g.client_offset, 3 * 4096).ok());
  EXPECT_EQ(FileBytes(*region, ".meta"), g.granules_offset + 3 * 4096);
  std::memset(region->meta<char>(g.client_offset), 1, 3 * 4096);
  EXPECT_TRUE(region->CommitMeta(0, g.granules_offset).ok());
  EXPECT_EQ(FileBytes(*region, ".meta"), g.granules_offset + 3 * 4096);
}

TEST(PageBackingTest, PrefaultIsCutToAnEighthOfTheRegion) {
  const TempDirectory directory;
  RegionOptions options = directory.Options();
  options.region_bytes = 16 * kUnitBytes;
  options.prefault_bytes = 16 * kUnitBytes;
  options.pages = PagePolicy::kSmall;
  const std::shared_ptr<Region> region = MustOpen(options);
  ASSERT_NE(region, nullptr);
  const PageReport report = region->ReportPages();
  EXPECT_EQ(report.committed_bytes, 2 * kUnitBytes);
  EXPECT_EQ(report.kind, PageReport::Kind::kSmall);
  EXPECT_EQ(report.huge_bytes, 0U);
  EXPECT_EQ(report.page_bytes, 4096U);
}

TEST(PageBackingTest, ReportAgreesWithTheKernelsOwnBooks) {
  const TempDirectory directory;
  RegionOptions options = directory.Options();
  options.region_bytes = 16 * kUnitBytes;
  options.prefault_bytes = 2 * kUnitBytes;
  const std::shared_ptr<Region> region = MustOpen(options);
  ASSERT_NE(region, nullptr);
  const PageReport report = region->ReportPages();
  EXPECT_EQ(report.committed_bytes, FileBytes(*region, ".data"));
  // Counted again, the slow way.
  std::ifstream smaps("/proc/self/smaps");
  std::string line;
  char first[32];
  std::snprintf(first, sizeof first, "%zx-",
                reinterpret_cast<std::uintptr_t>(region->data()));
  bool inside = false;
  std::uint64_t huge_bytes = 0;
  while (std::getline(smaps, line)) {
    if (line.find(':') > line.find(' ')) {  // a mapping, not a field of one
      inside = line.rfind(first, 0) == 0;
    }
    if (inside && line.rfind("ShmemPmdMapped:", 0) == 0) {
      huge_bytes = std::stoull(line.substr(15)) * 1024;
    }
  }
  EXPECT_EQ(report.huge_bytes, huge_bytes);
  EXPECT_EQ(report.kind != PageReport::Kind::kSmall, huge_bytes != 0);
}

TEST(PageBackingTest, HugePagesAreVerifiedOrRefused) {
  const TempDirectory directory;
  RegionOptions options = directory.Options();
  options.pages = PagePolicy::kHuge;
  const Result<std::shared_ptr<Region>> region = Region::Open(options);
  if (region.ok()) {
    const PageReport report = (*region)->ReportPages();
    EXPECT_NE(report.kind, PageReport::Kind::kSmall);
    EXPECT_GE(report.huge_bytes, kUnitBytes);
    EXPECT_EQ(report.page_bytes, kUnitBytes);
  } else {
    EXPECT_EQ(region.status(), Status::kNotSupported);
    EXPECT_TRUE(directory.RegionFiles().empty());
  }
}

TEST(PageBackingTest, MountThatIsNoHugetlbfsIsPassedOver) {
  const TempDirectory directory;
  RegionOptions options = directory.Options();
  for (const std::string& mount : {directory.path(), std::string("/missing")}) {
    options.hugetlbfs_mount = mount;
    const std::shared_ptr<Region> region = MustOpen(options);
    ASSERT_NE(region, nullptr);
    EXPECT_EQ(directory.RegionFiles().size(), 3U);
  }
}

TEST(MappingTest, FileIsMappedAtTheAlignmentAndUnmappedWhole) {
  const TempDirectory directory;
  const int directory_fd =
      ::open(directory.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const Result<UniqueFd> fd =
      CreateNameless(directory_fd, FileRules{false, ::geteuid(), 0}, 12288);
  ASSERT_TRUE(fd.ok());
  std::byte* base = nullptr;
  {
    const Result<Mapping> mapping = Mapping::Map(fd->get(), 12288, kUnitBytes);
    ASSERT_TRUE(mapping.ok());
    base = mapping->base();
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(base) % kUnitBytes, 0U);
    base[12287] = std::byte{1};
    unsigned char resident[3];
    EXPECT_EQ(::mincore(base, 12288, resident), 0);
    EXPECT_EQ(::mincore(base - 4096, 4096, resident), 0) << "guard";
    EXPECT_EQ(::mincore(base + 12288, 4096, resident), 0) << "guard";
    EXPECT_NE(::mincore(base + 16384, 4096, resident), 0)
        << "the reserve behind it was given back";
  }
  unsigned char resident[3];
  EXPECT_NE(::mincore(base, 12288, resident), 0);
  EXPECT_NE(::mincore(base - 4096, 4096, resident), 0);
  EXPECT_NE(::mincore(base + 12288, 4096, resident), 0);
  ::close(directory_fd);
}

}  // namespace
}  // namespace zcb::alloc
