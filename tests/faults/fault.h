// Calls to the system that fail on purpose. A program linked with this (and
// with the linker's --wrap for each function, see BUILD) counts what it asks
// the C library, the kernel and operator new for, and can have the i-th of
// these calls fail.
//
// Only the calls of a thread that is armed count or fail.
#ifndef ZCB_TESTS_FAULTS_FAULT_H_
#define ZCB_TESTS_FAULTS_FAULT_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace zcb::faults {

enum class Call : std::uint8_t {
  kAlignedAlloc,
  kCachestat,
  kClose,
  kEpollCreate,
  kEpollCtl,
  kEventfd,
  kFaccessat,
  kFallocate,
  kFchmod,
  kFchmodat,
  kFchown,
  kFcntl,
  kFdopendir,
  kFstat,
  kFstatat,
  kFstatfs,
  kFtruncate,
  kFutex,
  kGetcpu,
  kGetgrnam,
  kGetrandom,
  kGetrlimit,
  kLinkat,
  kMadvise,
  kMbind,
  kMembarrier,
  kMkdirat,
  kMkfifoat,
  kMlock2,
  kMmap,
  kNew,
  kOpen,
  kOpenat,
  kPidfdOpen,
  kPoll,
  kPopulate,  // madvise(2) that makes memory
  kPread,
  kPthreadAtfork,
  kPthreadCreate,
  kPthreadKeyCreate,
  kPthreadSetspecific,
  kRead,
  kReaddir,
  kRenameat,
  kRenameat2,
  kStat,
  kTimerfdCreate,
  kTimerfdSettime,
  kUnlinkat,
  kWrite,
};
inline constexpr std::size_t kCallCount =
    static_cast<std::size_t>(Call::kWrite) + 1;

const char* NameOf(Call call);
// What can go wrong with it, as its manual says; the first is what it says for
// ever when it does so.
std::span<const int> ErrorsOf(Call call);

struct Fault {
  Call call = Call::kMmap;
  std::uint32_t first = 0;  // counted from 1; 0: nothing fails
  bool for_ever = false;    // and all that follow
  int error = 0;            // errno

  std::string Describe() const;
};

using Counts = std::array<std::uint32_t, kCallCount>;

// This thread's calls count, and fail, from now on until Disarm(). Sleeping
// takes no time meanwhile.
void Arm(const Fault& fault);
struct Outcome {
  Counts counts{};
  std::uint32_t failed = 0;  // calls that were made to fail
};
Outcome Disarm();

// What the process has of what the wrapped calls give: bytes mapped and not
// unmapped, and blocks of operator new. Of all threads, armed or not.
std::int64_t MappedBytes();
std::int64_t LiveBlocks();

}  // namespace zcb::faults

#endif  // ZCB_TESTS_FAULTS_FAULT_H_
