// Rounds of many seeds: see Soak().
#include "tests/support/soak.h"

#include <cstdint>

#include "tests/cpg/abandoned_memory.h"
#include "tests/hostile/round.h"

int main(int count, char** words) {
  return zcb::testing::Soak(count, words, "fuzz", [](std::uint64_t seed) {
    zcb::hostile::RoundOptions options;
    options.one_truncation_in = seed % 4 == 0 ? 24 : 0;
    return zcb::hostile::RunRound(seed, options);
  });
}
