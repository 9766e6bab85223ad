// cpg_initialize and cpg_model_initialize: a region that is not fit for use.
#include <fcntl.h>
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <memory>

#include "allocator/lease.h"
#include "allocator/record_lock.h"
#include "allocator/region.h"
#include "allocator/region_header.h"
#include "tests/man/producer.h"
#include "tests/man/scene.h"

namespace zcb::man {
namespace {

constexpr uid_t kNobody = 65534;

void MakeDefaultRegion() {
  MakeRegion([](ipc::IpcOptions*) {});
}

void PatchHeader(const std::function<void(alloc::RegionHeader*)>& change) {
  MakeDefaultRegion();
  const int fd = open(RegionFile("meta").c_str(), O_RDWR | O_CLOEXEC);
  Must(fd >= 0);
  auto header = std::make_unique<alloc::RegionHeader>();
  constexpr std::size_t kBytes = offsetof(alloc::RegionHeader, state);
  Must(pread(fd, static_cast<void*>(header.get()), kBytes, 0) ==
       ssize_t{kBytes});
  change(header.get());
  Must(pwrite(fd, header.get(), kBytes, 0) == ssize_t{kBytes});
  close(fd);
}

// Another user than root, who has no rights here.
void BecomeNobody() {
  Must(setgroups(0, nullptr) == 0);
  Must(setresgid(kNobody, kNobody, kNobody) == 0);
  Must(setresuid(kNobody, kNobody, kNobody) == 0);
}

// Its directory.
std::string MakeRegionOfNobodysGroup() {
  if (geteuid() != 0) NotHere("needs root");
  const std::string group = std::to_string(kNobody);
  Must(setenv("ZCB_REGION", ("x@" + group).c_str(), 1) == 0);
  MakeDefaultRegion();
  return std::string(std::getenv("ZCB_DIR")) + "/zcb-g" + group;
}
// To root's group; the user stays.
void GiveAway(const std::string& path) {
  Must(chown(path.c_str(), geteuid(), 0) == 0);
}

void AddAccess(Producers* all) {
  AddToInitialize(all, CS_ERR_ACCESS, "OthersMayWriteToTheDirectory", [] {
    MakeDefaultRegion();
    Must(chmod(RegionDirectory().c_str(), 0707) == 0);
  });
  AddToInitialize(all, CS_ERR_ACCESS, "OthersMayWriteToAFile", [] {
    MakeDefaultRegion();
    Must(chmod(RegionFile("data").c_str(), 0602) == 0);
  });
  AddToInitialize(all, CS_ERR_ACCESS, "FileIsASymbolicLink", [] {
    MakeDefaultRegion();
    std::filesystem::rename(RegionFile("meta"), RegionFile("moved"));
    std::filesystem::create_symlink("default.moved", RegionFile("meta"));
  });
  AddToInitialize(all, CS_ERR_ACCESS, "FileHasASecondName", [] {
    MakeDefaultRegion();
    std::filesystem::create_hard_link(RegionFile("meta"), RegionFile("other"));
  });
  AddToInitialize(all, CS_ERR_ACCESS, "DirectoryIsAPlainFile", [] {
    const int fd = creat(RegionDirectory().c_str(), 0600);
    Must(fd >= 0);
    close(fd);
  });
  AddToInitialize(all, CS_ERR_ACCESS, "NoPermissionToMakeTheDirectory", [] {
    Must(chmod(std::getenv("ZCB_DIR"), 0555) == 0);
    if (geteuid() == 0) BecomeNobody();
  });
  AddToInitialize(all, CS_ERR_ACCESS, "NoPermissionToMakeFilesInTheDirectory",
                  [] {
                    Must(chmod(std::getenv("ZCB_DIR"), 0777) == 0);
                    if (geteuid() == 0) BecomeNobody();
                    MakeDefaultRegion();
                    Must(chmod(RegionDirectory().c_str(), 0500) == 0);
                  });
  AddToInitialize(all, CS_ERR_ACCESS, "NotInTheRegionsGroup", [] {
    Must(chmod(std::getenv("ZCB_DIR"), 0777) == 0);
    if (geteuid() == 0) BecomeNobody();
    Must(setenv("ZCB_REGION", "x@0", 1) == 0);  // root's group
  });
  AddToInitialize(all, CS_ERR_ACCESS, "NoPermissionToOpenTheDirectory", [] {
    Must(chmod(std::getenv("ZCB_DIR"), 0777) == 0);
    if (geteuid() == 0) BecomeNobody();
    MakeDefaultRegion();
    Must(chmod(RegionDirectory().c_str(), 0) == 0);
  });
  AddToInitialize(all, CS_ERR_ACCESS, "NoPermissionToOpenAFile", [] {
    Must(chmod(std::getenv("ZCB_DIR"), 0777) == 0);
    if (geteuid() == 0) BecomeNobody();
    MakeDefaultRegion();
    Must(chmod(RegionFile("meta").c_str(), 0) == 0);
  });
  AddToInitialize(all, CS_ERR_ACCESS, "BaseGivesThatGroupToAnybody", [] {
    const std::string group = std::to_string(getegid());
    Must(chown(std::getenv("ZCB_DIR"), geteuid(), getegid()) == 0);
    Must(chmod(std::getenv("ZCB_DIR"), 02777) == 0);
    Must(setenv("ZCB_REGION", ("x@" + group).c_str(), 1) == 0);
  });
  AddToInitialize(all, CS_ERR_ACCESS, "DirectoryIsAnotherGroups",
                  [] { GiveAway(MakeRegionOfNobodysGroup()); });
  AddToInitialize(all, CS_ERR_ACCESS, "FileIsAnotherGroups",
                  [] { GiveAway(MakeRegionOfNobodysGroup() + "/x.meta"); });
  AddToInitialize(all, CS_ERR_ACCESS, "DirectoryIsAnotherUsers", [] {
    if (geteuid() != 0) NotHere("needs root");
    MakeDefaultRegion();
    Must(chown(RegionDirectory().c_str(), kNobody, kNobody) == 0);
  });
  AddToInitialize(all, CS_ERR_ACCESS, "FileIsAnotherUsers", [] {
    if (geteuid() != 0) NotHere("needs root");
    MakeDefaultRegion();
    Must(chown(RegionFile("meta").c_str(), kNobody, kNobody) == 0);
  });
}

void AddDamage(Producers* all) {
  AddToInitialize(all, CS_ERR_VERSION, "MadeByAnotherRelease", [] {
    PatchHeader([](alloc::RegionHeader* header) { ++header->layout_version; });
  });
  AddToInitialize(all, CS_ERR_LIBRARY, "HeaderIsDamaged", [] {
    PatchHeader([](alloc::RegionHeader* header) { header->identity ^= 1; });
  });
  AddToInitialize(all, CS_ERR_LIBRARY, "HeaderIsDamaged_NotARegion", [] {
    PatchHeader([](alloc::RegionHeader* header) { header->magic ^= 1; });
  });
  AddToInitialize(all, CS_ERR_LIBRARY, "FileIsTruncated", [] {
    MakeDefaultRegion();
    Must(truncate(RegionFile("data").c_str(), 4096) == 0);
  });
  AddToInitialize(all, CS_ERR_LIBRARY, "FileIsTruncated_InUseHere",
                  [] { CutDataFile(NewHandle()); });
  AddToInitialize(all, CS_ERR_LIBRARY, "FilesDoNotBelongTogether", [] {
    MakeDefaultRegion();
    std::filesystem::remove(RegionFile("data"));
  });
}

// A process that has the lock of whoever makes or removes the region, and
// nothing else done yet.
class Creator {
 public:
  Creator()
      : child_([this] {
          EndWithScene();
          const int fd = open(RegionFile("lock").c_str(),
                              O_RDWR | O_CREAT | O_CLOEXEC, 0600);
          Must(fd >= 0);
          Must(alloc::TryLockByte(fd, alloc::kLifecycleByte) ==
               alloc::LockAttempt::kTaken);
          locked_.Signal();
          never_.Wait();
          return 0;
        }) {
    locked_.Wait();
  }

