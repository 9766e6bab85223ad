// Whether somebody else worked on the machine during a measurement.
#ifndef ZCB_BENCH_MACHINE_LOAD_H_
#define ZCB_BENCH_MACHINE_LOAD_H_

#include <sys/types.h>

#include <cstdint>

namespace zcb::bench {

// Shares of the time of all CPUs, 0 .. 1.
struct MachineLoad {
  double others = 0;  // processes that are neither ours nor our daemon
  double stolen = 0;  // what the hypervisor kept from this machine
  bool is_disturbed = false;
};

// Looks at /proc/stat when made and when asked. Our own are this process, its
// children that have been waited for by then, and the daemon.
class LoadWatch {
 public:
  explicit LoadWatch(pid_t daemon);  // 0: none
  MachineLoad Read() const;

 private:
  struct Books {
    double worked_s = 0;  // all processes and the kernel
    double stolen_s = 0;
    double own_s = 0;
    std::uint64_t at_ns = 0;
  };
  Books ReadBooks() const;

  pid_t daemon_;
  Books before_;
};

}  // namespace zcb::bench

#endif  // ZCB_BENCH_MACHINE_LOAD_H_
