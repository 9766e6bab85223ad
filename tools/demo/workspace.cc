#include "tools/demo/workspace.h"

#include <fmt/format.h>
#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "tools/demo/failure.h"

namespace zcb::demo {
namespace fs = std::filesystem;

Workspace::Workspace() {
  if (const char* given = getenv("ZCB_DIR"); given != nullptr) {
    directory_ = given;
  } else {
    std::string name = "/dev/shm/zcb-demo-XXXXXX";
    if (mkdtemp(name.data()) == nullptr) {
      Fail("cannot make a directory in /dev/shm: {}", std::strerror(errno));
    }
    directory_ = name;
    made_directory_ = true;
    setenv("ZCB_DIR", name.c_str(), 1);
    unsetenv("ZCB_KEEP");
  }
  if (const char* given = getenv("ZCB_REGION"); given != nullptr) {
    region_ = given;
  } else {
    region_ = fmt::format("demo-{}", getpid());
    named_region_ = true;
    setenv("ZCB_REGION", region_.c_str(), 1);
  }
}

Workspace::~Workspace() {
  std::error_code ignored;
  for (const fs::path& file : Leftovers()) fs::remove(file, ignored);
  if (made_directory_) fs::remove_all(directory_, ignored);
}

std::string Workspace::Description() const {
  return fmt::format("{} in {}", region_, directory_.string());
}

std::vector<fs::path> Workspace::Leftovers() const {
  std::vector<fs::path> files;
  if (!named_region_ && !made_directory_) return files;
  std::error_code error;
  const fs::path ours = directory_ / fmt::format("zcb-{}", geteuid());
  for (fs::directory_iterator at(ours, error);
       !error && at != fs::directory_iterator(); at.increment(error)) {
    if (at->path().filename().string().rfind(region_, 0) == 0) {
      files.push_back(at->path());
    }
  }
  return files;
}

}  // namespace zcb::demo
