#include "allocator/region_facts.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <new>

#include "allocator/abi.h"

namespace zcb::alloc {

Result<RegionFacts> RegionFacts::Read(int meta_fd,
                                      std::uint64_t meta_file_bytes) {
  if (meta_file_bytes < kMetaPageBytes) {
    return {Status::kLibrary, "the region's meta file is truncated"};
  }
  // Not on the stack: a kilobyte more of it would be touched for nothing else.
  const std::unique_ptr<RegionHeader> read(new (std::nothrow) RegionHeader());
  if (read == nullptr) return {Status::kNoMemory, "no private memory"};
  RegionHeader& header = *read;
  constexpr std::size_t kImmutableBytes =
      offsetof(RegionHeader, checksum) + sizeof(RegionHeader::checksum);
  auto* bytes = reinterpret_cast<std::byte*>(&header);
  ssize_t got = 0;
  do {
    got = ::pread(meta_fd, bytes, kImmutableBytes, 0);
  } while (got < 0 && errno == EINTR);
  if (got != static_cast<ssize_t>(kImmutableBytes)) {
    return {Status::kLibrary, "the region's header cannot be read"};
  }
  if (header.magic != kRegionMagic) {
    return {Status::kLibrary, "not a region: wrong magic"};
  }
  // The rest of another layout may lie anywhere, the checksum too.
  if (header.layout_version != kLayoutVersion) {
    return {Status::kVersion, "the region has another layout version"};
  }
  if (header.checksum != header.ComputeChecksum()) {
    return {Status::kLibrary, "the region's header is damaged"};
  }
  if (header.header_bytes != sizeof(RegionHeader) ||
      header.line_bytes != kLineBytes ||
      header.granule_bytes != kGranuleBytes ||
      header.huge_page_bytes != kHugePageBytes) {
    return {Status::kVersion, "the region was laid out with other constants"};
  }
  if (!header.geometry.IsSound() ||
      header.page_rung > static_cast<std::uint32_t>(PageRung::kHugetlbfs)) {
    return {Status::kLibrary, "the region's geometry is not sound"};
  }
  if (meta_file_bytes != header.geometry.meta_bytes) {
    return {Status::kLibrary, "the region's meta file has a wrong length"};
  }
  const auto mount_end = std::find(header.hugetlbfs_mount.begin(),
                                   header.hugetlbfs_mount.end(), '\0');
  if (mount_end == header.hugetlbfs_mount.end()) {
    return {Status::kLibrary, "the region's mount has no end"};
  }
  RegionFacts facts;
  facts.geometry = header.geometry;
  facts.identity = header.identity;
  facts.data_id = {header.data_device, header.data_inode};
  facts.lock_id = {header.lock_device, header.lock_inode};
  facts.rung = static_cast<PageRung>(header.page_rung);
  facts.hugetlbfs_mount.assign(header.hugetlbfs_mount.begin(), mount_end);
  return facts;
}

void RegionFacts::WriteTo(RegionHeader* header) const {
  header->magic = kRegionMagic;
  header->layout_version = kLayoutVersion;
  header->header_bytes = sizeof(RegionHeader);
  header->line_bytes = kLineBytes;
  header->granule_bytes = kGranuleBytes;
  header->huge_page_bytes = kHugePageBytes;
  header->page_rung = static_cast<std::uint32_t>(rung);
  header->identity = identity;
  header->data_device = data_id.device;
  header->data_inode = data_id.inode;
  header->lock_device = lock_id.device;
  header->lock_inode = lock_id.inode;
  header->geometry = geometry;
  std::copy_n(
      hugetlbfs_mount.begin(),
      std::min(hugetlbfs_mount.size(), header->hugetlbfs_mount.size() - 1),
      header->hugetlbfs_mount.begin());
  header->checksum = header->ComputeChecksum();
}

}  // namespace zcb::alloc
