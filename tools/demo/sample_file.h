// What is multicast: the user's file, or one made of what is installed.
#ifndef ZCB_TOOLS_DEMO_SAMPLE_FILE_H_
#define ZCB_TOOLS_DEMO_SAMPLE_FILE_H_

#include <cstdint>
#include <string>

namespace zcb::demo {

class SampleFile {
 public:
  // `path` empty: at least `least_bytes` of libraries and programs of this
  // machine, in a temporary file that has no name and goes with the process.
  SampleFile(const std::string& path, std::uint64_t least_bytes);
  ~SampleFile();
  SampleFile(const SampleFile&) = delete;
  SampleFile& operator=(const SampleFile&) = delete;

  // Good for other processes, too, while this object lives.
  const std::string& path() const { return path_; }
  const std::string& description() const { return description_; }
  std::uint64_t size_bytes() const { return size_bytes_; }

 private:
  void Fill(std::uint64_t least_bytes);

  int descriptor_ = -1;
  std::string path_;
  std::string description_;
  std::uint64_t size_bytes_ = 0;
};

}  // namespace zcb::demo

#endif  // ZCB_TOOLS_DEMO_SAMPLE_FILE_H_
