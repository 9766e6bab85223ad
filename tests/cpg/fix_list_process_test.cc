// What Corosync's library gets wrong and ours does not, one test for each, as
// far as it takes several processes.
#include <setjmp.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/cpg/abandoned_memory.h"
#include "tests/cpg/client.h"
#include "tests/support/child_process.h"

namespace zcb::cpg::testing {
namespace {

using zcb::testing::ChildProcess;
using zcb::testing::Gate;

const RegionOfThisTest region_of_this_test;

int Verdict() { return ::testing::Test::HasFailure() ? 1 : 0; }

std::uint32_t PidOf(const ChildProcess& child) {
  return static_cast<std::uint32_t>(child.pid());
}

bool SawDown(const Client& client, std::uint32_t pid) {
  return std::ranges::any_of(client.changes, [pid](const Change& change) {
    return change.left == std::vector<std::uint32_t>{pid} &&
           change.reason == std::uint32_t{CPG_REASON_PROCDOWN};
  });
}

TEST(FixListProcessTest, GroupWithoutANameKeepsNoGhostOfAnyEnd) {
  enum End { kFinalize, kExit, kExitAtOnce, kKill };
  Client client;
  client.Enter("");
  for (const End end : {kFinalize, kExit, kExitAtOnce, kKill}) {
    ChildProcess child([end] {
      auto peer = std::make_unique<Client>();
      peer->Enter("");
      if (end == kFinalize) peer.reset();
      if (end == kExit) std::exit((peer.release(), Verdict()));
      if (end == kKill) kill(getpid(), SIGKILL);
      return (peer.release(), Verdict());
    });
    client.DispatchUntil([&] { return SawDown(client, PidOf(child)); });
    EXPECT_EQ(child.Join(), end == kKill ? 128 + SIGKILL : 0);
    EXPECT_EQ(client.changes.back().members,
              std::vector<std::uint32_t>{OwnPid()});
    cpg_name name = Named("");
    cpg_address members[CPG_MEMBERS_MAX];
    int count = -1;
    ASSERT_EQ(cpg_membership_get(client.handle, &name, members, &count), CS_OK);
    EXPECT_EQ(count, 1) << "a ghost";
  }
}

// Nobody is left in the group who could bury its last member.
TEST(FixListProcessTest, BystanderIsToldOfNoGhostOfTheLastMember) {
  const Client bystander;
  const auto members_of = [&](const char* group) {
    cpg_name name = Named(group);
    cpg_address members[CPG_MEMBERS_MAX];
    int count = -1;
    EXPECT_EQ(cpg_membership_get(bystander.handle, &name, members, &count),
              CS_OK);
    return count;
  };
  const auto groups = [&] {
    cpg_iteration_handle_t walk = 0;
    EXPECT_EQ(cpg_iteration_initialize(bystander.handle,
                                       CPG_ITERATION_NAME_ONLY, nullptr, &walk),
              CS_OK);
    cpg_iteration_description_t item{};
    int count = 0;
    while (cpg_iteration_next(walk, &item) == CS_OK) ++count;
    EXPECT_EQ(cpg_iteration_finalize(walk), CS_OK);
    return count;
  };
  EXPECT_EQ(groups(), 0);
  for (const char* group : {"lonely", ""}) {
    for (const bool asked_before : {false, true}) {
      Gate joined;
      Gate never;
      ChildProcess child([&] {
        Client peer;
        peer.Enter(group);
        joined.Signal();
        never.Wait();
        return 0;
      });
      joined.Wait();
      if (asked_before) {
        EXPECT_EQ(members_of(group), 1);
      }
      child.Kill();
      EXPECT_EQ(child.Join(), 128 + SIGKILL);
      if (asked_before) {
        // The thread that watches it needs its moment.
        while (members_of(group) != 0) std::this_thread::yield();
      } else {
        EXPECT_EQ(groups(), 0);
        EXPECT_EQ(members_of(group), 0);
      }
    }
  }
}

// A crowd of processes, each of which checks what it is told.
class Crowd {
 public:
  Crowd(std::size_t count, cpg_model_t model) {
    for (std::size_t i = 0; i < count; ++i) {
      children_.push_back(std::make_unique<ChildProcess>([this, model, count] {
        Client client(model);
        EXPECT_EQ(client.Join("crowd"), CS_OK);
        joined_.Signal();
        client.DispatchUntilMessages(1);
        // The sender joined last, so everybody was there by then.
        const auto& members = client.changes.back().members;
        EXPECT_EQ(members.size(), count + 1);
        EXPECT_TRUE(std::is_sorted(members.begin(), members.end()));
        EXPECT_EQ(std::ranges::count(members, OwnPid()), 1);
        EXPECT_EQ(client.messages[0].text, "to all");
        read_.Signal();
        end_.Wait();
        return Verdict();
      }));
      joined_.Wait();
    }
  }
  void WaitUntilAllRead() {
    for (std::size_t i = 0; i < children_.size(); ++i) read_.Wait();
  }
  void End() {
    for (std::size_t i = 0; i < children_.size(); ++i) end_.Signal();
    for (auto& child : children_) EXPECT_EQ(child->Join(), 0);
  }

