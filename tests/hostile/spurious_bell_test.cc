// Somebody rings all the time, with nothing to say.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <thread>

#include "ipc/attachment.h"
#include "ipc/futex.h"
#include "ipc/group_header.h"
#include "tests/cpg/client.h"

namespace zcb::hostile {
namespace {

using cpg::testing::Client;

const cpg::testing::RegionOfThisTest region_of_this_test;

TEST(SpuriousBellTest, ATimedCallEndsAllTheSame) {
  setenv("ZCB_WAIT", "park", 1);  // no look before the sleep
  Client client(CPG_MODEL_ZCB);
  client.Enter("group");
  const auto options = ipc::IpcOptions::FromEnvironment();
  ASSERT_TRUE(options.ok());
  const auto attachment = ipc::Attachment::Open(*options);
  ASSERT_TRUE(attachment.ok());
  const auto group =
      (*attachment)->directory().Find(ipc::GroupName({"group", 5}));
  ASSERT_TRUE(group.ok() && group->has_value());
  std::atomic<bool> is_over{false};
  std::thread ringer([&] {
    while (!is_over.load(std::memory_order_relaxed)) {
      ipc::FutexRing(&(*group)->entry(0).bell);
    }
  });
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(cpg_zcb_dispatch_timed(client.handle, CS_DISPATCH_ONE, 1),
              CS_ERR_TIMEOUT);
    cpg_zcb_message message{};
    EXPECT_EQ(cpg_zcb_next_timed(client.handle, &message, 1), CS_ERR_TIMEOUT);
  }
  is_over.store(true, std::memory_order_relaxed);
  ringer.join();
}

}  // namespace
}  // namespace zcb::hostile
