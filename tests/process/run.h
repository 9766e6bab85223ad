// One operation, killed or stopped at its positions, one after the other.
#ifndef ZCB_TESTS_PROCESS_RUN_H_
#define ZCB_TESTS_PROCESS_RUN_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/process/operation.h"
#include "tests/process/trace.h"

namespace zcb::steps {

enum class Mode : std::uint8_t {
  kKill,  // SIGKILL
  kStop,  // SIGSTOP; then, in turn, SIGKILL, or SIGCONT and the proper end
};

struct Finding {
  std::size_t position = 0;
  std::string text;
};

class OperationRun {
 public:
  OperationRun(const Operation& operation, Mode mode);
  ~OperationRun();
  OperationRun(const OperationRun&) = delete;
  OperationRun& operator=(const OperationRun&) = delete;

  // The stepped run. False: see findings().
  bool Record();
  const Trace& trace() const { return trace_; }

  // Kills or stops it there, and looks. Once more if it went another way.
  void At(std::size_t position);

  const std::vector<Finding>& findings() const { return findings_; }
  // Positions that were reached, and that were not, tried several times.
  std::uint64_t reached() const { return reached_; }
  std::uint64_t missed() const { return missed_; }

 private:
  // False: it went another way.
  bool TryAt(std::size_t position);
  void StandStill(Tracee* tracee, std::size_t position, bool is_over);
  int BeTheChild(Child* child);
  // Forks, and leads the child to its marker; nullptr: it did not get there.
  std::unique_ptr<Tracee> StartChild();
  void Mend(pid_t pid, std::size_t position);
  void Note(std::size_t position, const std::string& text);
  void NeedScene();

  const Operation& operation_;
  const Mode mode_;
  Board* board_ = nullptr;
  std::unique_ptr<Scene> scene_;
  std::size_t positions_in_scene_ = 0;
  std::uint64_t fresh_names_ = 0;
  Trace trace_;
  std::vector<Finding> findings_;
  std::uint64_t reached_ = 0;
  std::uint64_t missed_ = 0;
};

}  // namespace zcb::steps

#endif  // ZCB_TESTS_PROCESS_RUN_H_
