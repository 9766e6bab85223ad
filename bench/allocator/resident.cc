#include "bench/allocator/resident.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string_view>

#include "bench/failure.h"

namespace zcb::bench {
namespace {

// "Rss:      1234 kB"
std::uint64_t FieldBytes(std::string_view text, std::string_view title) {
  std::size_t at = text.find(title);
  if (at == std::string_view::npos) Fail("no {} in smaps_rollup", title);
  at = text.find_first_not_of(' ', at + title.size());
  std::uint64_t kib = 0;
  std::from_chars(text.data() + at, text.data() + text.size(), kib);
  return kib * 1024;
}

}  // namespace

Resident ReadResident() {
  // No stream and no string: they would allocate.
  std::array<char, 4096> buffer;
  const int fd = open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC);
  const ssize_t length = fd < 0 ? -1 : read(fd, buffer.data(), buffer.size());
  if (length <= 0) Fail("smaps_rollup: {}", std::strerror(errno));
  close(fd);
  const std::string_view text(buffer.data(), static_cast<std::size_t>(length));
  // Nobody else maps the shared memory meanwhile, so its share is the whole.
  const std::uint64_t shared = FieldBytes(text, "\nPss_Shmem:");
  return {FieldBytes(text, "\nRss:") - shared, shared};
}

OutsideMemory::OutsideMemory(std::size_t bytes)
    : memory_(mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0)),
      bytes_(bytes) {
  if (memory_ == MAP_FAILED) Fail("mmap: {}", std::strerror(errno));
}

OutsideMemory::~OutsideMemory() { munmap(memory_, bytes_); }

}  // namespace zcb::bench
