// The physical floor: what a cache line takes from one CPU to the other and
// back. No message can be faster; a figure that was taken between two floors
// that differ was taken on a machine that changed in between.
#ifndef ZCB_BENCH_FLOOR_H_
#define ZCB_BENCH_FLOOR_H_

#include "bench/clock.h"
#include "bench/process_pair.h"

namespace zcb::bench {

// Median one-way times (half of single, timed round trips).
struct Floor {
  double one_line_ns = 0;   // both directions through the same line
  double two_lines_ns = 0;  // one line for each direction
};

// Both sides call it at the same time; the first side gets the figures, the
// second side zeros.
Floor MeasureFloor(PairPage& page, Side side, const TickClock& clock);

}  // namespace zcb::bench

#endif  // ZCB_BENCH_FLOOR_H_
