#include "tests/process/progress.h"

#include <cstdio>
#include <fstream>

namespace zcb::steps {

Progress::Progress(const std::string& directory, const std::string& mode,
                   const std::string& build_id)
    : build_id_(build_id) {
  if (directory.empty()) return;
  path_ = directory + "/steps-" + mode;
  std::ifstream file(path_);
  std::string seen;
  if (!(file >> seen) || seen != build_id_) return;
  std::string name;
  Share share;
  while (file >> name >> share.total >> share.next >> share.reached >>
         share.missed >> share.findings >> share.seconds) {
    shares_[name] = share;
  }
}

void Progress::Save() const {
  if (path_.empty()) return;
  const std::string fresh = path_ + ".new";
  {
    std::ofstream file(fresh);
    file << build_id_ << '\n';
    for (const auto& [name, share] : shares_) {
      file << name << ' ' << share.total << ' ' << share.next << ' '
           << share.reached << ' ' << share.missed << ' ' << share.findings
           << ' ' << share.seconds << '\n';
    }
  }
  std::rename(fresh.c_str(), path_.c_str());
}

}  // namespace zcb::steps
