#include "tests/hostile/region_map.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace zcb::hostile {
namespace {

std::byte* Map(int fd, std::uint64_t length_bytes) {
  void* const at = mmap(nullptr, length_bytes, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_NORESERVE, fd, 0);
  return at == MAP_FAILED ? nullptr : static_cast<std::byte*>(at);
}

bool HasLength(int fd, std::uint64_t length_bytes) {
  struct stat facts = {};
  return fstat(fd, &facts) == 0 &&
         static_cast<std::uint64_t>(facts.st_size) == length_bytes;
}

}  // namespace

std::unique_ptr<RegionMap> RegionMap::Open(const std::string& stem) {
  std::unique_ptr<RegionMap> map(new RegionMap);
  map->meta_fd_ =
      alloc::UniqueFd(open((stem + ".meta").c_str(), O_RDWR | O_CLOEXEC));
  map->data_fd_ =
      alloc::UniqueFd(open((stem + ".data").c_str(), O_RDWR | O_CLOEXEC));
  if (!map->meta_fd_.is_open() || !map->data_fd_.is_open()) return nullptr;
  alloc::Geometry& geometry = map->geometry_;
  if (pread(map->meta_fd_.get(), &geometry, sizeof geometry,
            offsetof(alloc::RegionHeader, geometry)) !=
          static_cast<ssize_t>(sizeof geometry) ||
      !geometry.IsSound() || !map->IsWhole()) {
    return nullptr;
  }
  map->data_ = Map(map->data_fd_.get(), geometry.region_bytes);
  map->meta_ = Map(map->meta_fd_.get(), geometry.meta_bytes);
  if (map->data_ == nullptr || map->meta_ == nullptr) return nullptr;
  if (const auto groups = ipc::IpcGeometry::From(geometry)) {
    map->groups_ = *groups;
  }
  return map;
}

RegionMap::~RegionMap() {
  if (data_ != nullptr) munmap(data_, geometry_.region_bytes);
  if (meta_ != nullptr) munmap(meta_, geometry_.meta_bytes);
}

bool RegionMap::IsWhole() const {
  return HasLength(meta_fd_.get(), geometry_.meta_bytes) &&
         HasLength(data_fd_.get(), geometry_.region_bytes);
}

}  // namespace zcb::hostile
