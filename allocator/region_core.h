// Everything that being attached to a region consists of. Private to the
// region's own files: region, region_opener, region_lifecycle.
#ifndef ZCB_ALLOCATOR_REGION_CORE_H_
#define ZCB_ALLOCATOR_REGION_CORE_H_

#include "allocator/commit_map.h"
#include "allocator/damage_mark.h"
#include "allocator/lease.h"
#include "allocator/life_fifo.h"
#include "allocator/page_backing.h"
#include "allocator/region_facts.h"
#include "allocator/region_files.h"
#include "allocator/unique_fd.h"

namespace zcb::alloc {

// Goes with all descriptors and mappings, but gives nothing back: the lease
// and the names are for region_lifecycle.h.
struct RegionCore {
  RegionDirectory directory;
  RegionFacts facts;
  FileId meta_id;
  UniqueFd data_fd;
  UniqueFd meta_fd;
  UniqueFd lock_fd;  // the process's only descriptor of this file
  Mapping data;
  Mapping meta;
  PageBacking data_backing;
  PageBacking meta_backing;
  CommitMap committed_meta;
  DamageMark damage;
  LeaseTable leases;
  LeaseId lease;
  LifeFifo life;

  RegionCore() = default;
  ~RegionCore();
  RegionCore(const RegionCore&) = delete;
  RegionCore& operator=(const RegionCore&) = delete;

  // Has SIGBUS in the mappings set `damage` instead of ending the process.
  // kNoResources: too many regions, or no handler can be installed.
  Outcome GuardMappings();

  RegionHeader* header() const {
    return reinterpret_cast<RegionHeader*>(meta.base());
  }
  // Where the data file has its name: the directory, or a hugetlbfs mount
  // (then the descriptor is `mount_fd`, opened here).
  int DataDirectory(UniqueFd* mount_fd) const;
  std::string DataName() const {
    return facts.hugetlbfs_mount.empty() ? directory.data_name()
                                         : directory.hugetlbfs_data_name();
  }
};

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_REGION_CORE_H_
