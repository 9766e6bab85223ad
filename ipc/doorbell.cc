#include "ipc/doorbell.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include "allocator/cancel_shield.h"
#include "allocator/unique_fd.h"

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

// A leftover of a region long gone may have the name.
int MakeFifo(const alloc::Region& region, const char* path) {
  alloc::UniqueFd made = region.MakeFifo(path);
  if (!made.is_open() && errno == EEXIST &&
      unlinkat(region.directory_fd(), path, 0) == 0) {
    made = region.MakeFifo(path);
  }
  return made.Release();
}

// Whatever the directory has of them. False: it cannot be read.
bool UnlinkListedBellsOf(const alloc::Region& region, alloc::LeaseId lease) {
  alloc::UniqueFd fd(
      openat(region.directory_fd(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.is_open()) return false;
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(fdopendir(fd.get()),
                                                      &closedir);
  if (directory == nullptr) return false;
  static_cast<void>(fd.Release());  // closedir() closes it
  // All but the number.
  std::string prefix(PathOf(region, {lease.slot, lease.generation, 0}).data());
  prefix.pop_back();
  while (const dirent* const entry = readdir(directory.get())) {
    const std::string_view name(entry->d_name);
    if (name.substr(0, prefix.size()) == prefix) {
      unlinkat(region.directory_fd(), entry->d_name, 0);
    }
  }
  return true;
}

}  // namespace

Result<std::unique_ptr<Doorbell>> Doorbell::Make(
    std::shared_ptr<alloc::Region> region, std::uint32_t number) {
  std::unique_ptr<Doorbell> bell(new Doorbell);
  const alloc::LeaseId lease = region->lease();
  bell->name_ = {lease.slot, lease.generation, number};
  const Path path = PathOf(*region, bell->name_);
  bell->descriptor_ = MakeFifo(*region, path.data());
  const int error = errno;
  bell->region_ = std::move(region);  // from here on the file goes with it
  if (bell->descriptor_ < 0) {
    const bool is_memory =
        error == ENOSPC || error == EDQUOT || error == ENOMEM;
    return {is_memory ? Status::kNoMemory : Status::kNoResources,
            "cannot make a doorbell (FIFO)"};
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
  // As many as lie in the largest FIFO that there is: others may write as fast
  // as we read.
  constexpr int kMostReads = (1 << 20) / sizeof(sink);
  for (int reads = 0; reads < kMostReads; ++reads) {
    const ssize_t got = read(descriptor_, sink.data(), sink.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return any;
    any = true;
    // Less than asked for: the FIFO was empty after it.
    if (static_cast<std::size_t>(got) < sink.size()) return any;
  }
  return any;
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
  // Read and write: opening never blocks or fails for want of a peer, and
  // writing never raises SIGPIPE, since we are a reader ourselves.
  return region.OpenFifo(PathOf(region, name).data(), O_RDWR).Release();
}

void RingDescriptor(int descriptor) {
  const alloc::CancelShield shield;  // also where destructors ring
  const char byte = 1;
  while (write(descriptor, &byte, 1) < 0 && errno == EINTR) {
  }
}

void UnlinkBellsOf(const alloc::Region& region, alloc::LeaseId lease,
                   std::uint32_t bell_count) {
  // A process that has had many handles has used many numbers, few of which
  // are still there; and the count is what a dead process wrote.
  constexpr std::uint32_t kMostTries = 256;
  if (bell_count > kMostTries && UnlinkListedBellsOf(region, lease)) return;
  for (std::uint32_t i = 0; i < std::min(bell_count, kMostTries); ++i) {
    unlinkat(region.directory_fd(),
             PathOf(region, {lease.slot, lease.generation, i}).data(), 0);
  }
}

}  // namespace zcb::ipc
