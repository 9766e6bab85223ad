#include "ipc/futex.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <limits>

namespace zcb::ipc {
namespace {

static_assert(sizeof(std::atomic<std::uint32_t>) == sizeof(std::uint32_t));

// Through a pointer that the compiler cannot look through: syscall(2) is
// declared as one that throws nothing, but a thread that is cancelled in it
// unwinds through it, and our callers have destructors to run.
using SystemCall = long (*)(long, ...);
SystemCall volatile system_call = &::syscall;

// No object with a destructor lives in this function: with the cancel type
// "asynchronous" the unwinding may begin at any of its instructions.
__attribute__((noinline)) long CancellableWait(const void* word,
                                               std::uint32_t seen,
                                               const timespec* at) {
  int old_type = 0;
  pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old_type);
  const long answer = system_call(SYS_futex, word, FUTEX_WAIT_BITSET, seen, at,
                                  nullptr, FUTEX_BITSET_MATCH_ANY);
  pthread_setcanceltype(old_type, nullptr);
  return answer;
}

}  // namespace

bool FutexWait(std::atomic<std::uint32_t>* word, std::uint32_t seen,
               Deadline deadline) {
  const timespec at = deadline.never() ? timespec{} : deadline.AsTimespec();
  // acquire <- bell.sleep, room.wait: what the ringer did before it rang
  while (word->load(std::memory_order_acquire) == seen) {
    const long answer =
        CancellableWait(word, seen, deadline.never() ? nullptr : &at);
    if (answer == 0 || errno == EAGAIN) return true;
    if (errno == ETIMEDOUT) return false;
    // A kernel that does not do it: the caller looks again, until its time.
    if (errno != EINTR) return !deadline.passed();
  }
  return true;
}

void FutexRing(std::atomic<std::uint32_t>* word) {
  // release -> bell.sleep, room.wait: what there is to find is there
  word->fetch_add(1, std::memory_order_release);
  ::syscall(SYS_futex, word, FUTEX_WAKE, std::numeric_limits<int>::max(),
            nullptr, nullptr, 0);
}

}  // namespace zcb::ipc
