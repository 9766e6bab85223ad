// How far each operation is, kept from run to run.
#ifndef ZCB_TESTS_PROCESS_PROGRESS_H_
#define ZCB_TESTS_PROCESS_PROGRESS_H_

#include <cstdint>
#include <map>
#include <string>

namespace zcb::steps {

struct Share {
  std::uint64_t total = 0;  // positions; 0: not known yet
  std::uint64_t next = 0;   // position
  std::uint64_t reached = 0;
  std::uint64_t missed = 0;
  std::uint64_t findings = 0;
  double seconds = 0;
  bool is_done() const { return total != 0 && next >= total; }
};

// A file of one line an operation. What another binary has done does not count.
class Progress {
 public:
  // "": kept nowhere.
  Progress(const std::string& directory, const std::string& mode,
           const std::string& build_id);
  Share& Of(const std::string& operation) { return shares_[operation]; }
  void Save() const;
  // From the start again.
  void Forget() { shares_.clear(); }

 private:
  std::string path_;
  std::string build_id_;
  std::map<std::string, Share> shares_;
};

}  // namespace zcb::steps

#endif  // ZCB_TESTS_PROCESS_PROGRESS_H_
