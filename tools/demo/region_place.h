// Where a pointer into the region really points, by the kernel's word: which
// file, and where in it. Two processes that get the same answer read the same
// bytes of memory, wherever each of them has mapped it.
#ifndef ZCB_TOOLS_DEMO_REGION_PLACE_H_
#define ZCB_TOOLS_DEMO_REGION_PLACE_H_

#include <cstdint>

namespace zcb::demo {

struct RegionPlace {
  std::uint64_t file_inode = 0;
  std::uint64_t offset_bytes = 0;
  friend bool operator==(const RegionPlace&, const RegionPlace&) = default;
};

// Reads /proc/self/maps once, and again when a pointer is new to it.
class RegionPlaces {
 public:
  // Throws Failed for a pointer that is not in a mapped file.
  RegionPlace Of(const void* pointer);
  std::uint64_t map_address() const { return file_begin_; }

 private:
  void Find(std::uint64_t address);

  std::uint64_t begin_ = 0;  // of the mapping
  std::uint64_t end_ = 0;
  std::uint64_t file_begin_ = 0;  // address at which the file's byte 0 lies
  std::uint64_t inode_ = 0;
};

}  // namespace zcb::demo

#endif  // ZCB_TOOLS_DEMO_REGION_PLACE_H_
