#include "allocator/sigbus_guard.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>

namespace zcb::alloc {
namespace {

// word    written by       read by      edge
// base    Add(), Remove()  the handler  sigbus.add (the rest of the entry)
// taken   Add(), Remove()  Add()        sigbus.remove
struct Entry {
  std::atomic<const std::byte*> base{nullptr};
  std::atomic<bool> taken{false};
  SigbusGuard::Range range;
};

constinit std::array<Entry, SigbusGuard::kMostRanges> entries;
constinit struct sigaction previous = {};
constinit bool is_installed = false;
// Whether a previous handler that wants to be called once (SA_RESETHAND) was.
constinit std::atomic<bool> is_previous_spent{false};

// How many bytes of the file there are from its start; all that a mapping can
// show, if the descriptor is no longer what it was.
std::uint64_t FileBytes(const SigbusGuard::Range& range) {
  struct stat facts = {};
  if (::fstat(range.fd, &facts) != 0 || !(FileId::Of(facts) == range.id)) {
    return range.length_bytes;
  }
  return static_cast<std::uint64_t>(facts.st_size);
}

// Zeroed memory where the fault was. If the file ends before it, also all the
// way to the end of the mapping: nobody has anything there, and one piece is
// one entry of the kernel's map list, which is short. Else (a full file system
// has no page for a hole) on that page alone, since others may use the next.
bool PutZeros(const SigbusGuard::Range& range, std::uint64_t offset_bytes) {
  const std::uint64_t page = range.page_bytes;
  std::uint64_t begin = offset_bytes / page * page;
  std::uint64_t end = begin + page;
  const std::uint64_t file_end = (FileBytes(range) + page - 1) / page * page;
  if (file_end <= begin) {
    begin = file_end;
    end = range.length_bytes;
  }
  void* const at = const_cast<std::byte*>(range.base) + begin;
  return ::mmap(at, std::min(end, range.length_bytes) - begin,
                PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1,
                0) == at;
}

bool Mend(const siginfo_t& info) {
  // BUS_ADRERR: a page that the file does not have. Not a broken memory cell,
  // and not somebody's kill(2).
  if (info.si_code != BUS_ADRERR) return false;
  const auto address = reinterpret_cast<std::uintptr_t>(info.si_addr);
  for (const Entry& entry : entries) {
    // acquire <- sigbus.add: the entry is whole
    const std::byte* const base = entry.base.load(std::memory_order_acquire);
    if (base == nullptr) continue;
    const std::uint64_t offset =
        address - reinterpret_cast<std::uintptr_t>(base);
    if (offset >= entry.range.length_bytes) continue;
    entry.range.mark->Set();
    return PutZeros(entry.range, offset);
  }
  return false;
}

// What the kernel does with a signal that nobody handles.
void Default(const siginfo_t& info) {
  struct sigaction action = {};
  action.sa_handler = SIG_DFL;
  ::sigaction(SIGBUS, &action, nullptr);
  // A fault is met again when we return; what was sent must be sent again.
  if (info.si_code <= 0) ::raise(SIGBUS);
}

void CallPrevious(int number, siginfo_t* info, void* context) {
  const bool is_sent = info->si_code <= 0;
  if ((previous.sa_flags & SA_SIGINFO) == 0) {
    if (previous.sa_handler == SIG_DFL) return Default(*info);
    // Ignoring a fault does not help against it: the kernel kills.
    if (previous.sa_handler == SIG_IGN) {
      if (!is_sent) Default(*info);
      return;
    }
  }
  // relaxed: of two threads one is first
  if ((static_cast<unsigned>(previous.sa_flags) & SA_RESETHAND) != 0 &&
      is_previous_spent.exchange(true, std::memory_order_relaxed)) {
    return Default(*info);
  }
  // With the signals blocked that it wanted blocked.
  sigset_t mask = previous.sa_mask;
  sigset_t before;
  ::pthread_sigmask(SIG_BLOCK, &mask, &before);
  if ((previous.sa_flags & SA_NODEFER) != 0) {
    sigset_t own;
    sigemptyset(&own);
    sigaddset(&own, SIGBUS);
    ::pthread_sigmask(SIG_UNBLOCK, &own, nullptr);
  }
  if ((previous.sa_flags & SA_SIGINFO) != 0) {
    previous.sa_sigaction(number, info, context);
  } else {
    previous.sa_handler(number);
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void OnSigbus(int number, siginfo_t* info, void* context) {
  const int saved_errno = errno;
  if (!Mend(*info)) CallPrevious(number, info, context);
  errno = saved_errno;
}

}  // namespace

Outcome SigbusGuard::Install() {
  if (is_installed) return {};
  // Known before ours can run.
  if (::sigaction(SIGBUS, nullptr, &previous) != 0) {
    return {Status::kNoResources, "no handler for SIGBUS can be installed"};
  }
  struct sigaction action = {};
  action.sa_sigaction = &OnSigbus;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
  sigemptyset(&action.sa_mask);
  if (::sigaction(SIGBUS, &action, nullptr) != 0) {
    return {Status::kNoResources, "no handler for SIGBUS can be installed"};
  }
  is_installed = true;
  return {};
}

bool SigbusGuard::Add(const Range& range) {
  for (Entry& entry : entries) {
    // acquire <- sigbus.remove: its last user has done with it
    if (entry.taken.exchange(true, std::memory_order_acquire)) continue;
    entry.range = range;
    // release -> sigbus.add: the rest of it is there
    entry.base.store(range.base, std::memory_order_release);
    return true;
  }
  return false;
}

void SigbusGuard::Remove(const std::byte* base) {
  for (Entry& entry : entries) {
    // relaxed: the caller added it
    if (base == nullptr || entry.base.load(std::memory_order_relaxed) != base) {
      continue;
    }
    entry.base.store(nullptr, std::memory_order_relaxed);  // the next orders
    // release -> sigbus.remove: the entry is free
    entry.taken.store(false, std::memory_order_release);
    return;
  }
}

}  // namespace zcb::alloc
