// A forked child of a test, ended and waited for by its id; and gates by which
// parent and children wait for each other without sleeping.
#ifndef ZCB_TESTS_SUPPORT_CHILD_PROCESS_H_
#define ZCB_TESTS_SUPPORT_CHILD_PROCESS_H_

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>

namespace zcb::testing {

// One way, counted: each Signal() lets one Wait() pass, also across fork.
class Gate {
 public:
  Gate() {
    if (pipe(ends_) != 0) std::abort();
  }
  ~Gate() {
    close(ends_[0]);
    close(ends_[1]);
  }
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  void Signal() {
    const char byte = 1;
    if (write(ends_[1], &byte, 1) != 1) std::abort();
  }
  void Wait() {
    char byte = 0;
    if (read(ends_[0], &byte, 1) != 1) std::abort();
  }
  // True, and passed, if somebody signalled already.
  bool TryWait() {
    pollfd entry{ends_[0], POLLIN, 0};
    if (poll(&entry, 1, 0) != 1) return false;
    Wait();
    return true;
  }

 private:
  int ends_[2];
};

class ChildProcess {
 public:
  // Runs `body` in a child, which then ends with its return value, without
  // destructors or exit handlers of the parent's.
  template <typename Body>
  explicit ChildProcess(Body body) {
    pid_ = fork();
    if (pid_ < 0) std::abort();
    if (pid_ == 0) _exit(body());
  }
  ~ChildProcess() {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      Join();
    }
  }
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  pid_t pid() const { return pid_; }
  void Kill(int signal = SIGKILL) const { kill(pid_, signal); }
  // Exit code, or 128 + signal.
  int Join() {
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0) {
    }
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  pid_t pid_ = -1;
};

}  // namespace zcb::testing

#endif  // ZCB_TESTS_SUPPORT_CHILD_PROCESS_H_
