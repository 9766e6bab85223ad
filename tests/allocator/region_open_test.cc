#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include "allocator/lease.h"
#include "allocator/region.h"
#include "tests/allocator/region_testing.h"

namespace zcb::alloc {
namespace {

using testing::Child;
using testing::MustOpen;
using testing::SucceedsInChild;
using testing::Talk;
using testing::TempDirectory;
using Names = std::vector<std::string>;

TEST(RegionOpenTest, FirstProcessCreatesThreeFilesAndTheFirstLease) {
  const TempDirectory directory;
  const std::shared_ptr<Region> region = MustOpen(directory.Options());
  ASSERT_NE(region, nullptr);
  EXPECT_EQ(directory.RegionFiles(), (Names{"r.data", "r.lock", "r.meta"}));
  EXPECT_EQ(region->lease(), (LeaseId{0, 1}));
  EXPECT_EQ(region->LeaseHighWater(), 1);
  const LeaseWord word(region->lease_word(0).load(std::memory_order_relaxed));
  EXPECT_TRUE(word.IsAlive(1));
  EXPECT_EQ(word.pid(), ::getpid());
  EXPECT_EQ(
      region->lease_record(0).pid_namespace.load(std::memory_order_relaxed),
      OwnPidNamespace());
  EXPECT_NE(region->lease_record(0).start_time.load(std::memory_order_relaxed),
            0U);
  EXPECT_EQ(region->geometry().unit_count, 8U);
  EXPECT_EQ(region->file_stem(), "r");
  EXPECT_EQ(region->directory_path(), directory.RegionPath());
  EXPECT_EQ(region->file_mode(), 0600U);
  EXPECT_TRUE(region->IsOurs());
}

TEST(RegionOpenTest, FilesAreOursAloneWhateverTheUmask) {
  for (const mode_t mask : {0U, 0777U}) {
    const TempDirectory directory;
    const mode_t before = ::umask(mask);
    const std::shared_ptr<Region> region = MustOpen(directory.Options());
    ::umask(before);
    ASSERT_NE(region, nullptr);
    struct stat facts = {};
    ASSERT_EQ(::stat(directory.RegionPath().c_str(), &facts), 0);
    EXPECT_EQ(facts.st_mode & 07777, 0700U);
    for (const std::string& name : directory.RegionFiles()) {
      ASSERT_EQ(::stat((directory.RegionPath() + "/" + name).c_str(), &facts),
                0);
      EXPECT_EQ(facts.st_mode & 07777, 0600U) << name;
    }
  }
}

TEST(RegionOpenTest, GroupRegionIsSharedWithTheGroup) {
  const TempDirectory directory;
  RegionOptions options = directory.Options();
  const std::string group = std::to_string(::getegid());
  options.name = "team@" + group;
  const std::shared_ptr<Region> region = MustOpen(options);
  ASSERT_NE(region, nullptr);
  EXPECT_EQ(region->directory_path(), directory.path() + "/zcb-g" + group);
  EXPECT_EQ(region->file_mode(), 0660U);
  struct stat facts = {};
  ASSERT_EQ(::stat(region->directory_path().c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 07777, 02770U);
  ASSERT_EQ(::stat((region->directory_path() + "/team.meta").c_str(), &facts),
            0);
  EXPECT_EQ(facts.st_mode & 07777, 0660U);
  EXPECT_EQ(facts.st_gid, ::getegid());
}

TEST(RegionOpenTest, MembersOfTheGroupShareARegionAcrossUsers) {
  if (::geteuid() != 0) GTEST_SKIP() << "not run: needs root";
  const TempDirectory directory;
  RegionOptions options = directory.Options();
  options.name = "team@4242";
  ASSERT_EQ(::chmod(directory.path().c_str(), 0755), 0);
  const std::shared_ptr<Region> region = MustOpen(options);
  ASSERT_NE(region, nullptr);
  EXPECT_TRUE(SucceedsInChild([&](Talk&) {
    ASSERT_EQ(::setgid(4242), 0);
    ASSERT_EQ(::setuid(4343), 0);
    const std::shared_ptr<Region> mine = MustOpen(options);
    ASSERT_NE(mine, nullptr);
    EXPECT_EQ(mine->identity(), region->identity());
    EXPECT_TRUE(mine->PublishLife().ok());
  }));
  EXPECT_TRUE(SucceedsInChild([&](Talk&) {
    ASSERT_EQ(::setgid(4141), 0);
    ASSERT_EQ(::setuid(4343), 0);
    EXPECT_EQ(Region::Open(options).status(), Status::kAccess);
  }));
}

TEST(RegionOpenTest, SecondOpenGivesTheSameObject) {
  const TempDirectory directory;
  const std::shared_ptr<Region> first = MustOpen(directory.Options());
  const std::shared_ptr<Region> second = MustOpen(directory.Options());
  EXPECT_EQ(first.get(), second.get());
}

TEST(RegionOpenTest, ThreadsThatOpenAtOnceShareOneLease) {
  const TempDirectory directory;
  for (int round = 0; round < 50; ++round) {
    std::atomic<int> ready{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        ready.fetch_add(1, std::memory_order_acq_rel);
        while (ready.load(std::memory_order_acquire) < 4) {
        }
        // Opening and letting go again: another thread's last reference may
        // just be on its way out.
        for (int n = 0; n < 5; ++n) {
          const std::shared_ptr<Region> region = MustOpen(directory.Options());
          ASSERT_NE(region, nullptr);
          ASSERT_EQ(region->lease().slot, 0);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    ASSERT_EQ(directory.RegionFiles(), Names{});
  }
}

TEST(RegionOpenTest, SeveralRegionsInOneProcessHaveLeasesOfTheirOwn) {
  const TempDirectory directory;
  RegionOptions options = directory.Options();
  const std::shared_ptr<Region> first = MustOpen(options);
  options.name = "r2";
  const std::shared_ptr<Region> second = MustOpen(options);
  ASSERT_NE(first, nullptr);
  ASSERT_NE(second, nullptr);
  EXPECT_NE(first->identity(), second->identity());
  EXPECT_NE(first->data(), second->data());
  EXPECT_EQ(directory.RegionFiles().size(), 6U);
}

TEST(RegionOpenTest, ProcessesSeeOneMemoryAtDifferentAddresses) {
  const TempDirectory directory;
  const std::shared_ptr<Region> region = MustOpen(directory.Options());
  ASSERT_NE(region, nullptr);
  ASSERT_TRUE(region->CommitUnits(3, 1).ok());
  ASSERT_TRUE(region->CommitMeta(region->geometry().client_offset, 100).ok());
  std::byte* const here = region->data() + 3 * kUnitBytes;
  Child child([&](Talk& talk) {
    // The inherited mapping keeps the address, so this one must differ.
    const std::shared_ptr<Region> mine = MustOpen(directory.Options());
    ASSERT_NE(mine, nullptr);
    EXPECT_NE(mine->data(), region->data());
    EXPECT_EQ(mine->lease(), (LeaseId{1, 1}));
    EXPECT_EQ(mine->identity(), region->identity());
    EXPECT_EQ(mine->geometry(), region->geometry());
    EXPECT_TRUE(mine->CommitUnits(3, 1).ok());
    std::memset(mine->data() + 3 * kUnitBytes, 0x5a, 100);
    EXPECT_TRUE(mine->CommitMeta(mine->geometry().client_offset, 100).ok());
    *mine->meta<char>(mine->geometry().client_offset + 5) = 'c';
    talk.Say('w');
  });
  ASSERT_EQ(child.Hear(), 'w');
  EXPECT_EQ(child.Wait(), 0);
  EXPECT_EQ(here[99], std::byte{0x5a});
  EXPECT_EQ(*region->meta<char>(region->geometry().client_offset + 5), 'c');
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(region->data()) % kUnitBytes, 0U);
}

TEST(RegionOpenTest, AttacherTakesTheRegionsShapeNotItsOwnOptions) {
  const TempDirectory directory;
  RegionOptions options = directory.Options();
  options.client_params = {7, 0, 0, 0, 0, 0, 0, 9};
  const std::shared_ptr<Region> region = MustOpen(options);
  EXPECT_TRUE(SucceedsInChild([&](Talk&) {
    RegionOptions other = directory.Options();
    other.region_bytes = 100 * kUnitBytes;
    other.lease_count = 3;
    other.client_area_bytes = 0;
    const std::shared_ptr<Region> mine = MustOpen(other);
    ASSERT_NE(mine, nullptr);
    EXPECT_EQ(mine->geometry(), region->geometry());
    EXPECT_EQ(mine->geometry().client_params[7], 9U);
  }));
}

TEST(RegionOpenTest, OddSizesAreRoundedUpToUnits) {
  const TempDirectory directory;
  RegionOptions options = directory.Options();
  options.region_bytes = 2 * kUnitBytes + 1;
  const std::shared_ptr<Region> region = MustOpen(options);
  ASSERT_NE(region, nullptr);
  EXPECT_EQ(region->geometry().unit_count, 3U);
}

TEST(RegionOpenTest, LastDetachRemovesTheFiles) {
  const TempDirectory directory;
  std::shared_ptr<Region> region = MustOpen(directory.Options());
  Child child([&](Talk& talk) {
    std::shared_ptr<Region> mine = MustOpen(directory.Options());
    talk.Say('a');
    talk.Hear();
    mine.reset();
  });
  ASSERT_EQ(child.Hear(), 'a');
  region.reset();
  EXPECT_EQ(directory.RegionFiles().size(), 3U) << "the child lives in it";
  child.Say('g');
  EXPECT_EQ(child.Wait(), 0);
  EXPECT_EQ(directory.RegionFiles(), Names{});
}

TEST(RegionOpenTest, KeepLeavesTheRegionForTheNextProcess) {
  const TempDirectory directory;
  RegionOptions options = directory.Options();
  options.keep = true;
  std::shared_ptr<Region> region = MustOpen(options);
  ASSERT_NE(region, nullptr);
  const std::uint64_t identity = region->identity();
  ASSERT_TRUE(region->CommitUnits(0, 1).ok());
  region->data()[17] = std::byte{17};
  region.reset();
  EXPECT_EQ(directory.RegionFiles().size(), 3U);

  options.keep = false;
  region = MustOpen(options);
  ASSERT_NE(region, nullptr);
  EXPECT_EQ(region->identity(), identity);
  EXPECT_EQ(region->lease(), (LeaseId{0, 2})) << "the slot's next generation";
  EXPECT_EQ(region->data()[17], std::byte{17});
  region.reset();
  EXPECT_EQ(directory.RegionFiles(), Names{});
}

TEST(RegionOpenTest, EveryLeaseTakenIsNoResources) {
  const TempDirectory directory;
  RegionOptions options = directory.Options();
  options.lease_count = 2;
  const std::shared_ptr<Region> region = MustOpen(options);
  Child child([&](Talk& talk) {
    const std::shared_ptr<Region> mine = MustOpen(options);
    talk.Say('a');
    talk.Hear();
  });
  ASSERT_EQ(child.Hear(), 'a');
  EXPECT_TRUE(SucceedsInChild([&](Talk&) {
    EXPECT_EQ(Region::Open(options).status(), Status::kNoResources);
  }));
  child.Say('g');
  EXPECT_EQ(child.Wait(), 0);
  EXPECT_TRUE(SucceedsInChild([&](Talk&) {
    const std::shared_ptr<Region> mine = MustOpen(options);
    ASSERT_NE(mine, nullptr);
    EXPECT_EQ(mine->lease(), (LeaseId{1, 2}));
  }));
}

TEST(RegionOpenTest, CallersErrnoIsLeftAlone) {
  const TempDirectory directory;
  errno = 4711;
  std::shared_ptr<Region> region = MustOpen(directory.Options());
  ASSERT_TRUE(region->CommitUnits(0, 2).ok());
  ASSERT_TRUE(region->CommitMeta(region->geometry().client_offset, 1).ok());
  static_cast<void>(region->ReportPages());
  EXPECT_FALSE(region->MarkDeadIfGone({5, 1}));
  static_cast<void>(region->HoldsLock(7));
  EXPECT_FALSE(region->OpenLifeOf(9).ok());
  EXPECT_TRUE(region->PublishLife().ok());
  region.reset();
  EXPECT_EQ(errno, 4711);
}

TEST(RegionOpenTest, RangesOutsideTheRegionAreRefused) {
  const TempDirectory directory;
  const std::shared_ptr<Region> region = MustOpen(directory.Options());
  ASSERT_NE(region, nullptr);
  const std::uint32_t units = region->geometry().unit_count;
  const std::uint64_t meta_bytes = region->geometry().meta_bytes;
  EXPECT_TRUE(region->CommitUnits(units, 0).ok());
  EXPECT_EQ(region->CommitUnits(units, 1).status(), Status::kInvalidParam);
  EXPECT_EQ(region->CommitUnits(1, ~0U).status(), Status::kInvalidParam);
  EXPECT_EQ(region->DecommitUnits(units, 1).status(), Status::kInvalidParam);
  EXPECT_TRUE(region->CommitMeta(meta_bytes, 0).ok());
  EXPECT_TRUE(region->CommitMeta(meta_bytes - 1, 1).ok());
  EXPECT_EQ(region->CommitMeta(meta_bytes, 1).status(), Status::kInvalidParam);
  EXPECT_EQ(region->CommitMeta(8, ~std::uint64_t{0}).status(),
            Status::kInvalidParam);
}

TEST(RegionOpenTest, BaseThatIsNoDirectoryIsRefused) {
  const TempDirectory directory;
  RegionOptions options = directory.Options();
  options.directory = directory.path() + "/missing";
  EXPECT_EQ(Region::Open(options).status(), Status::kInvalidParam);
  options.directory = "/dev/null";
  EXPECT_EQ(Region::Open(options).status(), Status::kInvalidParam);
}

}  // namespace
}  // namespace zcb::alloc
