// Record locks on single bytes of NAME.lock: the kernel's word on who lives.
//
// A POSIX record lock belongs to the process, not to the descriptor: it ends
// with exit, with execve (the descriptor is close-on-exec), and with closing
// *any* descriptor of that file. A forked child does not have it.
#ifndef ZCB_ALLOCATOR_RECORD_LOCK_H_
#define ZCB_ALLOCATOR_RECORD_LOCK_H_

#include <cstdint>

namespace zcb::alloc {

enum class LockAttempt : std::uint8_t { kTaken, kHeldByAnother, kFailed };

// Never blocks. Not a lock between threads: a process does not conflict with
// itself.
LockAttempt TryLockByte(int lock_fd, std::uint32_t byte);
void UnlockByte(int lock_fd, std::uint32_t byte);

enum class LockTest : std::uint8_t { kFree, kHeldByAnother, kFailed };

// Asks without taking.
LockTest TestByte(int lock_fd, std::uint32_t byte);
// The same for any byte of a range.
LockTest TestBytes(int lock_fd, std::uint32_t first_byte,
                   std::uint32_t byte_count);

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_RECORD_LOCK_H_
