#include "ipc/doorbell.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>

#include "allocator/cancel_shield.h"

namespace zcb::ipc {
namespace {

using Path = std::array<char, 160>;

// NAME.bell.SLOT.GENERATION.NUMBER, beside the region's files. The generation
// keeps a dead process's bells apart from its successor's.
Path PathOf(const alloc::Region& region, const BellName& name) {
  Path path{};
  std::snprintf(path.data(), path.size(), "%s.bell.%u.%u.%u",
                region.file_stem().c_str(), unsigned{name.lease_slot},
                name.lease_generation, name.number);
  return path;
}

int OpenFifo(const alloc::Region& region, const char* path) {
  // Read and write: opening never blocks or fails for want of a peer, and
  // writing never raises SIGPIPE, since we are a reader ourselves.
  const int fd = openat(region.directory_fd(), path,
                        O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return -1;
  struct stat facts{};
  if (fstat(fd, &facts) != 0 || !S_ISFIFO(facts.st_mode)) {
    close(fd);
    errno = EINVAL;
    return -1;
  }
  return fd;
}

// A leftover of a region long gone may have the name.
bool MakeFifo(const alloc::Region& region, const char* path, mode_t mode) {
  if (mkfifoat(region.directory_fd(), path, mode) == 0) return true;
  return errno == EEXIST && unlinkat(region.directory_fd(), path, 0) == 0 &&
         mkfifoat(region.directory_fd(), path, mode) == 0;
}

}  // namespace

Result<std::unique_ptr<Doorbell>> Doorbell::Make(
    std::shared_ptr<alloc::Region> region, std::uint32_t number) {
  std::unique_ptr<Doorbell> bell(new Doorbell);
  const alloc::LeaseId lease = region->lease();
  bell->name_ = {lease.slot, lease.generation, number};
  const Path path = PathOf(*region, bell->name_);
  const auto wanted = static_cast<mode_t>(region->file_mode());
  if (!MakeFifo(*region, path.data(), wanted)) {
    return {errno == ENOSPC ? Status::kNoMemory : Status::kNoResources,
            "cannot make a doorbell (FIFO)"};
  }
  bell->region_ = std::move(region);  // from here on the file goes with it
  bell->descriptor_ = OpenFifo(*bell->region_, path.data());
  // The umask may have taken our own permission to open it.
  if (bell->descriptor_ < 0 && errno == EACCES &&
      fchmodat(bell->region_->directory_fd(), path.data(), wanted, 0) == 0) {
    bell->descriptor_ = OpenFifo(*bell->region_, path.data());
  }
  if (bell->descriptor_ < 0) {
    return {Status::kNoResources, "cannot open a doorbell (FIFO)"};
  }
  // Whoever may attach must be able to ring it. The umask may have cut the
  // mode; and a directory that has lost its set-group-ID bit passes no group
  // on.
  if (!bell->region_->DressFile(bell->descriptor_)) {
    return {Status::kNoResources, "cannot set a doorbell's group and mode"};
  }
  return bell;
}

Doorbell::~Doorbell() {
  const alloc::CancelShield shield;
  if (descriptor_ >= 0) close(descriptor_);
  if (region_ != nullptr && region_->IsOurs()) {
    unlinkat(region_->directory_fd(), PathOf(*region_, name_).data(), 0);
  }
}

bool Doorbell::Drain() {
  const alloc::CancelShield shield;
  std::array<char, 256> sink;
  bool any = false;
  for (;;) {
    const ssize_t got = read(descriptor_, sink.data(), sink.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return any;
    any = true;
    // Less than asked for: the FIFO was empty after it.
    if (static_cast<std::size_t>(got) < sink.size()) return any;
  }
}

void Doorbell::Ring() { RingDescriptor(descriptor_); }

bool Doorbell::Wait(Deadline deadline) const {
  pollfd poll_entry{descriptor_, POLLIN, 0};
  for (;;) {
    const int ready = poll(&poll_entry, 1, deadline.RemainingMs());
    if (ready > 0) return true;
    // Milliseconds, and at most so many of them: not yet is not never.
    if (ready == 0 && deadline.passed()) return false;
    if (ready < 0 && errno != EINTR) return false;
  }
}

int OpenRemoteBell(const alloc::Region& region, const BellName& name) {
  return OpenFifo(region, PathOf(region, name).data());
}

void RingDescriptor(int descriptor) {
  const alloc::CancelShield shield;  // also where destructors ring
  const char byte = 1;
  while (write(descriptor, &byte, 1) < 0 && errno == EINTR) {
  }
}

void UnlinkBellsOf(const alloc::Region& region, alloc::LeaseId lease,
                   std::uint32_t bell_count) {
  // The count is what the dead process wrote: cut it.
  constexpr std::uint32_t kMostBells = 4096;
  for (std::uint32_t i = 0; i < bell_count && i < kMostBells; ++i) {
    unlinkat(region.directory_fd(),
             PathOf(region, {lease.slot, lease.generation, i}).data(), 0);
  }
}

}  // namespace zcb::ipc
