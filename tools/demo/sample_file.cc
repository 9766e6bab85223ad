#include "tools/demo/sample_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <vector>

#include "tools/demo/failure.h"

namespace zcb::demo {
namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t kLeastPartBytes = 64 << 10;
constexpr std::uint64_t kLeastFileBytes = 1024;

// Libraries and programs, in an order that does not depend on the disk.
std::vector<fs::path> InstalledFiles() {
  std::vector<fs::path> files;
  for (const char* directory : {"/usr/lib", "/usr/bin"}) {
    std::error_code error;
    fs::recursive_directory_iterator at(
        directory, fs::directory_options::skip_permission_denied, error);
    for (; !error && at != fs::recursive_directory_iterator();
         at.increment(error)) {
      std::error_code ignored;
      if (at->is_symlink(ignored) || !at->is_regular_file(ignored)) continue;
      const bool is_library =
          at->path().filename().string().find(".so") != std::string::npos;
      const bool is_program = at->path().parent_path() == "/usr/bin";
      if (!is_library && !is_program) continue;
      if (at->file_size(ignored) >= kLeastPartBytes) files.push_back(*at);
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

// Appends what of `part` can be read; the bytes of it.
std::uint64_t Append(int to, const fs::path& part, std::uint64_t most_bytes) {
  const int from = open(part.c_str(), O_RDONLY | O_CLOEXEC);
  if (from < 0) return 0;
  std::uint64_t done_bytes = 0;
  ssize_t got = 1;
  while (got > 0 && done_bytes < most_bytes) {
    got = sendfile(to, from, nullptr, most_bytes - done_bytes);
    if (got > 0) done_bytes += static_cast<std::uint64_t>(got);
  }
  const int error = errno;
  close(from);
  if (got < 0) Fail("cannot make the sample file: {}", std::strerror(error));
  return done_bytes;
}

}  // namespace

SampleFile::SampleFile(const std::string& path, std::uint64_t least_bytes)
    : path_(path), description_(path) {
  if (path.empty()) {
    Fill(least_bytes);
    return;
  }
  std::error_code error;
  size_bytes_ = fs::file_size(path, error);
  if (error) Fail("{}: {}", path, error.message());
  if (size_bytes_ < kLeastFileBytes) Fail("{} is too small to show much", path);
}

SampleFile::~SampleFile() {
  if (descriptor_ >= 0) close(descriptor_);
}

void SampleFile::Fill(std::uint64_t least_bytes) {
  std::string name = fs::temp_directory_path() / "zcb-demo-XXXXXX";
  descriptor_ = mkostemp(name.data(), O_CLOEXEC);
  if (descriptor_ < 0) Fail("{}: {}", name, std::strerror(errno));
  unlink(name.c_str());
  path_ = fmt::format("/proc/{}/fd/{}", getpid(), descriptor_);

  const std::vector<fs::path> files = InstalledFiles();
  std::size_t parts = 0;
  for (bool grew = true; grew && size_bytes_ < least_bytes;) {
    grew = false;  // a small machine: the same files once more
    for (const fs::path& file : files) {
      if (size_bytes_ >= least_bytes) break;
      const std::uint64_t bytes =
          Append(descriptor_, file, least_bytes - size_bytes_);
      size_bytes_ += bytes;
      parts += bytes > 0 ? 1 : 0;
      grew |= bytes > 0;
    }
  }
  if (size_bytes_ < least_bytes) Fail("found nothing to make a file of");
  description_ = fmt::format("{} installed libraries and programs", parts);
}

}  // namespace zcb::demo
