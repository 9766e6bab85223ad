#include "bench/tune/knobs.h"

#include <algorithm>

#include "bench/failure.h"

namespace zcb::bench::tune {
namespace {

// Below that, a sender reclaims after so many messages and never after so many
// bytes, and all magazines hold as many buffers as they can.
constexpr std::uint64_t kLargeMessageBytes = 8 * 1024;

std::vector<Knob> AllKnobs() {
  return {
      {"ZCB_SPIN_NS",
       "20000",
       {"0", "5000", "50000", "200000"},
       "how long a waiting receiver looks before it sleeps"},
      {"ZCB_RING_SLOTS",
       "4096",
       {"1024", "2048", "16384", "32768"},
       "messages that may be under way"},
      {"ZCB_RECLAIM_MESSAGES",
       "64",
       {"8", "16", "256", "1024"},
       "how often a sender takes back what was read"},
      {"ZCB_RECLAIM_BYTES", "256k", {"64k", "1m", "4m"}, "the same, by bytes"},
      {"ZCB_MAGAZINE_BYTES",
       "4m",
       {"256k", "1m", "16m"},
       "memory that a thread uses in turn, per size"},
      {"ZCB_PREFETCH",
       "4",
       {"0", "1", "2", "8"},
       "lines of messages that come next"},
      {"ZCB_BURST_PAUSE_NS",
       "2000",
       {"0", "500", "8000"},
       "how long a receiver leaves a busy sender alone"},
      {"ZCB_PAGES", "auto", {"small", "huge"}, "pages under the region"},
      {"ZCB_PREFAULT_BYTES", "8m", {"0", "64m"}, "memory made ready at first"},
      {"ZCB_SPARE_BYTES", "64m", {"0", "4m"}, "empty memory that stays"},
  };
}

bool CanMatter(const Knob& knob, const Workload& workload) {
  // A receiver that always finds something never waits.
  if (knob.variable == "ZCB_SPIN_NS") return workload.rate_per_s > 0;
  if (knob.variable == "ZCB_RECLAIM_BYTES" ||
      knob.variable == "ZCB_MAGAZINE_BYTES") {
    return workload.LargestBytes() >= kLargeMessageBytes;
  }
  return true;
}

}  // namespace

Setting With(const Setting& setting, const Knob& knob,
             const std::string& value) {
  Setting changed = setting;
  if (value == knob.default_text) {
    changed.erase(knob.variable);
  } else {
    changed[knob.variable] = value;
  }
  return changed;
}

std::string ValueOf(const Setting& setting, const Knob& knob) {
  const auto found = setting.find(knob.variable);
  return found == setting.end() ? knob.default_text : found->second;
}

std::string TextOf(const Setting& setting) {
  if (setting.empty()) return "defaults";
  std::string text;
  for (const auto& [variable, value] : setting) {
    if (!text.empty()) text += ' ';
    text += variable + "=" + value;
  }
  return text;
}

std::vector<Knob> KnobsFor(const Workload& workload,
                           const std::vector<std::string>& only) {
  std::vector<Knob> knobs = AllKnobs();
  if (only.empty()) {
    std::erase_if(knobs,
                  [&](const Knob& k) { return !CanMatter(k, workload); });
    return knobs;
  }
  for (const std::string& name : only) {
    if (std::none_of(knobs.begin(), knobs.end(),
                     [&](const Knob& k) { return k.variable == name; })) {
      Fail("no knob is called '{}'", name);
    }
  }
  std::erase_if(knobs, [&](const Knob& k) {
    return std::find(only.begin(), only.end(), k.variable) == only.end();
  });
  return knobs;
}

}  // namespace zcb::bench::tune
