#include "allocator/region_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

namespace zcb::alloc {
namespace {

// The group's number, from its name or its digits.
Result<gid_t> GroupNumber(const std::string& group) {
  std::vector<char> buffer(4096);
  for (;;) {
    struct group entry = {};
    struct group* found = nullptr;
    const int error = ::getgrnam_r(group.c_str(), &entry, buffer.data(),
                                   buffer.size(), &found);
    if (error == ERANGE && buffer.size() < (std::size_t{1} << 22)) {
      buffer.resize(buffer.size() * 2);
      continue;
    }
    if (found != nullptr) return found->gr_gid;
    break;
  }
  gid_t number = 0;
  const char* end = group.data() + group.size();
  const auto [stop, error] = std::from_chars(group.data(), end, number);
  if (error != std::errc() || stop != end) {
    return {Status::kInvalidParam, "the region's group does not exist"};
  }
  return number;
}

UniqueFd OpenDirectoryAt(int base_fd, const std::string& name) {
  return UniqueFd(::openat(base_fd, name.c_str(),
                           O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

// Makes the directory under another name and moves it into place when it is
// whole, so that nobody ever meets it half made, not even after a crash.
Outcome MakeDirectory(int base_fd, const std::string& name,
                      const FileRules& rules) {
  std::uint64_t random = 0;
  if (::getrandom(&random, sizeof random, 0) !=
      static_cast<ssize_t>(sizeof random)) {
    random = static_cast<std::uint64_t>(::getpid());
  }
  const std::string draft = "." + name + "-" + std::to_string(random);
  if (::mkdirat(base_fd, draft.c_str(), 0700) != 0) {
    if (errno == ENOENT) {  // /proc, or removed since it was opened
      return {Status::kInvalidParam, "no directory can be made in the base"};
    }
    return FailureOf(errno, "the region's directory cannot be made");
  }
  UniqueFd made = OpenDirectoryAt(base_fd, draft);  // closed after errno
  // The umask may have taken our own permission to open it. Not by its name:
  // in a base that is not sticky that may lead elsewhere by now.
  if (!made.is_open() && errno == EACCES) {
    const UniqueFd path_fd(::openat(
        base_fd, draft.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (path_fd.is_open() &&
        ::chmod(DescriptorPath(path_fd.get()).c_str(), 0700) == 0) {
      made = OpenDirectoryAt(base_fd, draft);
    }
  }
  const bool is_done = made.is_open() &&
                       Dress(made.get(), rules, rules.directory_mode()) &&
                       (::renameat2(base_fd, draft.c_str(), base_fd,
                                    name.c_str(), RENAME_NOREPLACE) == 0 ||
                        errno == EEXIST);
  const int error = is_done ? 0 : errno;
  ::unlinkat(base_fd, draft.c_str(), AT_REMOVEDIR);  // fails if it was moved
  if (error == EINVAL || error == ENOSYS) {
    return {Status::kNotSupported, "no renameat2(2) without replacing here"};
  }
  if (error != 0) {
    return FailureOf(error, "the region's directory cannot be made");
  }
  return {};
}

// Digits and dots: what may follow NAME.bell. or NAME.life. in a FIFO's name.
// The files of another region (a name may hold dots) never look like that.
bool IsHelperSuffix(std::string_view suffix) {
  return !suffix.empty() &&
         suffix.find_first_not_of("0123456789.") == std::string_view::npos;
}

}  // namespace

Failure FailureOf(int error, const char* reason) {
  switch (error) {
    case ENOSPC:
    case ENOMEM:
    case EDQUOT:
    case EFAULT:  // what a populate reports for a full file system
      return {Status::kNoMemory, reason};
    case EMFILE:
    case ENFILE:
    case ENOLCK:
    case EAGAIN:
      return {Status::kNoResources, reason};
    case EACCES:
    case EPERM:
    case EROFS:
    case ELOOP:
    case ENOTDIR:
      return {Status::kAccess, reason};
    case ENAMETOOLONG:
      return {Status::kNameTooLong, reason};
    case EOPNOTSUPP:
    case EISDIR:  // open(O_TMPFILE) where the kernel does not know it
      return {Status::kNotSupported, reason};
    case ENOENT:
      return {Status::kNotExist, reason};
    default:
      return {Status::kLibrary, reason};
  }
}

bool Dress(int fd, const FileRules& rules, mode_t mode) {
  if (rules.shared && ::fchown(fd, static_cast<uid_t>(-1), rules.group) != 0) {
    return false;
  }
  return ::fchmod(fd, mode) == 0;
}

std::string FileRules::Prefix() const {
  return shared ? "zcb-g" + std::to_string(group)
                : "zcb-" + std::to_string(owner);
}

Result<RegionDirectory> RegionDirectory::Open(const RegionOptions& options) {
  RegionDirectory directory;
  directory.rules_.owner = ::geteuid();
  const std::size_t at = options.name.find('@');
  directory.stem_ = options.name.substr(0, at);
  if (at != std::string::npos) {
    Result<gid_t> group = GroupNumber(options.name.substr(at + 1));
    if (!group) return group.failure();
    directory.rules_.shared = true;
    directory.rules_.group = *group;
  }
  const std::string base =
      options.directory.empty() ? "/dev/shm" : options.directory;
  const std::string name = directory.rules_.Prefix();
  directory.path_ = base + "/" + name;

  UniqueFd base_fd(::open(base.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!base_fd.is_open()) {
    if (errno == ENOENT || errno == ENOTDIR) {
      return {Status::kInvalidParam, "the region's base is not a directory"};
    }
    return FailureOf(errno, "the region's base directory cannot be opened");
  }
  struct stat facts = {};
  if (directory.rules_.shared) {
    // A set-group-ID base gives the group to whatever anybody makes there, so
    // a directory's group says nothing of who made it.
    if (::fstat(base_fd.get(), &facts) != 0) {
      return FailureOf(errno, "the region's base directory cannot be examined");
    }
    if (facts.st_gid == directory.rules_.group &&
        (facts.st_mode & S_ISGID) != 0 && (facts.st_mode & S_IWOTH) != 0) {
      return {Status::kAccess, "anybody may make a directory of that group"};
    }
  }
  UniqueFd fd = OpenDirectoryAt(base_fd.get(), name);
  if (!fd.is_open() && errno == ENOENT) {
    if (Outcome made = MakeDirectory(base_fd.get(), name, directory.rules_);
        !made) {
      return made.failure();
    }
    fd = OpenDirectoryAt(base_fd.get(), name);
  }
  if (!fd.is_open()) {
    if (errno == ENOENT) {
      return {Status::kTryAgain, "the region's directory comes and goes"};
    }
    return FailureOf(errno, "the region's directory cannot be opened");
  }
  if (::fstat(fd.get(), &facts) != 0) {
    return FailureOf(errno, "the region's directory cannot be examined");
  }
  if (!directory.rules_.Trusts(facts)) {
    return {Status::kAccess,
            "the region's directory is somebody else's, or others may write "
            "to it"};
  }
  // Attaching takes files of one's own beside the region's. Said here, since
  // later it would look like a region that somebody else is about to remove.
  // (Another errno is a sandbox that does not know the call.)
  if (::faccessat(fd.get(), ".", W_OK | X_OK, AT_EACCESS) != 0 &&
      (errno == EACCES || errno == EROFS)) {
    return {Status::kAccess, "no file can be made in the region's directory"};
  }
  directory.fd_ = std::make_shared<UniqueFd>(std::move(fd));
  return directory;
}

std::string RegionDirectory::hugetlbfs_data_name() const {
  return rules_.Prefix() + "-" + data_name();
}

void RegionDirectory::SweepHelperFiles() const {
  // A descriptor of its own: reading a directory moves the file position.
  const int listing_fd =
      ::openat(fd(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (listing_fd < 0) return;
  std::unique_ptr<DIR, int (*)(DIR*)> listing(::fdopendir(listing_fd),
                                              ::closedir);
  if (listing == nullptr) {
    ::close(listing_fd);
    return;
  }
  const std::string bells = stem_ + ".bell.";
  const std::string lives = stem_ + ".life.";
  while (const dirent* entry = ::readdir(listing.get())) {
    const std::string_view name = entry->d_name;
    const std::string& prefix = name.starts_with(bells) ? bells : lives;
    if (!name.starts_with(prefix)) continue;
    if (!IsHelperSuffix(name.substr(prefix.size()))) continue;
    struct stat facts = {};
    if (::fstatat(fd(), entry->d_name, &facts, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISFIFO(facts.st_mode)) {
      ::unlinkat(fd(), entry->d_name, 0);
    }
  }
}

namespace {

// Whoever tries again makes another one.
constexpr Failure kDirectoryWasRemoved{Status::kTryAgain,
                                       "the region's directory was removed"};

}  // namespace

Result<UniqueFd> CreateNameless(int directory_fd, const FileRules& rules,
                                std::uint64_t length_bytes) {
  // Growing a file past RLIMIT_FSIZE does not fail, it kills by SIGXFSZ.
  struct rlimit limit = {};
  if (::getrlimit(RLIMIT_FSIZE, &limit) == 0 &&
      limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < length_bytes) {
    return {Status::kNoResources, "a region file exceeds RLIMIT_FSIZE"};
  }
  UniqueFd fd(::openat(directory_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC,
                       rules.file_mode()));
  if (!fd.is_open() && errno == EINVAL) {
    return {Status::kNotSupported, "no files without a name here"};
  }
  if (!fd.is_open() && errno == ENOENT) return kDirectoryWasRemoved;
  if (!fd.is_open()) {
    return FailureOf(errno, "a region file cannot be created");
  }
  if (!Dress(fd.get(), rules, rules.file_mode())) {
    return FailureOf(errno, "a region file cannot be given its owner");
  }
  while (length_bytes != 0 &&
         ::ftruncate(fd.get(), static_cast<off_t>(length_bytes)) != 0) {
    if (errno == EINTR) continue;
    return FailureOf(errno, "a region file cannot be given its size");
  }
  return fd;
}

Result<bool> LinkNameless(int fd, int directory_fd, const std::string& name) {
  if (::linkat(AT_FDCWD, DescriptorPath(fd).c_str(), directory_fd, name.c_str(),
               AT_SYMLINK_FOLLOW) == 0) {
    return true;
  }
  // Without /proc: allowed to root, and to whoever opened the file on newer
  // kernels.
  if (errno == ENOENT &&
      ::linkat(fd, "", directory_fd, name.c_str(), AT_EMPTY_PATH) == 0) {
    return true;
  }
  if (errno == EEXIST) return false;
  if (errno == ENOENT) return kDirectoryWasRemoved;
  return FailureOf(errno, "a region file cannot be given its name");
}

Result<SeenFile> LookAt(int directory_fd, const std::string& name,
                        const FileRules& rules) {
  SeenFile seen;
  seen.path_fd = UniqueFd(
      ::openat(directory_fd, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  struct stat facts = {};
  if (!seen.path_fd.is_open() || ::fstat(seen.path_fd.get(), &facts) != 0) {
    return FailureOf(errno, "a region file cannot be examined");
  }
  if (!S_ISREG(facts.st_mode)) {
    return {Status::kAccess, "a region file is not a plain file"};
  }
  // Where the kernel lets anybody link what he cannot write to
  // (fs.protected_hardlinks=0), it may be some other file of a trusted owner.
  if (facts.st_nlink > 1) {
    return {Status::kAccess, "a region file has a second name"};
  }
  if (!rules.Trusts(facts)) {
    return {Status::kAccess,
            "a region file is somebody else's, or others may write to it"};
  }
  seen.id = FileId::Of(facts);
  seen.length_bytes = static_cast<std::uint64_t>(facts.st_size);
  return seen;
}

Result<UniqueFd> OpenSeen(const SeenFile& seen) {
  UniqueFd fd(
      ::open(DescriptorPath(seen.path_fd.get()).c_str(), O_RDWR | O_CLOEXEC));
  if (!fd.is_open()) {
    if (errno == ENOENT) {
      return {Status::kNotSupported, "/proc is needed to open a region"};
    }
    return FailureOf(errno, "a region file cannot be opened");
  }
  return fd;
}

std::optional<FileId> IdOfName(int directory_fd, const std::string& name) {
  struct stat facts = {};
  if (::fstatat(directory_fd, name.c_str(), &facts, AT_SYMLINK_NOFOLLOW) != 0) {
    return std::nullopt;
  }
  return FileId::Of(facts);
}

std::optional<FileId> IdOfDescriptor(int fd) {
  struct stat facts = {};
  if (::fstat(fd, &facts) != 0) return std::nullopt;
  return FileId::Of(facts);
}

}  // namespace zcb::alloc
