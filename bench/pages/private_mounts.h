// File systems and huge pages for a measurement, gone when it ends.
#ifndef ZCB_BENCH_PAGES_PRIVATE_MOUNTS_H_
#define ZCB_BENCH_PAGES_PRIVATE_MOUNTS_H_

#include <string>

namespace zcb::bench {

// From here on the calling process sees mounts of its own, which nobody else
// sees and which go with it. False: not permitted.
bool EnterPrivateMounts();
// An empty file system of that type over the directory.
bool Mount(const std::string& type, const std::string& directory,
           const std::string& options);

// More pages in the kernel's pool of 2 MiB pages while this lives.
class ReservedHugePages {
 public:
  explicit ReservedHugePages(long pages);
  ~ReservedHugePages();
  ReservedHugePages(const ReservedHugePages&) = delete;
  ReservedHugePages& operator=(const ReservedHugePages&) = delete;
  bool ok() const { return is_reserved_; }

 private:
  long before_ = -1;
  bool is_reserved_ = false;
};

}  // namespace zcb::bench

#endif  // ZCB_BENCH_PAGES_PRIVATE_MOUNTS_H_
