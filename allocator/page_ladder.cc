#include "allocator/page_ladder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "allocator/proc_file.h"

namespace zcb::alloc {
namespace {

// What the mount of a tmpfs file says about huge pages (its option huge=).
// Nothing said is "never" as the kernel sees it.
std::string MountedHugeOption(int fd) {
  struct stat facts = {};
  if (::fstat(fd, &facts) != 0) return "";
  // "31 23 0:27 / /dev/shm rw,relatime shared:4 - tmpfs tmpfs rw,huge=advise"
  const std::string device = " " + std::to_string(major(facts.st_dev)) + ":" +
                             std::to_string(minor(facts.st_dev)) + " ";
  std::string option;
  ForEachLine("/proc/self/mountinfo", [&](std::string_view line) {
    const std::size_t dash = line.find(" - tmpfs ");
    if (dash == std::string_view::npos) return;
    const std::size_t at = line.find(device);
    if (at == std::string_view::npos || at > dash) return;
    const std::size_t huge = line.find("huge=", dash);
    if (huge == std::string_view::npos) return;
    const std::string_view rest = line.substr(huge + 5);
    option = std::string(rest.substr(0, rest.find_first_of(", ")));
  });
  return option;
}

std::uint32_t PrefaultPages(const RegionOptions& options,
                            std::uint64_t region_bytes) {
  const std::uint64_t bytes =
      std::min(options.prefault_bytes, region_bytes / 8);
  const auto pages = static_cast<std::uint32_t>(bytes / kHugePageBytes);
  // A demand that nothing is committed for could not be verified.
  return options.pages == PagePolicy::kHuge ? std::max(pages, 1U) : pages;
}

Result<NewDataFile> CreateOn(int directory_fd, const FileRules& rules,
                             std::uint64_t region_bytes, PageRung rung) {
  Result<UniqueFd> fd = CreateNameless(directory_fd, rules, region_bytes);
  if (!fd) return fd.failure();
  Result<Mapping> mapping =
      Mapping::Map(fd->get(), region_bytes, kHugePageBytes);
  if (!mapping) return mapping.failure();
  NewDataFile file;
  file.fd = std::move(*fd);
  file.mapping = std::move(*mapping);
  file.backing =
      PageBacking(file.fd.get(), file.mapping.base(), region_bytes, rung);
  file.backing.Advise();
  return file;
}

// nullopt: this rung cannot be had; the next one may.
std::optional<NewDataFile> TryHugetlbfs(const FileRules& rules,
                                        const RegionOptions& options,
                                        std::uint64_t region_bytes,
                                        std::uint32_t pages) {
  UniqueFd mount(::open(options.hugetlbfs_mount.c_str(),
                        O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!mount.is_open() || !IsHugetlbfsOfUnits(mount.get())) {
    return std::nullopt;
  }
  Result<NewDataFile> file =
      CreateOn(mount.get(), rules, region_bytes, PageRung::kHugetlbfs);
  if (!file || !IsHugetlbfsOfUnits(file->fd.get())) return std::nullopt;
  // Pages that are not free now cannot be had: no half rung. At least one, or
  // a mount over an empty pool would pass for memory.
  const std::uint32_t wanted = std::max(pages, 1U);
  if (!file->backing.Commit(0, wanted * kHugePageBytes)) return std::nullopt;
  if (file->backing.BackedBytes() < wanted * kHugePageBytes)
    return std::nullopt;
  file->hugetlbfs_mount = options.hugetlbfs_mount;
  file->committed_pages = wanted;
  return std::move(*file);
}

// As many of `pages` as the file system holds, at least one.
Outcome CommitFirst(NewDataFile* file, std::uint32_t pages) {
  Outcome outcome;
  while (pages != 0) {
    outcome = file->backing.Commit(0, pages * kHugePageBytes);
    if (outcome) break;
    if (outcome.status() != Status::kNoMemory) return outcome;
    pages /= 2;
  }
  file->committed_pages = pages;
  return outcome;
}

bool IsAllHuge(const NewDataFile& file) {
  return file.backing.HugeMappedBytes() >=
         file.committed_pages * kHugePageBytes;
}

// tmpfs: as mounted, or collapsed afterwards, or 4 KiB.
Result<NewDataFile> OnTmpfs(const RegionDirectory& directory,
                            const RegionOptions& options,
                            std::uint64_t region_bytes, std::uint32_t pages) {
  PageRung rung = PageRung::kSmall;
  if (options.pages != PagePolicy::kSmall) {
    const std::string mounted = MountedHugeOption(directory.fd());
    rung = mounted == "always" || mounted == "within_size"
               ? PageRung::kHugeMount
           : mounted == "advise" ? PageRung::kAdvised
                                 : PageRung::kCollapsed;
  }
  Result<NewDataFile> file =
      CreateOn(directory.fd(), directory.rules(), region_bytes, rung);
  if (!file) return file;
  if (Outcome first = CommitFirst(&*file, pages); !first) {
    return first.failure();
  }
  if (rung == PageRung::kSmall || file->committed_pages == 0) return file;

  const std::uint64_t bytes = file->committed_pages * kHugePageBytes;
  if (rung != PageRung::kCollapsed) file->backing.MapCommitted(0, bytes);
  if (!IsAllHuge(*file)) {
    file->backing.Collapse(0, bytes);
    if (rung == PageRung::kCollapsed && file->backing.HugeMappedBytes() == 0) {
      file->backing.set_rung(PageRung::kSmall);
    }
  }
  if (options.pages == PagePolicy::kHuge && !IsAllHuge(*file)) {
    return {Status::kNotSupported, "no 2 MiB pages under the data file"};
  }
  return file;
}

}  // namespace

Result<NewDataFile> CreateDataFile(const RegionDirectory& directory,
                                   const RegionOptions& options,
                                   std::uint64_t region_bytes) {
  const std::uint32_t pages = PrefaultPages(options, region_bytes);
  if (options.pages != PagePolicy::kSmall && !options.hugetlbfs_mount.empty()) {
    std::optional<NewDataFile> file =
        TryHugetlbfs(directory.rules(), options, region_bytes, pages);
    if (file) return std::move(*file);
  }
  return OnTmpfs(directory, options, region_bytes, pages);
}

const char* Describe(PageRung rung) {
  switch (rung) {
    case PageRung::kHugetlbfs:
      return "hugetlbfs";
    case PageRung::kHugeMount:
      return "tmpfs mounted huge=always/within_size";
    case PageRung::kAdvised:
      return "tmpfs mounted huge=advise, populated";
    case PageRung::kCollapsed:
      return "tmpfs, prefault by MADV_COLLAPSE";
    case PageRung::kSmall:
      break;
  }
  return "4 KiB pages";
}

}  // namespace zcb::alloc
