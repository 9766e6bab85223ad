// Whether one process sleeps, asked often and fast.
#ifndef ZCB_BENCH_PROCESSES_SLEEP_WATCH_H_
#define ZCB_BENCH_PROCESSES_SLEEP_WATCH_H_

#include <sys/types.h>

namespace zcb::bench {

// Looks at the first thread of the process. Who asks keeps its CPU busy, so
// that what it does next is not the first thing after an idle time.
class SleepWatch {
 public:
  explicit SleepWatch(pid_t pid);  // throws Failed
  ~SleepWatch();
  SleepWatch(const SleepWatch&) = delete;
  SleepWatch& operator=(const SleepWatch&) = delete;

  // Returns when the kernel's books say that it sleeps. Throws Failed if it is
  // gone, or never does.
  void Await() const;

 private:
  bool IsAsleep() const;
  int stat_ = -1;
};

}  // namespace zcb::bench

#endif  // ZCB_BENCH_PROCESSES_SLEEP_WATCH_H_
