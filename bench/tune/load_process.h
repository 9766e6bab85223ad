// What one process of a run does: send, or receive, until it is told to stop.
#ifndef ZCB_BENCH_TUNE_LOAD_PROCESS_H_
#define ZCB_BENCH_TUNE_LOAD_PROCESS_H_

#include <cstddef>

#include "bench/tune/load_board.h"
#include "bench/tune/workload.h"

namespace zcb::bench::tune {

// Everything in the group: senders get what the others send, too, and their own
// messages, and read these as a program would.
struct LoadRole {
  std::size_t index = 0;  // of ProcessFigures
  bool sends = false;
  unsigned processes = 0;  // in all
  double rate_per_s = 0;   // this sender's; 0: as fast as it goes
  bool may_spin = false;   // while it waits for its time: a CPU is its own
  bool touched = true;
};

// In a child, its environment set. Throws Failed.
void RunProcess(const Workload& workload, const LoadRole& role,
                LoadBoard& board);

}  // namespace zcb::bench::tune

#endif  // ZCB_BENCH_TUNE_LOAD_PROCESS_H_
