#include "allocator/life_fifo.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/single_threaded.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <mutex>
#include <utility>

#include "allocator/region_fifo.h"

namespace zcb::alloc {
namespace {

// The write ends of this process, for the atfork handler: descriptor + 1, or
// 0. One per region, so few.
constexpr std::size_t kMaxWriteEnds = 256;
constinit std::mutex g_mutex;
constinit std::array<int, kMaxWriteEnds> g_write_ends{};
constinit bool g_handlers_are_set = false;

// Held over fork, so that no write end is open and not yet in the list.
void BeforeFork() { g_mutex.lock(); }
void AfterForkInParent() { g_mutex.unlock(); }
void AfterForkInChild() {
  for (int& entry : g_write_ends) {
    if (entry != 0) ::close(entry - 1);
    entry = 0;
  }
  g_mutex.unlock();
}

// With g_mutex held.
int* FindEntry(int value) {
  for (int& entry : g_write_ends) {
    if (entry == value) return &entry;
  }
  return nullptr;
}

// The kernel gives back a dying process's files with the highest number first,
// after it has dropped all its record locks. So the number is to be above those
// of all that the process has open, watched processes' descriptors above all,
// which take long. What a descriptor limit, or a select(2), allows.
constexpr int kHighNumbers[] = {1000, 250};

// A copy of `fd` under the highest of these that can be had and is above
// `floor_fd`; not open: there is none.
//
// If threads share the table of descriptors and it has to grow, the kernel
// waits until no processor reads the old one: 10 to 25 ms.
UniqueFd CopyHigh(int fd, int floor_fd) {
  for (const int number : kHighNumbers) {
    if (number <= floor_fd) break;
    UniqueFd higher(::fcntl(fd, F_DUPFD_CLOEXEC, number));
    if (higher.is_open()) return higher;
  }
  return UniqueFd();
}

// A write end of the FIFO `draft`, which is made, numbered above `floor_fd`: a
// kernel may close in rising order.
Result<UniqueFd> MakeWriteEnd(const RegionDirectory& directory,
                              const std::string& draft, int floor_fd) {
  const FileRules& rules = directory.rules();
  // Both ends first: a write end alone cannot be opened without a reader.
  const UniqueFd both = MakeFifo(directory.fd(), draft.c_str(), rules);
  if (!both.is_open()) {
    return FailureOf(errno, "a life FIFO cannot be made");
  }
  UniqueFd write_end = OpenFifo(directory.fd(), draft.c_str(), rules, O_WRONLY);
  // ENOENT and EINVAL: no FIFO under that name any more.
  if (!write_end.is_open() && errno != ENOENT && errno != EINVAL) {
    return FailureOf(errno, "a life FIFO cannot be opened");
  }
  if (!write_end.is_open() ||
      IdOfDescriptor(write_end.get()) != IdOfDescriptor(both.get())) {
    return {Status::kAccess, "a life FIFO was replaced by something else"};
  }
  // Otherwise it is the watcher's thread that waits (Raise).
  if (__libc_single_threaded) {
    UniqueFd higher = CopyHigh(write_end.get(), floor_fd);
    if (higher.is_open()) return higher;
  }
  if (write_end.get() < floor_fd) {
    UniqueFd higher(::fcntl(write_end.get(), F_DUPFD_CLOEXEC, floor_fd + 1));
    if (!higher.is_open()) {
      return {Status::kNoResources, "no descriptor for a life FIFO"};
    }
    write_end = std::move(higher);
  }
  return write_end;
}

}  // namespace

std::string LifeFifo::Name(const RegionDirectory& directory,
                           std::uint16_t slot) {
  return directory.stem() + ".life." + std::to_string(slot);
}

void LifeFifo::Clear(const RegionDirectory& directory, std::uint16_t slot) {
  ::unlinkat(directory.fd(), Name(directory, slot).c_str(), 0);
}

Outcome LifeFifo::Publish(const RegionDirectory& directory, std::uint16_t slot,
                          int lock_fd) {
  std::string name = Name(directory, slot);
  const std::string draft = name + "." + std::to_string(::getpid());

  const std::lock_guard<std::mutex> held(g_mutex);
  if (is_published()) return {};
  int* entry = FindEntry(0);
  if (entry == nullptr) {
    return {Status::kNoResources, "too many regions with a life FIFO"};
  }
  if (!g_handlers_are_set) {
    if (::pthread_atfork(BeforeFork, AfterForkInParent, AfterForkInChild) !=
        0) {
      return {Status::kNoMemory, "no fork handler for a life FIFO"};
    }
    g_handlers_are_set = true;
  }
  // Whole before it has its final name. The slot is ours, so nobody else makes
  // the same.
  ::unlinkat(directory.fd(), draft.c_str(), 0);
  Result<UniqueFd> write_end = MakeWriteEnd(directory, draft, lock_fd);
  if (!write_end) {
    if (write_end.status() == Status::kNotExist) {
      return {Status::kLibrary, "the region's directory was removed"};
    }
    ::unlinkat(directory.fd(), draft.c_str(), 0);
    return write_end.failure();
  }
  if (::renameat(directory.fd(), draft.c_str(), directory.fd(), name.c_str()) !=
      0) {
    const int error = errno;
    ::unlinkat(directory.fd(), draft.c_str(), 0);
    if (error == ENOENT) {  // "not there" would be said of a group
      return {Status::kLibrary, "a life FIFO was taken away"};
    }
    if (error == EISDIR) {
      return {Status::kAccess, "a life FIFO's name is a directory's"};
    }
    return FailureOf(error, "a life FIFO cannot be given its name");
  }
  name_ = std::move(name);
  write_end_ = write_end->Release();
  *entry = write_end_ + 1;
  return {};
}

void LifeFifo::Raise() {
  const std::lock_guard<std::mutex> held(g_mutex);
  if (!is_published()) return;
  UniqueFd higher = CopyHigh(write_end_, write_end_);
  if (!higher.is_open()) return;
  int* const entry = FindEntry(write_end_ + 1);
  ::close(write_end_);
  write_end_ = higher.Release();
  *entry = write_end_ + 1;
}

void LifeFifo::Withdraw(const RegionDirectory& directory) {
  if (!is_published()) return;
  const std::lock_guard<std::mutex> held(g_mutex);
  ::unlinkat(directory.fd(), name_.c_str(), 0);
  ::close(write_end_);
  if (int* entry = FindEntry(write_end_ + 1)) *entry = 0;
  write_end_ = -1;
}

Result<UniqueFd> LifeFifo::OpenReadEnd(const RegionDirectory& directory,
                                       std::uint16_t slot) {
  UniqueFd fd = OpenFifo(directory.fd(), Name(directory, slot).c_str(),
                         directory.rules(), O_RDONLY);
  if (fd.is_open()) return fd;
  if (errno == EINVAL || errno == EACCES) {
    return {Status::kAccess, "a life FIFO is not one, or is somebody else's"};
  }
  return FailureOf(errno, "a life FIFO cannot be opened");
}

}  // namespace zcb::alloc
