#include "allocator/region_creation.h"

#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <utility>

#include "allocator/page_ladder.h"
#include "allocator/record_lock.h"
#include "allocator/region_lifecycle.h"

namespace zcb::alloc {
namespace {

std::uint64_t RandomIdentity() {
  std::uint64_t random = 0;
  if (::getrandom(&random, sizeof random, GRND_NONBLOCK) ==
      static_cast<ssize_t>(sizeof random)) {
    return random;
  }
  timespec now = {};
  ::clock_gettime(CLOCK_REALTIME, &now);  // early at boot: different enough
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec) +
         (static_cast<std::uint64_t>(::getpid()) << 40);
}

Outcome MapMeta(RegionCore* core) {
  const std::uint64_t bytes = core->facts.geometry.meta_bytes;
  Result<Mapping> meta =
      Mapping::Map(core->meta_fd.get(), bytes, kMetaPageBytes);
  if (!meta) return meta.failure();
  core->meta = std::move(*meta);
  core->meta_backing =
      PageBacking::ForTables(core->meta_fd.get(), core->meta.base(), bytes);
  core->meta_backing.Advise();
  core->committed_meta = CommitMap(bytes / kMetaPageBytes);
  if (!core->committed_meta.ok()) {
    return {Status::kNoMemory, "no private memory"};
  }
  // What every region has from its creation on.
  const std::uint64_t committed = core->facts.geometry.granules_offset;
  for (std::uint64_t page = 0; page < committed / kMetaPageBytes; ++page) {
    core->committed_meta.Add(page);
  }
  core->leases = LeaseTable(core->header(), core->facts.geometry,
                            core->lock_fd.get(), core->facts.lock_id);
  return {};
}

void MarkCommitted(RegionCore* core, std::uint32_t pages) {
  auto* committed = reinterpret_cast<std::atomic<std::uint8_t>*>(
      core->meta.base() + core->facts.geometry.committed_offset);
  for (std::uint32_t page = 0; page < pages; ++page) {
    // relaxed: nobody else sees the file before it is linked.
    committed[page].store(1, std::memory_order_relaxed);
  }
}

std::uint32_t UnitBytes(const RegionOptions& options,
                        std::uint64_t region_bytes) {
  if (options.unit_bytes != 0) return options.unit_bytes;
  return region_bytes < RegionLimits::kMinOrdinaryBytes ? kSmallUnitBytes
                                                        : kUnitBytes;
}

// Links, and if the name is taken by what only a dead process can have left
// (we hold the lifecycle lock), takes that away first.
Result<bool> LinkOver(int fd, int directory_fd, const std::string& name) {
  Result<bool> linked = LinkNameless(fd, directory_fd, name);
  if (!linked || *linked) return linked;
  if (::unlinkat(directory_fd, name.c_str(), 0) != 0 && errno != ENOENT) {
    // Somebody else's in a sticky directory, or a directory: not again and
    // again.
    return {Status::kAccess, "a region file's name is taken, and not by ours"};
  }
  return LinkNameless(fd, directory_fd, name);
}

}  // namespace

Outcome MapFiles(RegionCore* core) {
  if (Outcome mapped = MapMeta(core); !mapped) return mapped;
  const std::uint64_t bytes = core->facts.geometry.region_bytes;
  Result<Mapping> data =
      Mapping::Map(core->data_fd.get(), bytes, kHugePageBytes);
  if (!data) return data.failure();
  core->data = std::move(*data);
  core->data_backing = PageBacking(core->data_fd.get(), core->data.base(),
                                   bytes, core->facts.rung);
  core->data_backing.Advise();
  return {};
}

Outcome BuildNameless(const RegionOptions& options, RegionCore* core) {
  const RegionDirectory& directory = core->directory;
  Result<UniqueFd> lock_fd =
      CreateNameless(directory.fd(), directory.rules(), 0);
  if (!lock_fd) return lock_fd.failure();
  core->lock_fd = std::move(*lock_fd);
  if (TryLockByte(core->lock_fd.get(), kLifecycleByte) != LockAttempt::kTaken) {
    return {Status::kNoResources, "no record lock for a region"};
  }

  RegionFacts& facts = core->facts;
  const std::uint64_t region_bytes =
      (options.region_bytes + kHugePageBytes - 1) / kHugePageBytes *
      kHugePageBytes;
  facts.geometry = Geometry::Make(
      region_bytes, UnitBytes(options, region_bytes), options.lease_count,
      options.client_area_bytes, options.client_params);
  Result<NewDataFile> data = CreateDataFile(directory, options, region_bytes);
  if (!data) return data.failure();
  core->data_fd = std::move(data->fd);
  core->data = std::move(data->mapping);
  core->data_backing = data->backing;
  facts.rung = data->backing.rung();
  facts.hugetlbfs_mount = data->hugetlbfs_mount;

  Result<UniqueFd> meta_fd = CreateNameless(directory.fd(), directory.rules(),
                                            facts.geometry.meta_bytes);
  if (!meta_fd) return meta_fd.failure();
  core->meta_fd = std::move(*meta_fd);
  const std::optional<FileId> data_id = IdOfDescriptor(core->data_fd.get());
  const std::optional<FileId> meta_id = IdOfDescriptor(core->meta_fd.get());
  const std::optional<FileId> lock_id = IdOfDescriptor(core->lock_fd.get());
  if (!data_id || !meta_id || !lock_id) {
    return {Status::kLibrary, "a new region file cannot be examined"};
  }
  facts.data_id = *data_id;
  facts.lock_id = *lock_id;
  core->meta_id = *meta_id;
  facts.identity = RandomIdentity();

  if (Outcome mapped = MapMeta(core); !mapped) return mapped;
  if (Outcome backed =
          core->meta_backing.Commit(0, facts.geometry.granules_offset);
      !backed) {
    return backed;
  }
  facts.WriteTo(core->header());
  MarkCommitted(core, data->committed_pages);
  // release -> region.open: the tables are whole. (The link follows.)
  core->header()->state.store(static_cast<std::uint64_t>(RegionState::kOpen),
                              std::memory_order_seq_cst);
  Result<LeaseId> lease = core->leases.Take(ProcessFacts::OfSelf());
  if (!lease) return lease.failure();
  core->lease = *lease;
  return {};
}

Result<bool> GiveNames(RegionCore* core) {
  const RegionDirectory& directory = core->directory;
  Result<bool> named =
      LinkNameless(core->lock_fd.get(), directory.fd(), directory.lock_name());
  if (!named || !*named) return named;
  UniqueFd mount_fd;
  const int data_directory = core->DataDirectory(&mount_fd);
  named = LinkOver(core->data_fd.get(), data_directory, core->DataName());
  if (named && *named) {
    named = LinkNameless(core->meta_fd.get(), directory.fd(),
                         directory.meta_name());
  }
  if (!named || !*named) UnlinkNames(*core);
  UnlockByte(core->lock_fd.get(), kLifecycleByte);
  return named;
}

}  // namespace zcb::alloc