 private:
  zcb::testing::Gate locked_;
  zcb::testing::Gate never_;
  zcb::testing::ChildProcess child_;
};

// The only place of a region with one, taken by another process.
void TakeTheOnlyPlace() {
  zcb::testing::Gate attached;
  // Both stay until the scene's process is gone.
  auto* const never = new zcb::testing::Gate;
  new zcb::testing::ChildProcess([&] {
    EndWithScene();
    auto options = ipc::IpcOptions::FromEnvironment();
    Must(options.ok());
    options->region.lease_count = 1;
    const auto attachment = ipc::Attachment::Open(*options);
    Must(attachment.ok());
    attached.Signal();
    never->Wait();
    return 0;
  });
  attached.Wait();
}

}  // namespace

Producers RegionErrors() {
  Producers all;
  AddAccess(&all);
  AddDamage(&all);
  AddToInitialize(&all, CS_ERR_TRY_AGAIN, "AnotherProcessIsMakingOrRemovingIt",
                  [] {
                    Must(mkdir(RegionDirectory().c_str(), 0700) == 0);
                    new Creator;
                  });
  AddToInitialize(&all, CS_ERR_TRY_AGAIN, "MetaFileWasRemovedUnderItsUsers",
                  [] {
                    new Idler;
                    std::filesystem::remove(RegionFile("meta"));
                  });
  AddToInitialize(&all, CS_ERR_NO_RESOURCES, "NoPlaceForAnotherProcess",
                  &TakeTheOnlyPlace);
  AddToInitialize(&all, CS_ERR_NOT_SUPPORTED, "RegionWasMadeWithoutGroups", [] {
    auto options = alloc::RegionOptions::FromEnvironment();
    Must(options.ok());
    options->keep = true;
    Must(alloc::Region::Open(*options).ok());
  });
  AddToInitialize(&all, CS_ERR_NO_MEMORY, "FileSystemIsFull",
                  [] { UseSmallFileSystem("64k"); });
  return all;
}

}  // namespace zcb::man
