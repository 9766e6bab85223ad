// What a region's header says, copied once and checked.
#ifndef ZCB_ALLOCATOR_REGION_FACTS_H_
#define ZCB_ALLOCATOR_REGION_FACTS_H_

#include <cstdint>
#include <string>

#include "allocator/region_files.h"
#include "allocator/region_header.h"
#include "allocator/status.h"

namespace zcb::alloc {

// The immutable part of a RegionHeader, in private memory.
struct RegionFacts {
  Geometry geometry;
  std::uint64_t identity = 0;
  FileId data_id;
  FileId lock_id;
  PageRung rung = PageRung::kSmall;
  std::string hugetlbfs_mount;  // "" = the data file lies beside

  // Reads and checks a meta file of that length before anybody maps it.
  // kLibrary: not a region, truncated or damaged. kVersion: another layout.
  static Result<RegionFacts> Read(int meta_fd, std::uint64_t meta_file_bytes);
  // The other way round, into a header of zeros.
  void WriteTo(RegionHeader* header) const;
};

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_REGION_FACTS_H_
