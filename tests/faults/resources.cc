#include "tests/faults/resources.h"

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "tests/faults/fault.h"

namespace zcb::faults {
namespace {

std::int64_t CountEntries(const char* path) {
  std::int64_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(path)) {
    count += entry.path().empty() ? 0 : 1;
  }
  return count;
}

}  // namespace

std::set<std::string> FilesBelow(const std::string& directory) {
  std::set<std::string> files;
  std::error_code gone;  // by somebody who cleans up just now
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(directory, gone)) {
    if (entry.is_directory(gone)) continue;
    files.insert(entry.path().string().substr(directory.size() + 1));
  }
  return files;
}

Resources Resources::Now(const std::string& directory) {
  Resources now;
  now.blocks = LiveBlocks();
  now.mapped_bytes = MappedBytes();
  now.descriptors = CountEntries("/proc/self/fd");
  now.threads = CountEntries("/proc/self/task");
  now.files = static_cast<std::int64_t>(FilesBelow(directory).size());
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    // Files without a name show the number of their inode behind a '#'.
    if (line.find(directory) == std::string::npos) continue;
    unsigned long begin = 0;
    unsigned long end = 0;
    if (std::sscanf(line.c_str(), "%lx-%lx", &begin, &end) != 2) continue;
    ++now.region_mappings;
    now.region_bytes += static_cast<std::int64_t>(end - begin);
  }
  return now;
}

std::string Resources::MoreThan(const Resources& other) const {
  std::string more;
  const auto compare = [&more](const char* what, std::int64_t here,
                               std::int64_t there) {
    if (here <= there) return;
    more += std::string(" ") + what + " " + std::to_string(here) + ">" +
            std::to_string(there);
  };
  compare("descriptors", descriptors, other.descriptors);
  compare("region mappings", region_mappings, other.region_mappings);
  compare("region bytes", region_bytes, other.region_bytes);
  compare("mapped bytes", mapped_bytes, other.mapped_bytes);
  compare("blocks", blocks, other.blocks);
  compare("threads", threads, other.threads);
  compare("files", files, other.files);
  return more;
}

}  // namespace zcb::faults
