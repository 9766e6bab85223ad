// A second survivor, in a process of its own, on the public C API.
#ifndef ZCB_TESTS_PROCESS_WITNESS_H_
#define ZCB_TESTS_PROCESS_WITNESS_H_

#include <sys/types.h>

#include "tests/process/event_log.h"

namespace zcb::steps {

// Member of kGroup, kSlowGroup (which it reads when told to only), kPairGroup
// and kOtherGroup. The directory of its region is ZCB_DIR's.
class Witness {
 public:
  Witness();
  // Ends it by SIGKILL.
  ~Witness();
  Witness(const Witness&) = delete;
  Witness& operator=(const Witness&) = delete;

  enum class Task : char {
    kDispatch = 'd',    // takes all events of kGroup and kPairGroup
    kRound = 's',       // one message to kGroup; reads whatever there is
    kWait = 'w',        // sleeps until there is an event of kGroup
    kWork = 'b',        // alloc, free, send to kOtherGroup, join, leave
    kReadSlow = 'r',    // takes all events of kSlowGroup
    kRejoinSlow = 'e',  // after it was put out of kSlowGroup
  };
  void Start(Task task);
  // Its answer to the task: 0 is good.
  int Finish();
  int Do(Task task) {
    Start(task);
    return Finish();
  }
  void Stop();
  void Continue();
  pid_t pid() const { return pid_; }
  EventLog& log() { return logs_[0]; }
  EventLog& pair_log() { return logs_[1]; }

 private:
  [[noreturn]] void Serve();

  pid_t pid_ = -1;
  int socket_ = -1;
  EventLog* logs_ = nullptr;
};

}  // namespace zcb::steps

#endif  // ZCB_TESTS_PROCESS_WITNESS_H_
