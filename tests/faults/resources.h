// What a process, and a directory of regions, have of what can be leaked.
#ifndef ZCB_TESTS_FAULTS_RESOURCES_H_
#define ZCB_TESTS_FAULTS_RESOURCES_H_

#include <cstdint>
#include <set>
#include <string>

namespace zcb::faults {

struct Resources {
  std::int64_t descriptors = 0;
  std::int64_t region_mappings = 0;  // lines of /proc/self/maps below a path
  std::int64_t region_bytes = 0;     // of address space, of these lines
  std::int64_t mapped_bytes = 0;     // by wrapped calls of mmap, of any kind
  std::int64_t blocks = 0;           // of operator new
  std::int64_t threads = 0;
  std::int64_t files = 0;  // below a path

  // This process's, and those of the files below `directory`.
  static Resources Now(const std::string& directory);
  // What there is more of here than there; empty if nothing.
  std::string MoreThan(const Resources& other) const;
};

// Relative paths of all files below, directories left out.
std::set<std::string> FilesBelow(const std::string& directory);

}  // namespace zcb::faults

#endif  // ZCB_TESTS_FAULTS_RESOURCES_H_
