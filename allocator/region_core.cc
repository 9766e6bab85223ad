#include "allocator/region_core.h"

#include <fcntl.h>

#include "allocator/sigbus_guard.h"

namespace zcb::alloc {

RegionCore::~RegionCore() {
  SigbusGuard::Remove(data.base());
  SigbusGuard::Remove(meta.base());
}

Outcome RegionCore::GuardMappings() {
  if (Outcome installed = SigbusGuard::Install(); !installed) return installed;
  const std::uint64_t data_page_bytes =
      facts.rung == PageRung::kHugetlbfs ? kHugePageBytes : kMetaPageBytes;
  if (!SigbusGuard::Add({data.base(), data.length_bytes(), data_page_bytes,
                         data_fd.get(), facts.data_id, &damage}) ||
      !SigbusGuard::Add({meta.base(), meta.length_bytes(), kMetaPageBytes,
                         meta_fd.get(), meta_id, &damage})) {
    return {Status::kNoResources, "too many regions that handle SIGBUS"};
  }
  return {};
}

int RegionCore::DataDirectory(UniqueFd* mount_fd) const {
  if (facts.hugetlbfs_mount.empty()) return directory.fd();
  *mount_fd = UniqueFd(
      ::open(facts.hugetlbfs_mount.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  return mount_fd->get();
}

}  // namespace zcb::alloc