 private:
  Gate joined_;
  Gate read_;
  Gate end_;
  std::vector<std::unique_ptr<ChildProcess>> children_;
};

class ManyMembersTest : public ::testing::TestWithParam<cpg_model_t> {};

TEST_P(ManyMembersTest, ListsOfMoreThan128AreWholeAndMembershipGetStopsThere) {
  constexpr std::size_t kProcesses = CPG_MEMBERS_MAX + 20;
  Crowd crowd(kProcesses, GetParam());
  Client client(GetParam());
  client.Enter("crowd");
  const std::vector<std::uint32_t> members = client.changes[0].members;
  EXPECT_EQ(members.size(), kProcesses + 1);
  EXPECT_TRUE(std::is_sorted(members.begin(), members.end()));
  ASSERT_EQ(client.Send("to all"), CS_OK);
  crowd.WaitUntilAllRead();

  // Guards behind the array that the caller has, and nobody tells the size of.
  struct {
    cpg_address list[CPG_MEMBERS_MAX];
    unsigned char guard[64 * sizeof(cpg_address)];
  } room;
  std::memset(&room, 0xa5, sizeof(room));
  int count = -1;
  cpg_name name = Named("crowd");
  ASSERT_EQ(cpg_membership_get(client.handle, &name, room.list, &count), CS_OK);
  EXPECT_EQ(count, CPG_MEMBERS_MAX);
  for (std::size_t i = 0; i < CPG_MEMBERS_MAX; ++i) {
    EXPECT_EQ(room.list[i].pid, members[i]);
    EXPECT_EQ(room.list[i].nodeid, 1U);
  }
  for (const unsigned char byte : room.guard) ASSERT_EQ(byte, 0xa5);

  // A walk has no such limit.
  cpg_iteration_handle_t walk = 0;
  ASSERT_EQ(cpg_iteration_initialize(client.handle, CPG_ITERATION_ONE_GROUP,
                                     &name, &walk),
            CS_OK);
  cpg_iteration_description_t item{};
  std::size_t walked = 0;
  while (cpg_iteration_next(walk, &item) == CS_OK) ++walked;
  EXPECT_EQ(walked, kProcesses + 1);
  EXPECT_EQ(cpg_iteration_finalize(walk), CS_OK);

  crowd.End();
  client.DispatchUntil(
      [&] { return client.changes.back().members.size() == 1; });
  EXPECT_EQ(client.changes.size(), 1 + kProcesses);
}

INSTANTIATE_TEST_SUITE_P(Models, ManyMembersTest,
                         ::testing::Values(CPG_MODEL_V1, CPG_MODEL_ZCB),
                         [](const auto& model) {
                           return model.param == CPG_MODEL_V1 ? "V1" : "Zcb";
                         });

TEST(FixListProcessTest, OkMeansDeliveredThoughTheSenderIsKilledAtOnce) {
  for (const cpg_model_t model : {CPG_MODEL_V1, CPG_MODEL_ZCB}) {
    for (int burst = 1; burst <= 300; burst = burst * 3 + 1) {
      Client client;
      client.Enter("killed-at-once");
      ChildProcess sender([&] {
        Client peer(model);
        if (peer.Join("killed-at-once") != CS_OK) return 1;
        for (int i = 0; i < burst; ++i) {
          if (model == CPG_MODEL_ZCB ? peer.SendInPlace("x") != CS_OK
                                     : peer.Send("x") != CS_OK) {
            return 2;
          }
        }
        kill(getpid(), SIGKILL);
        return 3;
      });
      client.DispatchUntil([&] { return SawDown(client, PidOf(sender)); });
      EXPECT_EQ(sender.Join(), 128 + SIGKILL);
      EXPECT_EQ(client.messages.size(), static_cast<std::size_t>(burst));
    }
  }
}

TEST(FixListProcessTest, ForkedChildCanNeitherHurtNorSpeakForItsParent) {
  for (const cpg_model_t model : {CPG_MODEL_V1, CPG_MODEL_ZCB}) {
    Client client(model);
    client.Enter("parent");
    ASSERT_EQ(client.Send("before"), CS_OK);
    ChildProcess child([&] {
      EXPECT_EQ(client.Send("as the parent"), CS_ERR_BAD_HANDLE);
      EXPECT_EQ(client.SendInPlace("as the parent"), CS_ERR_BAD_HANDLE);
      EXPECT_EQ(client.Leave("parent"), CS_ERR_BAD_HANDLE);
      EXPECT_EQ(client.Join("other"), CS_ERR_BAD_HANDLE);
      EXPECT_EQ(client.Dispatch(CS_DISPATCH_ONE), CS_ERR_BAD_HANDLE);
      EXPECT_EQ(cpg_finalize(client.handle), CS_ERR_BAD_HANDLE);
      EXPECT_TRUE(client.messages.empty());
      std::exit(Verdict());
      return 0;
    });
    EXPECT_EQ(child.Join(), 0);
    ASSERT_EQ(client.Send("after"), CS_OK);
    ASSERT_EQ(client.Dispatch(), CS_OK);
    EXPECT_EQ(client.Texts(), (std::vector<std::string>{"before", "after"}));
    EXPECT_EQ(client.changes.size(), 1U);
  }
}

TEST(FixListProcessTest, ForkedChildThatOutlivesItsParentKeepsNoMemberAlive) {
  Client client;
  client.Enter("orphan");
  Gate end;
  ChildProcess parent([&] {
    Client peer;
    peer.Enter("orphan");
    // Not waited for, and it outlives us; it ends when the gate opens.
    if (fork() == 0) {
      end.Wait();
      _exit(0);
    }
    kill(getpid(), SIGKILL);
    return 0;
  });
  client.DispatchUntil([&] { return SawDown(client, PidOf(parent)); });
  EXPECT_EQ(client.changes.back().members,
            std::vector<std::uint32_t>{OwnPid()});
  end.Signal();
  EXPECT_EQ(parent.Join(), 128 + SIGKILL);
}

// --- callbacks that jump -----------------------------------------------------

jmp_buf home;

TEST(FixListProcessTest, OthersGetProcdownOfAHandleThatWasJumpedOutOf) {
  Client client;
  client.Enter("jumper");
  Gate seen;
  ChildProcess jumper([&] {
    cpg_callbacks_t callbacks{
        nullptr, [](cpg_handle_t, const cpg_name*, const cpg_address*,
                    std::size_t, const cpg_address*, std::size_t,
                    const cpg_address*, std::size_t) { longjmp(home, 1); }};
    static cpg_handle_t handle;
    if (cpg_initialize(&handle, &callbacks) != CS_OK) return 1;
    const cpg_name name = Named("jumper");
    if (cpg_join(handle, &name) != CS_OK) return 2;
    if (setjmp(home) == 0) {
      (void)cpg_dispatch(handle, CS_DISPATCH_BLOCKING);
      return 3;
    }
    if (cpg_finalize(handle) != CS_OK) return 4;
    seen.Wait();  // alive while the others learn it
    return 0;
  });
  client.DispatchUntil([&] { return SawDown(client, PidOf(jumper)); });
  seen.Signal();
  EXPECT_EQ(jumper.Join(), 0);
}

}  // namespace
}  // namespace zcb::cpg::testing
