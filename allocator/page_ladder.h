// Which pages a new region's data file gets: the best that can be verified.
#ifndef ZCB_ALLOCATOR_PAGE_LADDER_H_
#define ZCB_ALLOCATOR_PAGE_LADDER_H_

#include <cstdint>
#include <string>

#include "allocator/page_backing.h"
#include "allocator/region_files.h"
#include "allocator/region_options.h"
#include "allocator/status.h"
#include "allocator/unique_fd.h"

namespace zcb::alloc {

// A data file without a name, mapped, its first units committed.
struct NewDataFile {
  UniqueFd fd;
  Mapping mapping;
  PageBacking backing;
  std::string hugetlbfs_mount;        // where it lies, if not in the directory
  std::uint32_t committed_pages = 0;  // huge pages' worth
};

// Tries the rungs that the policy allows, best first. kNotSupported: 2 MiB
// pages were demanded and could not be verified. kNoMemory: not even one unit
// of 4 KiB pages can be had. On failure nothing is left behind.
Result<NewDataFile> CreateDataFile(const RegionDirectory& directory,
                                   const RegionOptions& options,
                                   std::uint64_t region_bytes);

// A rung in words: a literal.
const char* Describe(PageRung rung);

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_PAGE_LADDER_H_
