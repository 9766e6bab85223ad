#include "tests/entry/path_calls.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdarg>
#include <utility>

namespace zcb::testing {
namespace {

std::function<void(const PathCall&)>& Hook() {
  static std::function<void(const PathCall&)> hook;
  return hook;
}
thread_local bool t_is_inside = false;

void Report(const char* function, int directory_fd, const char* name) {
  if (t_is_inside || Hook() == nullptr) return;
  t_is_inside = true;
  Hook()({function, directory_fd, name});
  t_is_inside = false;
}

}  // namespace

void OnPathCall(std::function<void(const PathCall&)> hook) {
  Hook() = std::move(hook);
}

}  // namespace zcb::testing

using zcb::testing::Report;

#define ZCB_TAKES_PLACE __attribute__((visibility("default")))

extern "C" {

ZCB_TAKES_PLACE int openat(int directory_fd, const char* name, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode =
      (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  Report("openat", directory_fd, name);
  return static_cast<int>(
      ::syscall(SYS_openat, directory_fd, name, flags, mode));
}

ZCB_TAKES_PLACE int mkfifoat(int directory_fd, const char* name, mode_t mode) {
  Report("mkfifoat", directory_fd, name);
  return static_cast<int>(
      ::syscall(SYS_mknodat, directory_fd, name, mode | S_IFIFO, 0));
}

ZCB_TAKES_PLACE int mkdirat(int directory_fd, const char* name, mode_t mode) {
  Report("mkdirat", directory_fd, name);
  return static_cast<int>(::syscall(SYS_mkdirat, directory_fd, name, mode));
}

ZCB_TAKES_PLACE int unlinkat(int directory_fd, const char* name, int flags) {
  Report("unlinkat", directory_fd, name);
  return static_cast<int>(::syscall(SYS_unlinkat, directory_fd, name, flags));
}

ZCB_TAKES_PLACE int linkat(int from_fd, const char* from, int directory_fd,
                           const char* name, int flags) {
  Report("linkat", directory_fd, name);
  return static_cast<int>(
      ::syscall(SYS_linkat, from_fd, from, directory_fd, name, flags));
}

ZCB_TAKES_PLACE int renameat2(int from_fd, const char* from, int directory_fd,
                              const char* name, unsigned flags) {
  Report("renameat2", from_fd, from);
  Report("renameat2", directory_fd, name);
  return static_cast<int>(
      ::syscall(SYS_renameat2, from_fd, from, directory_fd, name, flags));
}

ZCB_TAKES_PLACE int renameat(int from_fd, const char* from, int directory_fd,
                             const char* name) {
  return renameat2(from_fd, from, directory_fd, name, 0);
}

ZCB_TAKES_PLACE int fstatat(int directory_fd, const char* name,
                            struct stat* facts, int flags) {
  Report("fstatat", directory_fd, name);
  return static_cast<int>(
      ::syscall(SYS_newfstatat, directory_fd, name, facts, flags));
}

ZCB_TAKES_PLACE int fchmodat(int directory_fd, const char* name, mode_t mode,
                             int flags) {
  Report("fchmodat", directory_fd, name);
  // Flags are the C library's own business, and the library gives none.
  return flags != 0 ? -1
                    : static_cast<int>(
                          ::syscall(SYS_fchmodat, directory_fd, name, mode));
}

}  // extern "C"
