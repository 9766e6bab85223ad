#include "allocator/region_core.h"

#include <fcntl.h>

namespace zcb::alloc {

int RegionCore::DataDirectory(UniqueFd* mount_fd) const {
  if (facts.hugetlbfs_mount.empty()) return directory.fd();
  *mount_fd = UniqueFd(
      ::open(facts.hugetlbfs_mount.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  return mount_fd->get();
}

}  // namespace zcb::alloc
