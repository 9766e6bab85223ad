// A message for whose copy there is no memory: it stays the next one, and no
// dispatch says meanwhile that there is nothing.
#include <sys/resource.h>

#include <string>

#include "tests/cpg/client.h"

namespace zcb::cpg::testing {
namespace {

const RegionOfThisTest region_of_this_test;

// While it lives, nothing more can be mapped.
class NoMoreMemory {
 public:
  NoMoreMemory() {
    getrlimit(RLIMIT_AS, &before_);
    const rlimit none{1, before_.rlim_max};
    setrlimit(RLIMIT_AS, &none);
  }
  ~NoMoreMemory() { setrlimit(RLIMIT_AS, &before_); }
  NoMoreMemory(const NoMoreMemory&) = delete;
  NoMoreMemory& operator=(const NoMoreMemory&) = delete;

 private:
  rlimit before_{};
};

TEST(StalledDispatchTest, EveryDispatchFailsUntilThereIsMemoryForTheCopy) {
  Client client;
  client.Enter("stalled");
  const std::string large(32 << 20, 'x');  // a mapping of its own
  ASSERT_EQ(client.Send(large), CS_OK);
  cs_error_t answers[4] = {};
  {
    const NoMoreMemory no_more_memory;
    answers[0] = client.Dispatch(CS_DISPATCH_ALL);
    answers[1] = client.Dispatch(CS_DISPATCH_ALL);
    answers[2] = client.Dispatch(CS_DISPATCH_ONE_NONBLOCKING);
    answers[3] = client.Dispatch(CS_DISPATCH_ONE);
  }
  for (const cs_error_t answer : answers) EXPECT_EQ(answer, CS_ERR_NO_MEMORY);
  ASSERT_TRUE(client.messages.empty());
  EXPECT_EQ(client.Dispatch(CS_DISPATCH_ALL), CS_OK);
  ASSERT_EQ(client.messages.size(), 1U);
  EXPECT_TRUE(client.messages[0].text == large);
}

}  // namespace
}  // namespace zcb::cpg::testing
