#include "allocator/record_lock.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace zcb::alloc {
namespace {

struct flock OneByte(short type, std::uint32_t byte) {
  struct flock lock = {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = static_cast<off_t>(byte);
  lock.l_len = 1;
  return lock;
}

int Call(int lock_fd, int command, struct flock* lock) {
  int result = 0;
  do {
    result = ::fcntl(lock_fd, command, lock);
  } while (result != 0 && errno == EINTR);
  return result;
}

}  // namespace

LockAttempt TryLockByte(int lock_fd, std::uint32_t byte) {
  struct flock lock = OneByte(F_WRLCK, byte);
  if (Call(lock_fd, F_SETLK, &lock) == 0) return LockAttempt::kTaken;
  return errno == EAGAIN || errno == EACCES ? LockAttempt::kHeldByAnother
                                            : LockAttempt::kFailed;
}

void UnlockByte(int lock_fd, std::uint32_t byte) {
  struct flock lock = OneByte(F_UNLCK, byte);
  Call(lock_fd, F_SETLK, &lock);
}

LockTest TestByte(int lock_fd, std::uint32_t byte) {
  return TestBytes(lock_fd, byte, 1);
}

LockTest TestBytes(int lock_fd, std::uint32_t first_byte,
                   std::uint32_t byte_count) {
  struct flock lock = OneByte(F_WRLCK, first_byte);
  lock.l_len = static_cast<off_t>(byte_count);
  if (Call(lock_fd, F_GETLK, &lock) != 0) return LockTest::kFailed;
  return lock.l_type == F_UNLCK ? LockTest::kFree : LockTest::kHeldByAnother;
}

}  // namespace zcb::alloc
