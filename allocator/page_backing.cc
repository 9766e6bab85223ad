#include "allocator/page_backing.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <string_view>
#include <utility>

#include "allocator/cancel_shield.h"
#include "allocator/proc_file.h"
#include "allocator/region_files.h"

namespace zcb::alloc {
namespace {

// Newer than the headers of the oldest system that we build on.
constexpr int kMadvPopulateRead = 22;
constexpr int kMadvPopulateWrite = 23;
constexpr int kMadvCollapse = 25;

// "7f00c0000000-7f0100000000 rw-s ...": the range, or false for another line.
bool ParseRange(std::string_view line, std::uintptr_t* begin,
                std::uintptr_t* end) {
  const char* last = line.data() + line.size();
  const auto first = std::from_chars(line.data(), last, *begin, 16);
  if (first.ec != std::errc() || first.ptr == last || *first.ptr != '-') {
    return false;
  }
  const auto second = std::from_chars(first.ptr + 1, last, *end, 16);
  return second.ec == std::errc() && second.ptr != last && *second.ptr == ' ';
}

// "ShmemPmdMapped:     8192 kB" -> bytes, if the line has that name.
std::uint64_t ParseField(std::string_view line, std::string_view name) {
  if (!line.starts_with(name)) return 0;
  line.remove_prefix(name.size());
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  std::uint64_t kibibytes = 0;
  std::from_chars(line.data(), line.data() + line.size(), kibibytes);
  return kibibytes * 1024;
}

}  // namespace

Mapping::Mapping(Mapping&& other) noexcept
    : base_(std::exchange(other.base_, nullptr)),
      length_bytes_(std::exchange(other.length_bytes_, 0)) {}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
  if (this != &other) {
    Unmap();
    base_ = std::exchange(other.base_, nullptr);
    length_bytes_ = std::exchange(other.length_bytes_, 0);
  }
  return *this;
}

void Mapping::Unmap() {
  if (base_ != nullptr) {
    ::munmap(base_ - kGuardBytes, kGuardBytes + length_bytes_ + kGuardBytes);
  }
  base_ = nullptr;
  length_bytes_ = 0;
}

Result<Mapping> Mapping::Map(int fd, std::uint64_t length_bytes,
                             std::size_t alignment_bytes) {
  const std::uint64_t reserve_bytes =
      kGuardBytes + length_bytes + alignment_bytes + kGuardBytes;
  void* reserved = ::mmap(nullptr, reserve_bytes, PROT_NONE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (reserved == MAP_FAILED) {
    return FailureOf(errno, "no address space for a region file");
  }
  const auto start = reinterpret_cast<std::uintptr_t>(reserved);
  const std::uintptr_t aligned = (start + kGuardBytes + alignment_bytes - 1) &
                                 ~(std::uintptr_t{alignment_bytes} - 1);
  void* mapped = ::mmap(reinterpret_cast<void*>(aligned), length_bytes,
                        PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_FIXED | MAP_NORESERVE, fd, 0);
  if (mapped == MAP_FAILED) {
    const int error = errno;
    ::munmap(reserved, reserve_bytes);
    return FailureOf(error, "a region file cannot be mapped");
  }
  const std::uint64_t before_bytes = aligned - kGuardBytes - start;
  const std::uint64_t after_bytes = alignment_bytes - before_bytes;
  if (before_bytes != 0) ::munmap(reserved, before_bytes);
  if (after_bytes != 0) {
    ::munmap(reinterpret_cast<void*>(aligned + length_bytes + kGuardBytes),
             after_bytes);
  }
  Mapping mapping;
  mapping.base_ = static_cast<std::byte*>(mapped);
  mapping.length_bytes_ = length_bytes;
  return mapping;
}

void PageBacking::Advise() const {
  if (rung_ == PageRung::kHugetlbfs) return;
  ::madvise(base_, length_bytes_,
            rung_ == PageRung::kSmall ? MADV_NOHUGEPAGE : MADV_HUGEPAGE);
}

namespace {

// Why the kernel does not back a page. For a descriptor that is not the file's
// any more, as when the program has closed it, the region is lost. Anything
// else is a lack of memory, of whatever kind: nothing has happened.
Failure NotBacked(int error) {
  if (error == EBADF || error == ESPIPE || error == ENODEV) {
    return {Status::kLibrary, "a region file's descriptor was closed"};
  }
  return {Status::kNoMemory, "the file system under the region gives no more"};
}

}  // namespace

Outcome PageBacking::FallocateOnce(std::uint64_t offset_bytes,
                                   std::uint64_t length_bytes) const {
  const CancelShield shield;
  // Keeping the size: a file that somebody cut stays cut, and is noticed.
  while (::fallocate(fd_, FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset_bytes),
                     static_cast<off_t>(length_bytes)) != 0) {
    if (errno == EINTR) continue;  // nothing was kept; at most a unit's work
    return NotBacked(errno);
  }
  return {};
}

