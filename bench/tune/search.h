// The bounded search: coordinate descent, each candidate against the best so
// far, and at the end the best against the defaults with new figures.
#ifndef ZCB_BENCH_TUNE_SEARCH_H_
#define ZCB_BENCH_TUNE_SEARCH_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "bench/tune/comparison.h"
#include "bench/tune/knobs.h"

namespace zcb::bench::tune {

// Rounds of one comparison, and of the last one.
inline constexpr unsigned kRounds = 6;
inline constexpr unsigned kProofRounds = 8;

// One value of one knob against what was best at that time.
struct Trial {
  std::string variable;
  std::string value;
  Setting against;
  Comparison comparison;

  enum class Verdict : std::uint8_t {
    kBetter,       // taken
    kNoBetter,     // worse, or within noise
    kWorse,        // beyond noise
    kCannotBeHad,  // could not be run
    kNeedless,  // had been taken, and going back to the default costs nothing
    kNeeded,    // had been taken, and going back makes it worse
  };
  Verdict verdict = Verdict::kNoBetter;
};

struct SearchResult {
  // What to set; empty: the defaults are best, as far as can be told.
  Setting best;
  // What looked best before the proof; the same unless the proof failed.
  Setting candidate;
  // Defaults (A) against the candidate (B), measured anew after the search: the
  // search itself prefers what was lucky. Empty if nothing was found.
  Comparison proof;
  std::vector<Trial> trials;
  bool ended_early = false;  // the bound was reached before all was tried
  std::string why_not;       // even the defaults cannot be run
};

struct SearchLimits {
  // Whether so many more runs may be made; asked before each comparison, with
  // what it and the proof need.
  std::function<bool(unsigned runs)> has_room;
  // Told after each trial; may be empty.
  std::function<void(const Trial&)> on_trial;
};

SearchResult Search(const Measure& measure, const std::vector<Knob>& knobs,
                    const SearchLimits& limits);

}  // namespace zcb::bench::tune

#endif  // ZCB_BENCH_TUNE_SEARCH_H_
