// What can be turned: the variables that the library reads, and the values that
// are worth a try.
#ifndef ZCB_BENCH_TUNE_KNOBS_H_
#define ZCB_BENCH_TUNE_KNOBS_H_

#include <map>
#include <string>
#include <vector>

#include "bench/tune/workload.h"

namespace zcb::bench::tune {

struct Knob {
  std::string variable;
  std::string default_text;         // what the library does without it
  std::vector<std::string> values;  // others
  std::string what;                 // in a few words
};

// Variables and their values; one that is not in it has its default.
using Setting = std::map<std::string, std::string>;

// `setting` with that knob at that value.
Setting With(const Setting& setting, const Knob& knob,
             const std::string& value);
// The knob's value there.
std::string ValueOf(const Setting& setting, const Knob& knob);
// "ZCB_SPIN_NS=0 ZCB_PAGES=small", or "defaults".
std::string TextOf(const Setting& setting);

// Those that can matter to the workload, the likeliest first; of these the ones
// in `only`, unless it is empty. Throws Failed for a name in it that is none.
std::vector<Knob> KnobsFor(const Workload& workload,
                           const std::vector<std::string>& only);

}  // namespace zcb::bench::tune

#endif  // ZCB_BENCH_TUNE_KNOBS_H_
