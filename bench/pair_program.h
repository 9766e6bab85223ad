// What all programs of pairs of processes have in common: options,
// repetitions, output.
#ifndef ZCB_BENCH_PAIR_PROGRAM_H_
#define ZCB_BENCH_PAIR_PROGRAM_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "bench/payload.h"
#include "bench/peers/peer.h"
#include "bench/process_pair.h"

namespace zcb::bench {

// One measurement: both sides, from their start to their end.
struct PairRun {
  const Variant& variant;
  std::size_t length_bytes;
  Touch touch;
  std::uint64_t count;  // messages or round trips; 0: as many as fit
  unsigned duration_ms;
  PairPlaces places;
  bool is_disturbed = false;  // out: others worked meanwhile
};

// A figure that a question has for an answer.
struct PairColumn {
  const char* title;
  double PairFigures::* value;
  bool is_lower_better;
};

struct PairQuestion {
  const char* command;   // of the program
  const char* question;  // in the results
  const char* description;
  std::vector<PairColumn> columns;
  std::function<PairFigures(PairRun&)> run;
};

struct PairProgram {
  const char* name;
  std::span<const Variant> variants;
  std::function<std::size_t(const Variant&)> largest_bytes;
  std::vector<PairQuestion> questions;
};

// main() of such a program.
int RunPairProgram(int argc, char** argv, const PairProgram& program);

}  // namespace zcb::bench

#endif  // ZCB_BENCH_PAIR_PROGRAM_H_
