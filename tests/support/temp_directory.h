// A directory of a test's own under /dev/shm, gone with everything in it when
// the test ends.
#ifndef ZCB_TESTS_SUPPORT_TEMP_DIRECTORY_H_
#define ZCB_TESTS_SUPPORT_TEMP_DIRECTORY_H_

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace zcb::testing {

class TempDirectory {
 public:
  TempDirectory() {
    std::string pattern = "/dev/shm/zcb-test-XXXXXX";
    if (mkdtemp(pattern.data()) == nullptr) std::abort();
    path_ = pattern;
  }
  ~TempDirectory() {
    // A forked child that leaves through exit() must not clean up for us.
    if (getpid() != owner_) return;
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;

  const std::string& path() const { return path_; }
  // Files (not directories) anywhere below.
  std::size_t CountFiles() const {
    std::size_t count = 0;
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(path_)) {
      if (!entry.is_directory()) ++count;
    }
    return count;
  }

 private:
  pid_t owner_ = getpid();
  std::string path_;
};

}  // namespace zcb::testing

#endif  // ZCB_TESTS_SUPPORT_TEMP_DIRECTORY_H_