Outcome PageBacking::Commit(std::uint64_t offset_bytes,
                            std::uint64_t length_bytes) const {
  // A size that is not to be had says nothing.
  struct stat facts = {};
  if (::fstat(fd_, &facts) == 0 &&
      static_cast<std::uint64_t>(facts.st_size) < length_bytes_) {
    return {Status::kLibrary, "a region file was truncated"};
  }
  const std::uint64_t end_bytes = offset_bytes + length_bytes;
  while (offset_bytes < end_bytes) {
    const std::uint64_t step_bytes =
        std::min<std::uint64_t>(kHugePageBytes, end_bytes - offset_bytes);
    bool done = false;
    if (populates_) {
      int result = 0;
      do {
        result =
            ::madvise(base_ + offset_bytes, step_bytes, kMadvPopulateWrite);
      } while (result != 0 && errno == EINTR);
      if (result != 0 && errno != EINVAL) {
        return NotBacked(errno);
      }
      done = result == 0;  // EINVAL: a kernel that cannot populate
    }
    if (!done) {
      if (Outcome taken = FallocateOnce(offset_bytes, step_bytes); !taken) {
        return taken;
      }
    }
    offset_bytes += step_bytes;
  }
  return {};
}

Outcome PageBacking::Punch(std::uint64_t offset_bytes,
                           std::uint64_t length_bytes) const {
  const CancelShield shield;
  while (::fallocate(fd_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                     static_cast<off_t>(offset_bytes),
                     static_cast<off_t>(length_bytes)) != 0) {
    if (errno == EINTR) continue;
    return FailureOf(errno, "memory cannot be given back");
  }
  return {};
}

void PageBacking::Collapse(std::uint64_t offset_bytes,
                           std::uint64_t length_bytes) const {
  // Unit by unit: one that fails must not cost the others.
  for (std::uint64_t done = 0; done < length_bytes; done += kHugePageBytes) {
    ::madvise(base_ + offset_bytes + done, kHugePageBytes, kMadvCollapse);
  }
}

Outcome PageBacking::Lock() const {
  if (::mlock2(base_, length_bytes_, MLOCK_ONFAULT) == 0) return {};
  switch (errno) {
    case ENOMEM:  // above the limit
    case EPERM:   // a limit of 0
    case EAGAIN:
      return {Status::kNoResources,
              "RLIMIT_MEMLOCK is below the region's size"};
    case ENOSYS:
      return {Status::kNotSupported, "no mlock2 in this kernel"};
    default:
      return FailureOf(errno, "the region cannot be locked in memory");
  }
}

void PageBacking::Unlock() const { ::munlock(base_, length_bytes_); }

void PageBacking::MapCommitted(std::uint64_t offset_bytes,
                               std::uint64_t length_bytes) const {
  ::madvise(base_ + offset_bytes, length_bytes, kMadvPopulateRead);
}

std::uint64_t PageBacking::HugeMappedBytes() const {
  const auto base = reinterpret_cast<std::uintptr_t>(base_);
  std::uint64_t huge_bytes = 0;
  bool inside = false;
  ForEachLine("/proc/self/smaps", [&](std::string_view line) {
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
    if (ParseRange(line, &begin, &end)) {
      inside = begin >= base && end <= base + length_bytes_;
    } else if (inside) {
      huge_bytes += ParseField(line, "ShmemPmdMapped:") +
                    ParseField(line, "Shared_Hugetlb:") +
                    ParseField(line, "Private_Hugetlb:");
    }
  });
  return huge_bytes;
}

std::uint64_t PageBacking::BackedBytes() const {
  struct stat facts = {};
  if (::fstat(fd_, &facts) != 0) return 0;
  return static_cast<std::uint64_t>(facts.st_blocks) * 512;
}

bool IsHugetlbfsOfUnits(int fd) {
  struct statfs facts = {};
  return ::fstatfs(fd, &facts) == 0 && facts.f_type == HUGETLBFS_MAGIC &&
         static_cast<std::uint64_t>(facts.f_bsize) == kHugePageBytes;
}

}  // namespace zcb::alloc
