// A forked process that stands still at a marker, and is then led to an
// instruction of its own, by ptrace(2).
#ifndef ZCB_TESTS_PROCESS_TRACEE_H_
#define ZCB_TESTS_PROCESS_TRACEE_H_

#include <sys/types.h>
#include <sys/user.h>

#include <atomic>
#include <cstdint>
#include <functional>

namespace zcb::steps {

// What the child tells the driver; in memory that both see.
struct Board {
  std::atomic<int> thread{0};    // that is traced
  std::atomic<int> returned{0};  // what the operation returned
  std::atomic<bool> has_returned{false};
  std::atomic<std::uint32_t> sent{0};  // sends that have returned "good"
  std::atomic<std::uint64_t> tickets[8]{};
};

class Tracee {
 public:
  enum class Event : std::uint8_t {
    kThere,   // stands before the instruction
    kEnd,     // came to the end marker
    kExited,  // the thread or the process ended by itself
    kDied,    // a signal that it should not have got: see signal()
  };

  // Forks. The child runs `body`, which calls Begin(), and ends with
  // _exit(code).
  Tracee(Board* board, const std::function<int()>& body);
  // Kills it.
  ~Tracee();
  Tracee(const Tracee&) = delete;
  Tracee& operator=(const Tracee&) = delete;

  // --- called by the child ---------------------------------------------------
  // From here on this thread's instructions count.
  static void Begin(Board* board);
  static void End();

  // --- called by the driver --------------------------------------------------
  // Returns when it stands at Begin(). False: it ended before; see Join().
  bool WaitForBegin();
  pid_t pid() const { return pid_; }
  int signal() const { return signal_; }
  // Runs until it has come to that instruction so many times.
  Event RunTo(std::uintptr_t pc, std::uint32_t hits);
  // One instruction.
  Event Step();
  Event RunToEnd();
  // For who steps on after RunTo(): a breakpoint would stop it once more.
  void ClearBreakpoints();
  std::uintptr_t ReadPc() const;
  user_regs_struct ReadRegisters() const;

  // All its threads. The first two may be called wherever it stands.
  void Kill();
  // Lets go of it, stopped.
  void Stop();
  // Lets a stopped one go on.
  void Continue();
  // Waits for its end: exit code, or 128 + signal.
  int Join();

 private:
  Event Wait(std::uintptr_t pc);
  void SetBreakpoints(std::uintptr_t pc);

  pid_t pid_ = -1;
  pid_t zombie_ = -1;
  pid_t thread_ = -1;
  Board* board_;
  bool is_traced_ = false;
  bool thread_is_gone_ = false;
  int status_ = 0;
  int signal_ = 0;
  std::uintptr_t pc_set_ = 0;
};

}  // namespace zcb::steps

#endif  // ZCB_TESTS_PROCESS_TRACEE_H_
