// A thread of which one can tell, without sleeping, that it sleeps.
#ifndef ZCB_TESTS_CPG_WATCHED_THREAD_H_
#define ZCB_TESTS_CPG_WATCHED_THREAD_H_

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <string>
#include <thread>

namespace zcb::cpg::testing {

class WatchedThread {
 public:
  template <typename Body>
  explicit WatchedThread(Body body)
      : thread_([this, body] {
          tid_ = static_cast<pid_t>(syscall(SYS_gettid));
          body();
          ended_ = true;
        }) {}
  ~WatchedThread() { Join(); }
  WatchedThread(const WatchedThread&) = delete;
  WatchedThread& operator=(const WatchedThread&) = delete;

  // Until the kernel says that it sleeps, or it has ended.
  void WaitUntilAsleep() const {
    while (!ended_) {
      std::ifstream file("/proc/self/task/" + std::to_string(tid_) + "/stat");
      std::string line;
      if (std::getline(file, line)) {
        // "tid (name) S ...", and the name may contain anything.
        const std::size_t state = line.rfind(") ");
        if (state != std::string::npos && line[state + 2] == 'S') return;
      }
      std::this_thread::yield();
    }
  }
  void Join() {
    if (thread_.joinable()) thread_.join();
  }
  bool ended() const { return ended_; }
  void Signal(int number) { pthread_kill(thread_.native_handle(), number); }
  void Cancel() { pthread_cancel(thread_.native_handle()); }

 private:
  std::atomic<pid_t> tid_{0};
  std::atomic<bool> ended_{false};
  std::thread thread_;
};

}  // namespace zcb::cpg::testing

#endif  // ZCB_TESTS_CPG_WATCHED_THREAD_H_
