// What the allocator's size classes make of message sizes.
#ifndef ZCB_BENCH_TUNE_WASTE_H_
#define ZCB_BENCH_TUNE_WASTE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "bench/tune/workload.h"

namespace zcb::bench::tune {

// Of an ordinary region (units of 2 MiB).
struct Waste {
  std::uint64_t length_bytes = 0;
  double share = 0;                // of all messages
  std::uint64_t buffer_bytes = 0;  // what such a message takes, header included
  // The longest message that takes a smaller buffer.
  std::uint64_t shorter_bytes = 0;
  std::uint64_t shorter_buffer_bytes = 0;
  // With cpg_zcb_alloc_aligned() it takes just its length.
  bool fits_if_aligned = false;

  // Of the buffer, neither payload nor header; 0..1.
  double Idle() const;
  // What could be done, in words; empty: nothing that is worth it.
  std::string Advice() const;
};

Waste WasteOf(std::uint64_t length_bytes);
std::vector<Waste> WasteOf(const std::vector<SizeShare>& sizes);

}  // namespace zcb::bench::tune

#endif  // ZCB_BENCH_TUNE_WASTE_H_
