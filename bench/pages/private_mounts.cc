#include "bench/pages/private_mounts.h"

#include <sched.h>
#include <sys/mount.h>

#include <fstream>

namespace zcb::bench {
namespace {

constexpr const char* kPool = "/proc/sys/vm/nr_hugepages";

long ReadPool() {
  long pages = -1;
  std::ifstream(kPool) >> pages;
  return pages;
}
void WritePool(long pages) { std::ofstream(kPool) << pages << "\n"; }

}  // namespace

bool EnterPrivateMounts() {
  return ::unshare(CLONE_NEWNS) == 0 &&
         ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
}

bool Mount(const std::string& type, const std::string& directory,
           const std::string& options) {
  return ::mount("none", directory.c_str(), type.c_str(), 0, options.c_str()) ==
         0;
}

ReservedHugePages::ReservedHugePages(long pages) : before_(ReadPool()) {
  if (before_ < 0) return;
  WritePool(before_ + pages);
  is_reserved_ = ReadPool() >= before_ + pages;
}

ReservedHugePages::~ReservedHugePages() {
  if (before_ >= 0) WritePool(before_);
}

}  // namespace zcb::bench
