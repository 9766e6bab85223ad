#include "tests/storm/state_file.h"

#include <cstdio>
#include <filesystem>
#include <fstream>

namespace zcb::storm {
namespace {

// FNV-1a of the file's bytes.
std::string DigestOf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::uint64_t digest = 0xcbf29ce484222325;
  for (char byte = 0; file.get(byte);) {
    digest = (digest ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
  }
  char text[17];
  std::snprintf(text, sizeof(text), "%016llx",
                static_cast<unsigned long long>(digest));
  return text;
}

}  // namespace

StateFile::StateFile(const std::string& path, const std::string& program)
    : path_(path), build_(DigestOf(program)) {
  std::ifstream file(path_);
  std::string build;
  std::uint64_t kills = 0;
  std::uint64_t rounds = 0;
  if (file >> build >> kills >> rounds && build == build_) {
    kills_ = kills;
    rounds_ = rounds;
  }
}

void StateFile::Add(std::uint64_t kills) {
  kills_ += kills;
  ++rounds_;
  if (path_.empty()) return;
  const std::string fresh = path_ + ".new";
  std::ofstream(fresh) << build_ << ' ' << kills_ << ' ' << rounds_ << '\n';
  std::error_code ignored;
  std::filesystem::rename(fresh, path_, ignored);
}

}  // namespace zcb::storm
