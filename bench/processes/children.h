// Child processes, each ended by its id.
#ifndef ZCB_BENCH_PROCESSES_CHILDREN_H_
#define ZCB_BENCH_PROCESSES_CHILDREN_H_

#include <sys/types.h>

#include <functional>
#include <vector>

namespace zcb::bench {

class Children {
 public:
  Children() = default;
  // Kills and collects all that are left.
  ~Children();
  Children(const Children&) = delete;
  Children& operator=(const Children&) = delete;

  // The body runs in a child, which dies with us and ends after it. Throws
  // Failed.
  pid_t Start(const std::function<void()>& body);
  // Collects one that was killed, or that ends by itself; its status.
  int Collect(pid_t child);
  // Returns when no thread of them runs, as the kernel's books say: all sleep
  // where they wait. Throws Failed if one is gone, or never sleeps.
  void AwaitSleep() const;

 private:
  std::vector<pid_t> pids_;
};

}  // namespace zcb::bench

#endif  // ZCB_BENCH_PROCESSES_CHILDREN_H_
