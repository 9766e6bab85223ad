// The files of a region as an attacker sees them: two mappings, and where each
// table lies in them by the library's own layout headers.
#ifndef ZCB_TESTS_HOSTILE_REGION_MAP_H_
#define ZCB_TESTS_HOSTILE_REGION_MAP_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "allocator/region_header.h"
#include "allocator/unique_fd.h"
#include "ipc/ipc_layout.h"

namespace zcb::hostile {

class RegionMap {
 public:
  // `stem`: the path of the files without .meta and .data. nullptr: they are
  // not there (yet), or damaged.
  static std::unique_ptr<RegionMap> Open(const std::string& stem);
  ~RegionMap();
  RegionMap(const RegionMap&) = delete;
  RegionMap& operator=(const RegionMap&) = delete;

  const alloc::Geometry& geometry() const { return geometry_; }
  // Of the groups; nothing in a region without any.
  const std::optional<ipc::IpcGeometry>& groups() const { return groups_; }
  std::byte* data() const { return data_; }
  std::byte* meta() const { return meta_; }
  template <typename T>
  T* At(std::uint64_t meta_offset_bytes) const {
    return reinterpret_cast<T*>(meta_ + meta_offset_bytes);
  }
  int data_fd() const { return data_fd_.get(); }
  int meta_fd() const { return meta_fd_.get(); }
  // Whether both files have their lengths; else touching them may be SIGBUS.
  bool IsWhole() const;

 private:
  RegionMap() = default;

  alloc::UniqueFd data_fd_;
  alloc::UniqueFd meta_fd_;
  alloc::Geometry geometry_;
  std::optional<ipc::IpcGeometry> groups_;
  std::byte* data_ = nullptr;
  std::byte* meta_ = nullptr;
};

}  // namespace zcb::hostile

#endif  // ZCB_TESTS_HOSTILE_REGION_MAP_H_
