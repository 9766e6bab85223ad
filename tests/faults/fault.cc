#include "tests/faults/fault.h"

#include <atomic>
#include <cerrno>
#include <cstring>

#include "tests/faults/fault_hooks.h"

namespace zcb::faults {
namespace {

constexpr std::array kDescriptors{EMFILE, ENFILE, ENOMEM};
constexpr std::array kOpening{EMFILE, ENFILE, ENOMEM, ENOSPC,
                              EACCES, EPERM,  EIO,    EINTR};
constexpr std::array kNaming{ENOSPC, EDQUOT, ENOMEM, EACCES, EPERM, EROFS, EIO};
constexpr std::array kLooking{EIO, ENOMEM, EACCES};
constexpr std::array kBroken{EIO};
constexpr std::array kChanging{EPERM, EIO, EROFS};
constexpr std::array kMoving{EIO, EINTR, EAGAIN};
constexpr std::array kInterrupted{EINTR};
constexpr std::array kMapping{ENOMEM, EAGAIN};
constexpr std::array kAdvising{ENOMEM, EFAULT, EINVAL, EINTR};
constexpr std::array kGrowing{ENOSPC, EIO, ENOMEM, EINTR};
constexpr std::array kLocking{ENOLCK, EAGAIN, EINTR, EIO};
constexpr std::array kMemory{ENOMEM};
constexpr std::array kThreads{EAGAIN, EPERM};
constexpr std::array kSandbox{ENOSYS, EPERM};
constexpr std::array kRandom{ENOSYS, EINTR, EAGAIN};
constexpr std::array kPids{EMFILE, ENFILE, ENOMEM, ENOSYS, EPERM, ESRCH};
constexpr std::array kWaking{ENOSYS, EINTR, EINVAL};
constexpr std::array kPolling{ENOMEM, EINTR};
constexpr std::array kWatching{ENOMEM, ENOSPC, EPERM};
constexpr std::array kPinning{ENOMEM, EPERM, EAGAIN, ENOSYS, EINVAL};
constexpr std::array kAsking{ENOSYS, EPERM, EIO};
constexpr std::array kGroups{EIO, EMFILE, ENFILE, ENOMEM, EINTR};

struct Facts {
  const char* name;
  std::span<const int> errors;
};

// In the order of Call.
constexpr std::array<Facts, kCallCount> kFacts{{
    {"aligned_alloc", kMemory},
    {"cachestat", kSandbox},
    {"close", kMoving},
    {"epoll_create1", kDescriptors},
    {"epoll_ctl", kWatching},
    {"eventfd", kDescriptors},
    {"faccessat", kAsking},
    {"fallocate", kGrowing},
    {"fchmod", kChanging},
    {"fchmodat", kChanging},
    {"fchown", kChanging},
    {"fcntl", kLocking},
    {"fdopendir", kMemory},
    {"fstat", kBroken},
    {"fstatat", kLooking},
    {"fstatfs", kAsking},
    {"ftruncate", kGrowing},
    {"futex", kWaking},
    {"getcpu", kSandbox},
    {"getgrnam_r", kGroups},
    {"getrandom", kRandom},
    {"getrlimit", kSandbox},
    {"linkat", kNaming},
    {"madvise", kMapping},
    {"mbind", kSandbox},
    {"membarrier", kSandbox},
    {"mkdirat", kNaming},
    {"mkfifoat", kNaming},
    {"mlock2", kPinning},
    {"mmap", kMapping},
    {"operator new", kMemory},
    {"open", kOpening},
    {"openat", kOpening},
    {"pidfd_open", kPids},
    {"poll", kPolling},
    {"populate", kAdvising},
    {"pread", kMoving},
    {"pthread_atfork", kMemory},
    {"pthread_create", kThreads},
    {"pthread_key_create", kThreads},
    {"pthread_setspecific", kMemory},
    {"read", kMoving},
    {"readdir", kBroken},
    {"renameat", kNaming},
    {"renameat2", kNaming},
    {"stat", kLooking},
    {"timerfd_create", kDescriptors},
    {"timerfd_settime", kSandbox},
    {"unlinkat", kChanging},
    {"write", kInterrupted},
}};

struct Armed {
  bool is_armed = false;
  Fault fault;
  Outcome outcome;
};
// No constructor to run at a thread's first call: operator new comes here.
constinit thread_local Armed t_armed;

// relaxed, both: figures
constinit std::atomic<std::int64_t> g_mapped_bytes{0};
constinit std::atomic<std::int64_t> g_live_blocks{0};

}  // namespace

const char* NameOf(Call call) {
  return kFacts[static_cast<std::size_t>(call)].name;
}
std::span<const int> ErrorsOf(Call call) {
  return kFacts[static_cast<std::size_t>(call)].errors;
}

std::string Fault::Describe() const {
  if (first == 0) return "no fault";
  return std::string(NameOf(call)) + " " + std::to_string(first) +
         (for_ever ? " and later: " : ": ") + strerrorname_np(error);
}

void Arm(const Fault& fault) {
  t_armed.fault = fault;
  t_armed.outcome = {};
  t_armed.is_armed = true;
}

Outcome Disarm() {
  t_armed.is_armed = false;
  return t_armed.outcome;
}

std::int64_t MappedBytes() {
  return g_mapped_bytes.load(std::memory_order_relaxed);
}
std::int64_t LiveBlocks() {
  return g_live_blocks.load(std::memory_order_relaxed);
}

// --- for the hooks -----------------------------------------------------------

bool IsArmed() { return t_armed.is_armed; }

int ErrorFor(Call call) {
  if (!t_armed.is_armed) return 0;
  const std::uint32_t number =
      ++t_armed.outcome.counts[static_cast<std::size_t>(call)];
  const Fault& fault = t_armed.fault;
  if (fault.first == 0 || fault.call != call || number < fault.first ||
      (number > fault.first && !fault.for_ever)) {
    return 0;
  }
  ++t_armed.outcome.failed;
  return fault.error;
}

void NoteMapped(std::int64_t bytes) {
  g_mapped_bytes.fetch_add(bytes, std::memory_order_relaxed);
}
void NoteBlocks(std::int64_t blocks) {
  g_live_blocks.fetch_add(blocks, std::memory_order_relaxed);
}

}  // namespace zcb::faults
