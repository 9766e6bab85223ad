// What latency and stream have in common: options, repetitions, output.
#ifndef ZCB_BENCH_PAIR_PROGRAM_H_
#define ZCB_BENCH_PAIR_PROGRAM_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "bench/payload.h"
#include "bench/process_pair.h"

namespace zcb::bench {

struct PairOptions {
  std::string peer;
  std::size_t length_bytes = kLeastPayloadBytes;
  Touch touch = Touch::kFirstWord;
  std::uint64_t count = 0;  // messages or round trips; 0: by the length
  int repetitions = 1;
  PairPlaces places;
  bool json = false;
};

// A figure that the program prints, and where it lies.
struct PairColumn {
  const char* title;
  double PairFigures::* value;
  double factor = 1.0;  // from the figure's unit to the column's
};

struct PairProgram {
  const char* name;
  const char* description;
  std::vector<PairColumn> columns;
  std::function<std::uint64_t(std::size_t length_bytes)> default_count;
  std::function<PairFigures(const PairOptions&)> run;
};

// main() of such a program.
int RunPairProgram(int argc, char** argv, const PairProgram& program);

}  // namespace zcb::bench

#endif  // ZCB_BENCH_PAIR_PROGRAM_H_
