// Members killed or stopped at any time: the others go on.
#include <memory>
#include <string>
#include <thread>

#include "tests/cpg/abandoned_memory.h"
#include "tests/cpg/client.h"
#include "tests/support/child_process.h"

namespace zcb::cpg::testing {
namespace {

using zcb::testing::ChildProcess;
using zcb::testing::Gate;
using zcb::testing::TempDirectory;

const RegionOfThisTest region_of_this_test;

int Verdict() { return ::testing::Test::HasFailure() ? 1 : 0; }

bool SawDown(const Client& client, std::uint32_t pid) {
  for (const Change& change : client.changes) {
    if (!change.left.empty() && change.left[0] == pid &&
        change.reason == std::uint32_t{CPG_REASON_PROCDOWN}) {
      return true;
    }
  }
  return false;
}

std::uint32_t PidOf(const ChildProcess& child) {
  return static_cast<std::uint32_t>(child.pid());
}

// A member that joins and then does nothing more.
class Idler {
 public:
  explicit Idler(std::string_view group)
      : child_([this, group] {
          Client client;
          client.Enter(group);
          joined_.Signal();
          never_.Wait();
          return 0;
        }) {
    joined_.Wait();
  }
  const ChildProcess& child() const { return child_; }

 private:
  Gate joined_;
  Gate never_;
  ChildProcess child_;
};

TEST(DeathTest, KilledReceiverGivesProcdownAndTheSenderGoesOn) {
  for (const cpg_model_t model : {CPG_MODEL_V1, CPG_MODEL_ZCB}) {
    Client client(model);
    client.Enter("killed-receiver");
    const Idler idler("killed-receiver");
    // Until it holds the ring back.
    std::size_t sent = 0;
    cs_error_t error = CS_OK;
    while ((error = client.Send("x")) == CS_OK) {
      ++sent;
      ASSERT_EQ(client.Dispatch(), CS_OK);
    }
    EXPECT_EQ(error, CS_ERR_TRY_AGAIN);
    idler.child().Kill();
    while (client.Send("y") == CS_ERR_TRY_AGAIN) {
    }
    client.DispatchUntil([&] { return SawDown(client, PidOf(idler.child())); });
    EXPECT_EQ(client.changes.back().members,
              std::vector<std::uint32_t>{OwnPid()});
    for (std::size_t i = 0; i < 2 * sent; ++i) {
      ASSERT_EQ(client.Send("z"), CS_OK);
      ASSERT_EQ(client.Dispatch(), CS_OK);
    }
  }
}

TEST(DeathTest, BlockedDispatchIsToldOfADeathWithoutAnyTraffic) {
  Client client;
  client.Enter("silent-death");
  const Idler idler("silent-death");
  client.DispatchUntilChanges(2);
  std::thread killer([&] { idler.child().Kill(); });
  client.DispatchUntil([&] { return SawDown(client, PidOf(idler.child())); });
  killer.join();
}

TEST(DeathTest, StoppedReceiverOnlyFillsItsRing) {
  Client client;
  client.Enter("stopped");
  const Idler idler("stopped");
  idler.child().Kill(SIGSTOP);
  cs_error_t error = CS_OK;
  while ((error = client.Send("x")) == CS_OK) {
    ASSERT_EQ(client.Dispatch(), CS_OK);
  }
  EXPECT_EQ(error, CS_ERR_TRY_AGAIN);
  // Everything else works on.
  void* buffer = nullptr;
  ASSERT_EQ(cpg_zcb_alloc(client.handle, 1000, &buffer), CS_OK);
  EXPECT_EQ(cpg_zcb_free(client.handle, buffer), CS_OK);
  Client other;
  other.Enter("stopped-not");
  EXPECT_EQ(other.Send("x"), CS_OK);
  EXPECT_EQ(client.Leave("stopped"), CS_OK);
  client.DispatchUntil([&] {
    return client.changes.back().left == std::vector<std::uint32_t>{OwnPid()};
  });
  idler.child().Kill(SIGCONT);
}

TEST(DeathTest, MessageOfASenderKilledAtOnceIsDelivered) {
  for (int round = 0; round < 20; ++round) {
    Client client;
    client.Enter("killed-sender");
    ChildProcess sender([&] {
      Client peer(CPG_MODEL_ZCB);
      EXPECT_EQ(peer.Join("killed-sender"), CS_OK);
      for (int i = 0; i < 10; ++i) {
        EXPECT_EQ(peer.SendInPlace(std::to_string(i)), CS_OK);
      }
      kill(getpid(), SIGKILL);
      return 0;
    });
    client.DispatchUntil([&] { return SawDown(client, PidOf(sender)); });
    ASSERT_EQ(client.messages.size(), 10U);
    EXPECT_EQ(client.messages[9].text, "9");
    EXPECT_EQ(sender.Join(), 128 + SIGKILL);
  }
}

TEST(DeathTest, MessagesKeptByTheDeadComeBack) {
  Client client(CPG_MODEL_ZCB);
  client.Enter("kept-by-dead");
  struct cpg_zcb_region_info info{};
  info.size = sizeof(info);
  ASSERT_EQ(cpg_zcb_collect(client.handle), CS_OK);
  ASSERT_EQ(cpg_zcb_region_info(client.handle, &info), CS_OK);
  const std::uint64_t out_before = info.out_buffers;
  Gate kept;
  Gate never;
  ChildProcess keeper([&] {
    Client peer(CPG_MODEL_ZCB);
    peer.on_message_in_place = [&](const void* msg) {
      EXPECT_EQ(cpg_zcb_retain(peer.handle, msg), CS_OK);
    };
    peer.Enter("kept-by-dead");
    kept.Signal();
    peer.DispatchUntilMessages(10);
    kept.Signal();
    never.Wait();
    return 0;
  });
  kept.Wait();
  for (int i = 0; i < 10; ++i) ASSERT_EQ(client.SendInPlace("x"), CS_OK);
  client.DispatchUntilMessages(10);
  kept.Wait();
  ASSERT_EQ(cpg_zcb_collect(client.handle), CS_OK);
  ASSERT_EQ(cpg_zcb_region_info(client.handle, &info), CS_OK);
  EXPECT_EQ(info.out_buffers, out_before + 10);
  keeper.Kill();
  client.DispatchUntil([&] { return SawDown(client, PidOf(keeper)); });
  // Reaping goes on a little behind the view.
  do {
    ASSERT_EQ(cpg_zcb_collect(client.handle), CS_OK);
    ASSERT_EQ(cpg_zcb_region_info(client.handle, &info), CS_OK);
  } while (info.out_buffers != out_before);
}

TEST(DeathTest, AfterAllWereKilledTheNextStartWorksAndNothingGrows) {
  const TempDirectory elsewhere;
  setenv("ZCB_DIR", elsewhere.path().c_str(), 1);
  std::size_t files_after_first = 0;
  for (int round = 0; round < 8; ++round) {
    {
      const Idler first("all-killed");
      const Idler second("all-killed");
    }  // killed
    if (round == 0) files_after_first = elsewhere.CountFiles();
    EXPECT_LE(elsewhere.CountFiles(), files_after_first);
  }
  ChildProcess next([&] {
    auto client = std::make_unique<Client>();
    client->Enter("all-killed");
    EXPECT_EQ(client->changes[0].members, std::vector<std::uint32_t>{OwnPid()});
    EXPECT_EQ(client->Send("works"), CS_OK);
    client->DispatchUntilMessages(1);
    client.reset();
    std::exit(Verdict());
    return 0;
  });
  EXPECT_EQ(next.Join(), 0);
  EXPECT_EQ(elsewhere.CountFiles(), 0U);
  setenv("ZCB_DIR", region_of_this_test.directory().path().c_str(), 1);
}

}  // namespace
}  // namespace zcb::cpg::testing
