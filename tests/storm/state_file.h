// How many this build has killed, in all its runs.
#ifndef ZCB_TESTS_STORM_STATE_FILE_H_
#define ZCB_TESTS_STORM_STATE_FILE_H_

#include <cstdint>
#include <string>

namespace zcb::storm {

// A line of text, "BUILD KILLS ROUNDS", written anew after each round. Of
// another build, or not to be read: counted from zero.
class StateFile {
 public:
  // Empty: kept in memory alone. The build is known by what is in `program`.
  StateFile(const std::string& path, const std::string& program);

  std::uint64_t kills() const { return kills_; }
  std::uint64_t rounds() const { return rounds_; }
  // One more good round.
  void Add(std::uint64_t kills);

 private:
  const std::string path_;
  std::string build_;
  std::uint64_t kills_ = 0;
  std::uint64_t rounds_ = 0;
};

}  // namespace zcb::storm

#endif  // ZCB_TESTS_STORM_STATE_FILE_H_
