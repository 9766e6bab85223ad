// Somebody rings all the time, with nothing to say.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <stop_token>
#include <thread>

#include "ipc/attachment.h"
#include "ipc/group_header.h"
#include "ipc/sleep_word.h"
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
  ipc::EntryState& entry = (*group)->entry(0);
  std::jthread ringer([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      for (int i = 0; i < 1'000; ++i) {
        entry.bell.fetch_add(1, std::memory_order_relaxed);
      }
    }
  });
  // A sleep for each time that it waits: once, since its time is over at once.
  const auto sleeps = [&] {
    return ipc::SleepWord(entry.sleep.load(std::memory_order_relaxed)).epoch();
  };
  const auto rings = [&] { return entry.bell.load(std::memory_order_relaxed); };
  for (int i = 0; i < 500; ++i) {
    // On a busy machine the other thread does not always run: now it does.
    while (rings() == rings()) {
    }
    const std::uint64_t before = sleeps();
    ASSERT_EQ(cpg_zcb_dispatch_timed(client.handle, CS_DISPATCH_ONE, 0),
              CS_ERR_TIMEOUT);
    ASSERT_LE(sleeps(), before + 1);
    cpg_zcb_message message{};
    ASSERT_EQ(cpg_zcb_next_timed(client.handle, &message, 0), CS_ERR_TIMEOUT);
    ASSERT_LE(sleeps(), before + 2);
  }
}

}  // namespace
}  // namespace zcb::hostile
