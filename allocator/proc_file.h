// Text files of /proc, line by line.
#ifndef ZCB_ALLOCATOR_PROC_FILE_H_
#define ZCB_ALLOCATOR_PROC_FILE_H_

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <string_view>

#include "allocator/unique_fd.h"

namespace zcb::alloc {

// Calls visit(std::string_view) for each line, without its end. False: the
// file cannot be opened.
template <typename Visitor>
bool ForEachLine(const char* path, Visitor visit) {
  UniqueFd fd(::open(path, O_RDONLY | O_CLOEXEC));
  if (!fd.is_open()) return false;
  std::string pending;
  // Most such files have fewer bytes, and a stack that deep would be touched
  // for nothing else.
  std::array<char, 512> chunk;
  for (;;) {
    const ssize_t got = ::read(fd.get(), chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    pending.append(chunk.data(), static_cast<std::size_t>(got));
    std::size_t begin = 0;
    for (;;) {
      const std::size_t end = pending.find('\n', begin);
      if (end == std::string::npos) break;
      visit(std::string_view(pending).substr(begin, end - begin));
      begin = end + 1;
    }
    pending.erase(0, begin);
  }
  if (!pending.empty()) visit(std::string_view(pending));
  return true;
}

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_PROC_FILE_H_
