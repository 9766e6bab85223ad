// The functions that the linker puts in the place of the C library's: each
// fails if it is told to, and else does the work.
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdlib>
#include <ctime>
#include <new>

#include "tests/faults/fault_hooks.h"

// NOLINTBEGIN(bugprone-reserved-identifier): the linker's names

using zcb::faults::Call;
using zcb::faults::ErrorFor;

namespace {

// What a call that fails returns, with errno set.
template <typename Returned>
Returned Failed(int error, Returned returned) {
  errno = error;
  return returned;
}

}  // namespace

// __real_NAME is the C library's, __wrap_NAME is what everybody calls.
#define ZCB_WRAP(call, returned, failure, name, parameters, arguments) \
  extern "C" returned __real_##name parameters;                        \
  extern "C" returned __wrap_##name parameters;                        \
  returned __wrap_##name parameters {                                  \
    if (const int error = ErrorFor(Call::call)) {                      \
      return Failed<returned>(error, failure);                         \
    }                                                                  \
    return __real_##name arguments;                                    \
  }
// For those that return the error.
#define ZCB_WRAP_POSIX(call, name, parameters, arguments)     \
  extern "C" int __real_##name parameters;                    \
  extern "C" int __wrap_##name parameters;                    \
  int __wrap_##name parameters {                              \
    if (const int error = ErrorFor(Call::call)) return error; \
    return __real_##name arguments;                           \
  }

ZCB_WRAP(kEpollCreate, int, -1, epoll_create1, (int flags), (flags))
ZCB_WRAP(kEpollCtl, int, -1, epoll_ctl,
         (int epoll_fd, int operation, int fd, epoll_event* event),
         (epoll_fd, operation, fd, event))
ZCB_WRAP(kEventfd, int, -1, eventfd, (unsigned count, int flags),
         (count, flags))
ZCB_WRAP(kFaccessat, int, -1, faccessat,
         (int fd, const char* path, int mode, int flags),
         (fd, path, mode, flags))
ZCB_WRAP(kFallocate, int, -1, fallocate,
         (int fd, int mode, off_t offset, off_t length),
         (fd, mode, offset, length))
ZCB_WRAP(kFchmod, int, -1, fchmod, (int fd, mode_t mode), (fd, mode))
ZCB_WRAP(kFchmodat, int, -1, fchmodat,
         (int fd, const char* path, mode_t mode, int flags),
         (fd, path, mode, flags))
ZCB_WRAP(kFchown, int, -1, fchown, (int fd, uid_t user, gid_t group),
         (fd, user, group))
ZCB_WRAP(kFdopendir, DIR*, nullptr, fdopendir, (int fd), (fd))
ZCB_WRAP(kFstat, int, -1, fstat, (int fd, struct stat* facts), (fd, facts))
ZCB_WRAP(kFstatat, int, -1, fstatat,
         (int fd, const char* path, struct stat* facts, int flags),
         (fd, path, facts, flags))
ZCB_WRAP(kFstatfs, int, -1, fstatfs, (int fd, struct statfs* facts),
         (fd, facts))
ZCB_WRAP(kFtruncate, int, -1, ftruncate, (int fd, off_t length), (fd, length))
ZCB_WRAP(kGetcpu, int, -1, getcpu, (unsigned* cpu, unsigned* node), (cpu, node))
ZCB_WRAP(kGetrandom, ssize_t, -1, getrandom,
         (void* to, std::size_t length, unsigned flags), (to, length, flags))
ZCB_WRAP(kGetrlimit, int, -1, getrlimit, (int what, struct rlimit* limit),
         (what, limit))
ZCB_WRAP(kLinkat, int, -1, linkat,
         (int old_fd, const char* old_path, int new_fd, const char* new_path,
          int flags),
         (old_fd, old_path, new_fd, new_path, flags))
ZCB_WRAP(kMkdirat, int, -1, mkdirat, (int fd, const char* path, mode_t mode),
         (fd, path, mode))
ZCB_WRAP(kMkfifoat, int, -1, mkfifoat, (int fd, const char* path, mode_t mode),
         (fd, path, mode))
ZCB_WRAP(kMlock2, int, -1, mlock2,
         (const void* base, std::size_t length, unsigned flags),
         (base, length, flags))
