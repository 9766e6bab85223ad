#include "tests/order/sequence_check.h"

#include <map>
#include <string>

namespace zcb::order {

void CheckSequences(const History& history, Verdict* verdict) {
  using Kind = Violation::Kind;
  std::map<MessageId, std::uint64_t> known;
  for (std::uint32_t i = 0; i < history.memberships.size(); ++i) {
    std::uint64_t last = 0;
    for (const Event& event : history.memberships[i].log) {
      if (event.kind != Event::Kind::kMessage || !event.intact ||
          event.sequence == 0) {
        continue;
      }
      const std::string text =
          ToText(event) + " is number " + std::to_string(event.sequence);
      if (event.sequence <= last) {
        verdict->violations.push_back(
            {Kind::kSequenceFell, i, text + " after " + std::to_string(last)});
      }
      last = event.sequence;
      const auto [first, is_new] = known.try_emplace(event.id, event.sequence);
      if (first->second != event.sequence) {
        verdict->violations.push_back(
            {Kind::kSequenceDiffers, i,
             text + ", and elsewhere " + std::to_string(first->second)});
      }
    }
  }
}

}  // namespace zcb::order
