// The directory and the files of a region, before anybody maps them: made
// without a name, checked before they are opened, named and unnamed.
#ifndef ZCB_ALLOCATOR_REGION_FILES_H_
#define ZCB_ALLOCATOR_REGION_FILES_H_

#include <sys/stat.h>
#include <sys/types.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "allocator/region_options.h"
#include "allocator/status.h"
#include "allocator/unique_fd.h"

namespace zcb::alloc {

// Which file, whatever it is called.
struct FileId {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  static FileId Of(const struct stat& facts) {
    return {static_cast<std::uint64_t>(facts.st_dev),
            static_cast<std::uint64_t>(facts.st_ino)};
  }
  friend bool operator==(const FileId&, const FileId&) = default;
};

// A name under which exactly the file of a descriptor is found, also of one
// opened with O_PATH. No allocation: also where destructors ring. Not by
// printf(3), which takes a kilobyte of stack.
class DescriptorPath {
 public:
  explicit DescriptorPath(int fd) {
    constexpr std::string_view kDirectory = "/proc/self/fd/";
    char* const number = std::ranges::copy(kDirectory, text_.data()).out;
    *std::to_chars(number, text_.data() + text_.size() - 1, fd).ptr = '\0';
  }
  const char* c_str() const { return text_.data(); }

 private:
  std::array<char, 32> text_;
};

// Whose files we trust, and what ours are made to look like.
struct FileRules {
  bool shared = false;  // with `group`; otherwise ours alone
  uid_t owner = 0;
  gid_t group = 0;

  mode_t file_mode() const { return shared ? 0660 : 0600; }
  mode_t directory_mode() const { return shared ? 02770 : 0700; }
  bool Trusts(const struct stat& facts) const {
    if (shared) return facts.st_gid == group && (facts.st_mode & S_IWOTH) == 0;
    return facts.st_uid == owner && (facts.st_mode & (S_IWOTH | S_IWGRP)) == 0;
  }
  // Made to look like ours, all of it.
  bool Fits(const struct stat& facts) const {
    return (facts.st_mode & 07777) == file_mode() &&
           (!shared || facts.st_gid == group);
  }
  // zcb-<euid> or zcb-g<gid>
  std::string Prefix() const;
};

// A Status for errno, with a sentence of the caller's.
Failure FailureOf(int error, const char* reason);

// Group and mode of what we have just made, whatever the umask was, and whether
// or not the directory passes its group on. False: errno says why.
bool Dress(int fd, const FileRules& rules, mode_t mode);

// The directory of a region, open and checked, and the region's name in it.
// Copies share the descriptor.
class RegionDirectory {
 public:
  RegionDirectory() = default;
  // Makes the directory if it is not there; never removes it. kAccess: it is
  // somebody else's, or others may write to it, or we may not.
  static Result<RegionDirectory> Open(const RegionOptions& options);

  int fd() const { return fd_ == nullptr ? -1 : fd_->get(); }
  const std::string& path() const { return path_; }
  const std::string& stem() const { return stem_; }
  const FileRules& rules() const { return rules_; }

  std::string data_name() const { return stem_ + ".data"; }
  std::string meta_name() const { return stem_ + ".meta"; }
  std::string lock_name() const { return stem_ + ".lock"; }
  // On a hugetlbfs mount there is no directory of ours: the name says whose.
  std::string hugetlbfs_data_name() const;

  // Unlinks the FIFOs that dead processes left (NAME.bell.*, NAME.life.*).
  // Only while nobody else may use the region.
  void SweepHelperFiles() const;

 private:
  std::shared_ptr<UniqueFd> fd_;
  std::string path_;
  std::string stem_;
  FileRules rules_;
};

// A file without a name: gone when closed, unless it is linked.
Result<UniqueFd> CreateNameless(int directory_fd, const FileRules& rules,
                                std::uint64_t length_bytes);
// False: the name is taken.
Result<bool> LinkNameless(int fd, int directory_fd, const std::string& name);

// A file that was looked at and found to be a plain one of a trusted owner.
// Not opened yet: looking at NAME.lock must not cost the locks on it.
struct SeenFile {
  UniqueFd path_fd;  // O_PATH
  FileId id;
  std::uint64_t length_bytes = 0;
};
// kNotExist, or kAccess.
Result<SeenFile> LookAt(int directory_fd, const std::string& name,
                        const FileRules& rules);
// Opens exactly the file that was looked at, for reading and writing.
Result<UniqueFd> OpenSeen(const SeenFile& seen);

std::optional<FileId> IdOfName(int directory_fd, const std::string& name);
std::optional<FileId> IdOfDescriptor(int fd);

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_REGION_FILES_H_