ZCB_WRAP(kPoll, int, -1, poll, (pollfd * entries, nfds_t count, int limit_ms),
         (entries, count, limit_ms))
ZCB_WRAP(kPread, ssize_t, -1, pread,
         (int fd, void* to, std::size_t length, off_t offset),
         (fd, to, length, offset))
ZCB_WRAP(kRead, ssize_t, -1, read, (int fd, void* to, std::size_t length),
         (fd, to, length))
ZCB_WRAP(kReaddir, dirent*, nullptr, readdir, (DIR * listing), (listing))
ZCB_WRAP(kRenameat, int, -1, renameat,
         (int old_fd, const char* old_path, int new_fd, const char* new_path),
         (old_fd, old_path, new_fd, new_path))
ZCB_WRAP(kRenameat2, int, -1, renameat2,
         (int old_fd, const char* old_path, int new_fd, const char* new_path,
          unsigned flags),
         (old_fd, old_path, new_fd, new_path, flags))
ZCB_WRAP(kStat, int, -1, stat, (const char* path, struct stat* facts),
         (path, facts))
ZCB_WRAP(kTimerfdCreate, int, -1, timerfd_create, (clockid_t clock, int flags),
         (clock, flags))
ZCB_WRAP(kTimerfdSettime, int, -1, timerfd_settime,
         (int fd, int flags, const itimerspec* when, itimerspec* before),
         (fd, flags, when, before))
ZCB_WRAP(kUnlinkat, int, -1, unlinkat, (int fd, const char* path, int flags),
         (fd, path, flags))
ZCB_WRAP(kWrite, ssize_t, -1, write,
         (int fd, const void* from, std::size_t length), (fd, from, length))
ZCB_WRAP(kAlignedAlloc, void*, nullptr, aligned_alloc,
         (std::size_t alignment, std::size_t size), (alignment, size))

ZCB_WRAP_POSIX(kGetgrnam, getgrnam_r,
               (const char* name, group* entry, char* buffer, std::size_t size,
                group** found),
               (name, entry, buffer, size, found))
ZCB_WRAP_POSIX(kPthreadCreate, pthread_create,
               (pthread_t * thread, const pthread_attr_t* attributes,
                void* (*body)(void*), void* argument),
               (thread, attributes, body, argument))
ZCB_WRAP_POSIX(kPthreadAtfork, pthread_atfork,
               (void (*before)(), void (*parent)(), void (*child)()),
               (before, parent, child))
ZCB_WRAP_POSIX(kPthreadKeyCreate, pthread_key_create,
               (pthread_key_t * key, void (*destroy)(void*)), (key, destroy))
ZCB_WRAP_POSIX(kPthreadSetspecific, pthread_setspecific,
               (pthread_key_t key, const void* value), (key, value))

extern "C" {

// A descriptor is closed, whatever close(2) says.
int __real_close(int fd);
int __wrap_close(int fd);
int __wrap_close(int fd) {
  const int closed = __real_close(fd);
  if (const int error = ErrorFor(Call::kClose)) return Failed(error, -1);
  return closed;
}

int __real_open(const char* path, int flags, ...);
int __wrap_open(const char* path, int flags, mode_t mode);
int __wrap_open(const char* path, int flags, mode_t mode) {
  if (const int error = ErrorFor(Call::kOpen)) return Failed(error, -1);
  return __real_open(path, flags, mode);
}
int __real_openat(int fd, const char* path, int flags, ...);
int __wrap_openat(int fd, const char* path, int flags, mode_t mode);
int __wrap_openat(int fd, const char* path, int flags, mode_t mode) {
  if (const int error = ErrorFor(Call::kOpenat)) return Failed(error, -1);
  return __real_openat(fd, path, flags, mode);
}

int __real_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, void* argument);
int __wrap_fcntl(int fd, int command, void* argument) {
  if (const int error = ErrorFor(Call::kFcntl)) return Failed(error, -1);
  return __real_fcntl(fd, command, argument);
}

void* __real_mmap(void* base, std::size_t length, int protection, int flags,
                  int fd, off_t offset);
void* __wrap_mmap(void* base, std::size_t length, int protection, int flags,
                  int fd, off_t offset);
