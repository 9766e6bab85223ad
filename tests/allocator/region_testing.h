// What the tests of regions, leases and watchers share: a directory of one's
// own, an open region, child processes, and a look at the locks from outside.
#ifndef ZCB_TESTS_ALLOCATOR_REGION_TESTING_H_
#define ZCB_TESTS_ALLOCATOR_REGION_TESTING_H_

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "allocator/region.h"
#include "allocator/region_options.h"

namespace zcb::alloc::testing {

// A fresh directory under /dev/shm, removed with all that is in it.
class TempDirectory {
 public:
  TempDirectory();
  ~TempDirectory();
  const std::string& path() const { return path_; }
  // Options for a small region in it: 16 MiB, 64 leases, nothing prefaulted.
  RegionOptions Options() const;
  // Where its private regions lie, and what lies there (sorted names).
  std::string RegionPath() const;
  std::vector<std::string> RegionFiles() const;

 private:
  std::string path_;
};

// The region with these options; null, and a failed expectation, if it cannot
// be opened.
std::shared_ptr<Region> MustOpen(const RegionOptions& options);

// Memory committed to one of a region's files (".meta", ".data").
std::uint64_t FileBytes(const Region& region, const std::string& kind);

// The child's end of a conversation, one character at a time.
class Talk {
 public:
  explicit Talk(int fd) : fd_(fd) {}
  void Say(char word) const;
  // The next character; '\0' at the end of the conversation.
  char Hear() const;
  int fd() const { return fd_; }

 private:
  int fd_;
};

// A forked process that runs `body` and ends with _exit: 0, or 1 if an
// expectation failed in it. Killed and waited for at the latest here. It dies
// with its parent.
class Child {
 public:
  explicit Child(const std::function<void(Talk&)>& body);
  Child(Child&& other) noexcept;
  Child& operator=(Child&&) = delete;
  ~Child();
  pid_t pid() const { return pid_; }
  void Say(char word) const { Talk(fd_).Say(word); }
  char Hear() const { return Talk(fd_).Hear(); }
  void CloseTalk();
  // Exit code, or minus the signal.
  int Wait();
  // SIGKILL, and waits.
  void Kill();

 private:
  pid_t pid_ = -1;
  int fd_ = -1;
};

// Runs `body` in a child; true if it ended well.
bool SucceedsInChild(const std::function<void(Talk&)>& body);

// True if some process other than a fresh child holds that byte of the lock
// file: asked from a child, since asking from here could cost our own locks.
bool IsLockedAsSeenFromOutside(const std::string& lock_path,
                               std::uint32_t byte);

// Everything in the child's mount namespace only. False: not permitted.
bool EnterPrivateMountNamespace();
bool MountTmpfs(const std::string& path, const std::string& options);

}  // namespace zcb::alloc::testing

#endif  // ZCB_TESTS_ALLOCATOR_REGION_TESTING_H_
