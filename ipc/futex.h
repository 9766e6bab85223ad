// Waiting for a 32-bit word in shared memory to change: futex(2).
#ifndef ZCB_IPC_FUTEX_H_
#define ZCB_IPC_FUTEX_H_

#include <atomic>
#include <cstdint>

#include "ipc/deadline.h"

namespace zcb::ipc {

// Waits while the word is `seen`, at most until the deadline. False: the time
// is up. True: woken, or the word was another already; may be true for no
// reason. Restarts after signals. A cancellation point, like poll(2).
bool FutexWait(std::atomic<std::uint32_t>* word, std::uint32_t seen,
               Deadline deadline);

// Changes the word and wakes every thread, in whatever process, that waits for
// it. Never blocks. Killed between the two: the word has changed, so whoever
// begins to wait later does not; who slept already sleeps on until the next
// ring, which is why a ringer marks a sleeper as rung only afterwards.
void FutexRing(std::atomic<std::uint32_t>* word);

}  // namespace zcb::ipc

#endif  // ZCB_IPC_FUTEX_H_