void* __wrap_mmap(void* base, std::size_t length, int protection, int flags,
                  int fd, off_t offset) {
  if (const int error = ErrorFor(Call::kMmap)) return Failed(error, MAP_FAILED);
  void* const mapped = __real_mmap(base, length, protection, flags, fd, offset);
  if (mapped != MAP_FAILED && (flags & MAP_FIXED) == 0) {
    zcb::faults::NoteMapped(static_cast<std::int64_t>(length));
  }
  return mapped;
}
int __real_madvise(void* base, std::size_t length, int what);
int __wrap_madvise(void* base, std::size_t length, int what);
int __wrap_madvise(void* base, std::size_t length, int what) {
  constexpr int kPopulateRead = 22;  // and its like
  const Call call = what < kPopulateRead ? Call::kMadvise : Call::kPopulate;
  if (const int error = ErrorFor(call)) return Failed(error, -1);
  return __real_madvise(base, length, what);
}
int __real_munmap(void* base, std::size_t length);
int __wrap_munmap(void* base, std::size_t length);
int __wrap_munmap(void* base, std::size_t length) {
  const int unmapped = __real_munmap(base, length);
  if (unmapped == 0) {
    zcb::faults::NoteMapped(-static_cast<std::int64_t>(length));
  }
  return unmapped;
}

int __real_nanosleep(const timespec* pause, timespec* rest);
int __wrap_nanosleep(const timespec* pause, timespec* rest);
int __wrap_nanosleep(const timespec* pause, timespec* rest) {
  return zcb::faults::IsArmed() ? 0 : __real_nanosleep(pause, rest);
}

long __real_syscall(long number, ...);
long __wrap_syscall(long number, long a, long b, long c, long d, long e,
                    long f);
long __wrap_syscall(long number, long a, long b, long c, long d, long e,
                    long f) {
  constexpr long kPidfdOpenNumber = 434;
  constexpr long kCachestatNumber = 451;
  int error = 0;
  switch (number) {
    case SYS_futex:
      error = ErrorFor(Call::kFutex);
      break;
    case SYS_membarrier:
      error = ErrorFor(Call::kMembarrier);
      break;
    case SYS_mbind:
      error = ErrorFor(Call::kMbind);
      break;
    case kPidfdOpenNumber:
      error = ErrorFor(Call::kPidfdOpen);
      break;
    case kCachestatNumber:
      error = ErrorFor(Call::kCachestat);
      break;
    default:
      break;
  }
  if (error != 0) return Failed(error, -1L);
  return __real_syscall(number, a, b, c, d, e, f);
}

}  // extern "C"

// NOLINTEND(bugprone-reserved-identifier)

// --- operator new ------------------------------------------------------------

// All forms, since a sanitizer's would not call each other.
void* operator new(std::size_t size, std::align_val_t alignment,
                   const std::nothrow_t&) noexcept {
  if (ErrorFor(Call::kNew) != 0) return nullptr;
  void* memory = nullptr;
  if (posix_memalign(&memory, static_cast<std::size_t>(alignment),
                     size == 0 ? 1 : size) != 0) {
    return nullptr;
  }
  zcb::faults::NoteBlocks(1);
  return memory;
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  void* const memory = operator new(size, alignment, std::nothrow);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return operator new(size, std::align_val_t{alignof(std::max_align_t)},
                      std::nothrow);
}
void* operator new(std::size_t size) {
  return operator new(size, std::align_val_t{alignof(std::max_align_t)});
}
void* operator new[](std::size_t size) { return operator new(size); }
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return operator new(size, alignment);
}
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
  return operator new(size, std::nothrow);
}
void operator delete(void* memory) noexcept {
  if (memory == nullptr) return;
  zcb::faults::NoteBlocks(-1);
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  operator delete(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
  operator delete(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  operator delete(memory);
}
void operator delete(void* memory, const std::nothrow_t&) noexcept {
  operator delete(memory);
}
void operator delete[](void* memory) noexcept { operator delete(memory); }
void operator delete[](void* memory, std::size_t) noexcept {
  operator delete(memory);
}
void operator delete[](void* memory, std::align_val_t) noexcept {
  operator delete(memory);
}
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept {
  operator delete(memory);
}
