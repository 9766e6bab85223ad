#include "tools/demo/region_place.h"

#include <cinttypes>
#include <cstdio>
#include <fstream>
#include <string>

#include "tools/demo/failure.h"

namespace zcb::demo {

RegionPlace RegionPlaces::Of(const void* pointer) {
  const auto address = reinterpret_cast<std::uintptr_t>(pointer);
  if (address < begin_ || address >= end_) Find(address);
  return {inode_, address - file_begin_};
}

void RegionPlaces::Find(std::uint64_t address) {
  std::ifstream maps("/proc/self/maps");
  std::string line;
  while (std::getline(maps, line)) {
    std::uint64_t begin = 0, end = 0, offset = 0, inode = 0;
    if (std::sscanf(line.c_str(),
                    "%" SCNx64 "-%" SCNx64 " %*s %" SCNx64 " %*s %" SCNu64,
                    &begin, &end, &offset, &inode) != 4) {
      continue;
    }
    if (address < begin || address >= end) continue;
    if (inode == 0) Fail("a message lies outside the region's file");
    begin_ = begin;
    end_ = end;
    inode_ = inode;
    file_begin_ = begin - offset;
    return;
  }
  Fail("a message lies where nothing is mapped");
}

}  // namespace zcb::demo
