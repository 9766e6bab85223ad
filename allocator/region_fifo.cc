#include "allocator/region_fifo.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace zcb::alloc {
namespace {

constexpr int kImplied = O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC;

UniqueFd Fail(int error) {
  errno = error;
  return UniqueFd();
}

// What the name leads to, not opened.
UniqueFd LookAtName(int directory_fd, const char* name, struct stat* facts) {
  UniqueFd path_fd(
      ::openat(directory_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!path_fd.is_open() || ::fstat(path_fd.get(), facts) != 0) {
    return Fail(errno);
  }
  // Of one name only: a link could lead to a FIFO of somebody else's.
  if (!S_ISFIFO(facts->st_mode) || facts->st_nlink > 1) return Fail(EINVAL);
  return path_fd;
}

// Exactly what was looked at. Without /proc (a program that went into a root of
// its own) by name, which is the next best: looked at again afterwards.
UniqueFd OpenLookedAt(const UniqueFd& path_fd, const struct stat& facts,
                      int directory_fd, const char* name, int flags) {
  UniqueFd fd(::open(DescriptorPath(path_fd.get()).c_str(),
                     flags | O_NONBLOCK | O_CLOEXEC));
  if (fd.is_open() || errno != ENOENT) return fd;
  fd = UniqueFd(::openat(directory_fd, name, flags | kImplied));
  struct stat now = {};
  if (!fd.is_open() || ::fstat(fd.get(), &now) != 0) return Fail(errno);
  if (!(FileId::Of(now) == FileId::Of(facts))) return Fail(EINVAL);
  return fd;
}

}  // namespace

UniqueFd OpenFifo(int directory_fd, const char* name, const FileRules& rules,
                  int flags) {
  struct stat facts = {};
  const UniqueFd path_fd = LookAtName(directory_fd, name, &facts);
  if (!path_fd.is_open()) return UniqueFd();
  if (!rules.Trusts(facts)) return Fail(EACCES);
  return OpenLookedAt(path_fd, facts, directory_fd, name, flags);
}

UniqueFd MakeFifo(int directory_fd, const char* name, const FileRules& rules) {
  if (::mkfifoat(directory_fd, name, rules.file_mode()) != 0) {
    return UniqueFd();
  }
  struct stat facts = {};
  const UniqueFd path_fd = LookAtName(directory_fd, name, &facts);
  if (!path_fd.is_open()) return UniqueFd();
  // Ours, and under this name alone: what we have just made.
  if (facts.st_uid != ::geteuid() || facts.st_nlink != 1) return Fail(EACCES);
  // The umask may have taken our own permission to open it.
  constexpr mode_t kOwn = S_IRUSR | S_IWUSR;
  if ((facts.st_mode & kOwn) != kOwn &&
      ::chmod(DescriptorPath(path_fd.get()).c_str(), kOwn) != 0) {
    return Fail(errno == ENOENT ? EOPNOTSUPP : errno);  // no /proc
  }
  UniqueFd fd = OpenLookedAt(path_fd, facts, directory_fd, name, O_RDWR);
  if (!fd.is_open()) return fd;
  // Whoever may attach must be able to open it. The umask may have cut the
  // mode; and a directory that has lost its set-group-ID bit passes no group
  // on.
  if (::fstat(fd.get(), &facts) != 0 ||
      (!rules.Fits(facts) && !Dress(fd.get(), rules, rules.file_mode()))) {
    return Fail(errno);
  }
  return fd;
}

}  // namespace zcb::alloc
