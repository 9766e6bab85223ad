// One round: some victims, an attacker, a region that may be lost; and what
// must not be.
#ifndef ZCB_TESTS_HOSTILE_ROUND_H_
#define ZCB_TESTS_HOSTILE_ROUND_H_

#include <cstdint>
#include <string>

namespace zcb::hostile {

struct RoundReport {
  std::uint64_t attacks = 0;
  std::uint64_t calls = 0;
  std::uint64_t errors = 0;  // calls that were answered by one
  std::uint64_t victims = 0;
  std::uint64_t killed = 0;  // by us
  std::string complaint;     // empty: all is well

  bool IsGood() const { return complaint.empty(); }
  void Add(const RoundReport& other);
};

std::string ToText(const RoundReport& report);

struct RoundOptions {
  std::uint32_t attacks = 64;
  // Once in so many attacks a file is cut, and victims handle SIGBUS; 0: never.
  std::uint32_t one_truncation_in = 0;
};

RoundReport RunRound(std::uint64_t seed, const RoundOptions& options);

}  // namespace zcb::hostile

#endif  // ZCB_TESTS_HOSTILE_ROUND_H_
