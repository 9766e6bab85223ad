// Runs of many seeds: see Soak().
#include "tests/support/soak.h"

#include "tests/cpg/abandoned_memory.h"
#include "tests/order/run.h"

int main(int count, char** words) {
  return zcb::testing::Soak(count, words, "order", &zcb::order::RunSeed);
}
