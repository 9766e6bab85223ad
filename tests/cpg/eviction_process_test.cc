// Members that do not read, stopped or asleep at the wheel: those with a limit
// put them out and go on.
#include <poll.h>

#include <cstdio>
#include <cstring>
#include <memory>
#include <string>

#include "ipc/attachment.h"
#include "ipc/eviction.h"
#include "tests/cpg/client.h"
#include "tests/support/child_process.h"

namespace zcb::cpg::testing {
namespace {

using zcb::testing::ChildProcess;
using zcb::testing::Gate;

const RegionOfThisTest region_of_this_test;

// What a child ends with: without it, what failed there is never printed.
int Verdict() {
  std::fflush(nullptr);
  return ::testing::Test::HasFailure() ? 1 : 0;
}

std::uint32_t PidOf(const ChildProcess& child) {
  return static_cast<std::uint32_t>(child.pid());
}

int CountDowns(const Client& client, std::uint32_t pid) {
  int downs = 0;
  for (const Change& change : client.changes) {
    if (!change.left.empty() && change.left[0] == pid) {
      EXPECT_EQ(change.reason, std::uint32_t{CPG_REASON_PROCDOWN});
      ++downs;
    }
  }
  return downs;
}

void SetLimit(const Client& client, std::uint64_t limit_ms) {
  ASSERT_EQ(
      cpg_zcb_option_set(client.handle, CPG_ZCB_OPTION_EVICT_MS, limit_ms),
      CS_OK);
}

// What lies below the API: this process's attachment, a group's words.
std::shared_ptr<ipc::Attachment> OwnAttachment() {
  const auto options = ipc::IpcOptions::FromEnvironment();
  EXPECT_TRUE(options.ok());
  auto attachment = ipc::Attachment::Open(*options);
  EXPECT_TRUE(attachment.ok()) << attachment.reason();
  return *attachment;
}

ipc::GroupView GroupOf(ipc::Attachment& attachment, std::string_view name) {
  const auto found =
      attachment.directory().Find(ipc::GroupName({name.data(), name.size()}));
  EXPECT_TRUE(found.ok() && found->has_value());
  return **found;
}

int CountEntriesInUse(const ipc::GroupView& group) {
  int in_use = 0;
  for (std::uint16_t i = 0; i < group.EntryHigh(); ++i) {
    const ipc::EntryWord word(group.entry(i).word.load());
    if (word.phase() != ipc::EntryWord::Phase::kFree) ++in_use;
  }
  return in_use;
}

// Puts out whoever is in the group but the caller's own process.
void EvictOthers(ipc::Attachment& attachment, const ipc::GroupView& group) {
  for (std::uint16_t i = 0; i < group.EntryHigh(); ++i) {
    const ipc::EntryWord word(group.entry(i).word.load());
    if (word.phase() == ipc::EntryWord::Phase::kMember &&
        word.lease() != attachment.region().lease()) {
      ipc::Evict(group, i, word);
    }
  }
}

// Sends and reads until it has seen the process go.
void SendUntilDown(Client& client, std::uint32_t pid) {
  while (CountDowns(client, pid) == 0) {
    const cs_error_t error = client.Send("x");
    ASSERT_TRUE(error == CS_OK || error == CS_ERR_TRY_AGAIN) << error;
    ASSERT_EQ(client.Dispatch(), CS_OK);
    client.messages.clear();
  }
}

std::uint64_t Evictions(const Client& client) {
  struct cpg_zcb_group_stats stats{};
  stats.size = sizeof(stats);
  EXPECT_EQ(cpg_zcb_group_stats_get(client.handle, nullptr, &stats), CS_OK);
  return stats.evictions;
}

// Everything a member may ask for, after it was put out.
void ExpectPutOut(Client& client, std::string_view group) {
  EXPECT_EQ(client.Dispatch(), CS_ERR_LIBRARY);
  EXPECT_EQ(client.Dispatch(CS_DISPATCH_ONE_NONBLOCKING), CS_ERR_LIBRARY);
  EXPECT_EQ(client.Dispatch(CS_DISPATCH_ONE), CS_ERR_LIBRARY);
  EXPECT_EQ(client.Dispatch(CS_DISPATCH_BLOCKING), CS_ERR_LIBRARY);
  EXPECT_EQ(client.Send("x"), CS_ERR_LIBRARY);
  EXPECT_EQ(client.Leave(group), CS_ERR_LIBRARY);
  EXPECT_EQ(client.Join(group), CS_ERR_LIBRARY);
  int fd = -1;
  ASSERT_EQ(cpg_fd_get(client.handle, &fd), CS_OK);
  pollfd entry{fd, POLLIN, 0};
  EXPECT_EQ(poll(&entry, 1, 0), 1) << "so that its program learns of it";
  EXPECT_EQ(client.Dispatch(), CS_ERR_LIBRARY);
  EXPECT_EQ(poll(&entry, 1, 0), 1);
}

TEST(EvictionTest, StoppedMemberIsPutOutAndLearnsItWhenItGoesOn) {
  for (const cpg_model_t model : {CPG_MODEL_V1, CPG_MODEL_ZCB}) {
    const std::string group =
        "stopped-" + std::to_string(static_cast<int>(model));
    Client client(model);
    client.Enter(group);
    SetLimit(client, 20);
    Gate joined;
    Gate go_on;
    Gate done;
    ChildProcess child([&] {
      auto peer = std::make_unique<Client>(model);
      peer->Enter(group);
      joined.Signal();
      go_on.Wait();
      ExpectPutOut(*peer, group);
      EXPECT_EQ(peer->messages.size(), 0U) << "nothing of what it had missed";
      // A fresh handle helps, also before the other one is finalized.
      Client fresh(model);
      fresh.Enter(group);
      EXPECT_EQ(fresh.changes[0].members.size(), 2U);
      peer.reset();
      EXPECT_EQ(fresh.Send("back again"), CS_OK);
      done.Signal();
      go_on.Wait();
      return Verdict();
    });
    joined.Wait();
    child.Kill(SIGSTOP);
    SendUntilDown(client, PidOf(child));
    EXPECT_EQ(Evictions(client), 1U);
    for (int i = 0; i < 10000; ++i) {
      ASSERT_EQ(client.Send("y"), CS_OK) << "it holds nobody up any more";
      ASSERT_EQ(client.Dispatch(), CS_OK);
      client.messages.clear();
    }
    child.Kill(SIGCONT);
    go_on.Signal();
    done.Wait();
    client.DispatchUntilMessages(1);
    EXPECT_EQ(client.messages.back().text, "back again");
    EXPECT_EQ(CountDowns(client, PidOf(child)), 1)
        << "not once more when the old handle went";
    EXPECT_EQ(client.changes.back().members.size(), 2U);
    go_on.Signal();
    EXPECT_EQ(child.Join(), 0);
  }
}

TEST(EvictionTest, WithoutALimitNobodyIsPutOut) {
  Client client;
  client.Enter("unlimited");
  Gate joined;
  Gate never;
  ChildProcess child([&] {
    Client peer;
    peer.Enter("unlimited");
    joined.Signal();
    never.Wait();
    return 0;
  });
  joined.Wait();
  child.Kill(SIGSTOP);
  while (client.Send("x") == CS_OK) ASSERT_EQ(client.Dispatch(), CS_OK);
  for (int i = 0; i < 10000; ++i) {
    ASSERT_EQ(client.Send("x"), CS_ERR_TRY_AGAIN);
  }
  EXPECT_EQ(Evictions(client), 0U);
}

TEST(EvictionTest, LimitOfTheEnvironmentIsThatOfNewHandles) {
  setenv("ZCB_EVICT_MS", "10", 1);
  Client client;
  unsetenv("ZCB_EVICT_MS");
  client.Enter("environment");
  Gate joined;
  Gate never;
  ChildProcess child([&] {
    Client peer;
    peer.Enter("environment");
    joined.Signal();
    never.Wait();
    return 0;
  });
  joined.Wait();
  SendUntilDown(client, PidOf(child));
}

// Inside its callback: it has the bytes, or a copy, and is told at once.
TEST(EvictionTest, CallbackThatTakesTooLongEndsInAnError) {
  for (const cpg_model_t model : {CPG_MODEL_V1, CPG_MODEL_ZCB}) {
    const std::string group = "slow-" + std::to_string(static_cast<int>(model));
    Client client(model);
    client.Enter(group);
    SetLimit(client, 20);
    Gate in_callback;
    Gate evicted;
    ChildProcess child([&] {
      Client peer(model);
      peer.Enter(group);
      in_callback.Signal();
      const auto wait = [&] {
        in_callback.Signal();
        evicted.Wait();
      };
      peer.on_message = [&](void*, std::size_t) { wait(); };
      peer.on_message_in_place = [&](const void* msg) {
        wait();
        EXPECT_EQ(cpg_zcb_retain(peer.handle, msg), CS_ERR_LIBRARY);
      };
      // V1: the callback has its copy, all is well until the next event.
      EXPECT_EQ(peer.Dispatch(CS_DISPATCH_ONE),
                model == CPG_MODEL_V1 ? CS_OK : CS_ERR_LIBRARY);
      EXPECT_EQ(peer.messages.size(), 1U);
      EXPECT_EQ(peer.Dispatch(CS_DISPATCH_ONE), CS_ERR_LIBRARY);
      EXPECT_EQ(peer.messages.size(), 1U);
      return Verdict();
    });
    in_callback.Wait();
    ASSERT_EQ(client.Send("the one"), CS_OK);
    in_callback.Wait();
    const std::uint32_t pid = PidOf(child);
    SendUntilDown(client, pid);
    evicted.Signal();
    EXPECT_EQ(child.Join(), 0);
    ASSERT_EQ(client.Dispatch(), CS_OK);
    EXPECT_EQ(CountDowns(client, pid), 1);
  }
}

TEST(EvictionTest, PulledMessageThatIsHeldTooLongAndWhatWasKept) {
  Client client(CPG_MODEL_ZCB);
  client.Enter("pulled");
  SetLimit(client, 20);
  Gate has_it;
  Gate evicted;
  ChildProcess child([&] {
    Client peer(CPG_MODEL_ZCB);
    peer.Enter("pulled");
    has_it.Signal();
    cpg_zcb_message message{};
    const auto pull = [&] {
      cs_error_t error = CS_OK;
      do {
        error = cpg_zcb_next(peer.handle, &message);
      } while (error == CS_ERR_TRY_AGAIN);
      return error;
    };
    EXPECT_EQ(pull(), CS_OK);
    const void* const kept = message.data;
    EXPECT_EQ(cpg_zcb_retain(peer.handle, kept), CS_OK);
    EXPECT_EQ(pull(), CS_OK);
    has_it.Signal();
    evicted.Wait();
    EXPECT_EQ(cpg_zcb_retain(peer.handle, message.data), CS_ERR_LIBRARY);
    EXPECT_EQ(pull(), CS_ERR_LIBRARY);
    EXPECT_EQ(pull(), CS_ERR_LIBRARY);
    EXPECT_EQ(std::string(static_cast<const char*>(kept), 4), "kept");
    EXPECT_EQ(cpg_zcb_release(kept), CS_OK);
    void* buffer = nullptr;
    EXPECT_EQ(cpg_zcb_alloc(peer.handle, 100, &buffer), CS_OK);
    EXPECT_EQ(cpg_zcb_mcast_joined(peer.handle, CPG_TYPE_AGREED, buffer, 100),
              CS_ERR_LIBRARY);
    EXPECT_EQ(cpg_zcb_free(peer.handle, buffer), CS_OK) << "still its own";
    return Verdict();
  });
  has_it.Wait();
  ASSERT_EQ(client.Send("kept"), CS_OK);
  ASSERT_EQ(client.Send("held"), CS_OK);
  has_it.Wait();
  SendUntilDown(client, PidOf(child));
  evicted.Signal();
  EXPECT_EQ(child.Join(), 0);
}

TEST(EvictionTest, EvictedThatIsKilledIsNotSeenToDieOnceMore) {
  Client client;
  client.Enter("killed-later");
  SetLimit(client, 10);
  for (int round = 0; round < 5; ++round) {
    Gate joined;
    Gate never;
    ChildProcess child([&] {
      Client peer;
      peer.Enter("killed-later");
      joined.Signal();
      never.Wait();
      return 0;
    });
    joined.Wait();
    child.Kill(SIGSTOP);
    SendUntilDown(client, PidOf(child));
    child.Kill();
    const std::uint32_t pid = PidOf(child);
    child.Join();
    // Its lease is free again when all of it is mended.
    struct cpg_zcb_region_info info{};
    do {
      info.size = sizeof(info);
      ASSERT_EQ(cpg_zcb_collect(client.handle), CS_OK);
      ASSERT_EQ(cpg_zcb_region_info(client.handle, &info), CS_OK);
    } while (info.processes != 1);
    ASSERT_EQ(client.Dispatch(), CS_OK);
    EXPECT_EQ(CountDowns(client, pid), 1);
    ASSERT_EQ(cpg_zcb_collect(client.handle), CS_OK);
    EXPECT_EQ(CountEntriesInUse(GroupOf(*OwnAttachment(), "killed-later")), 1)
        << "the reaper lets go of what was put out";
  }
  EXPECT_EQ(Evictions(client), 5U);
}

TEST(EvictionTest, TwoSendersWithALimitPutOneMemberOutOnce) {
  // Both are judged, too: longer than a busy machine keeps one from its turn.
  constexpr std::uint64_t kLimitMs = 1000;
  Client client;
  client.Enter("two");
  SetLimit(client, kLimitMs);
  Gate ready;
  Gate never;
  Gate finish;
  ChildProcess other([&] {
    Client peer;
    peer.Enter("two");
    SetLimit(peer, kLimitMs);
    ready.Signal();
    while (!finish.TryWait()) {
      const cs_error_t error = peer.Send("o");
      EXPECT_TRUE(error == CS_OK || error == CS_ERR_TRY_AGAIN);
      EXPECT_EQ(peer.Dispatch(), CS_OK);
      peer.messages.clear();
    }
    peer.DispatchUntil([&] { return peer.changes.size() >= 3; });
    EXPECT_EQ(peer.changes.size(), 3U) << "own join, join, down";
    return Verdict();
  });
  ready.Wait();
  ChildProcess child([&] {
    Client peer;
    peer.Enter("two");
    ready.Signal();
    never.Wait();
    return 0;
  });
  ready.Wait();
  child.Kill(SIGSTOP);
  SendUntilDown(client, PidOf(child));
  EXPECT_EQ(Evictions(client), 1U);
  finish.Signal();
  EXPECT_EQ(other.Join(), 0);
}

// Put out at any moment of a long copy, while what it copies is written anew:
// it may be told that it was put out, never what the bytes were half way.
TEST(EvictionTest, MessageThatWasOverwrittenWhileItWasCopiedIsNotDelivered) {
  constexpr std::size_t kBytes = 32 << 20;
  constexpr int kRounds = 40;
  // Without callbacks: it copies nothing itself.
  cpg_model_zcb_data_t no_callbacks{};
  cpg_handle_t sender = 0;
  ASSERT_EQ(cpg_model_initialize(
                &sender, CPG_MODEL_ZCB,
                reinterpret_cast<cpg_model_data_t*>(&no_callbacks), nullptr),
            CS_OK);
  const cpg_name name = Named("torn");
  ASSERT_EQ(cpg_join(sender, &name), CS_OK);
  const auto attachment = OwnAttachment();
  // Memory for one such message, so that the next one lies where it lay.
  std::vector<void*> others;
  void* buffer = nullptr;
  while (cpg_zcb_alloc(sender, kBytes, &buffer) == CS_OK) {
    others.push_back(buffer);
  }
  ASSERT_EQ(cpg_zcb_free(sender, others.back()), CS_OK);
  others.pop_back();
  Gate joined;
  Gate next;
  ChildProcess child([&] {
    for (int i = 0; i < kRounds; ++i) {
      Client peer;
      peer.Enter("torn");
      peer.on_message = [&](void* msg, std::size_t length_bytes) {
        const char* const bytes = static_cast<char*>(msg);
        EXPECT_EQ(std::memcmp(bytes, bytes + 1, length_bytes - 1), 0);
      };
      joined.Signal();
      cs_error_t error = CS_OK;
      while (error == CS_OK) error = peer.Dispatch(CS_DISPATCH_ONE);
      EXPECT_EQ(error, CS_ERR_LIBRARY);
      next.Wait();
    }
    return Verdict();
  });
  const std::string text[2] = {std::string(kBytes, 'a'),
                               std::string(kBytes, 'b')};
  const auto send = [&](std::size_t which) {
    const iovec piece{const_cast<char*>(text[which].data()), kBytes};
    cs_error_t error = CS_OK;
    do {
      EXPECT_EQ(cpg_dispatch(sender, CS_DISPATCH_ALL), CS_OK);
      error = cpg_mcast_joined(sender, CPG_TYPE_AGREED, &piece, 1);
    } while (error == CS_ERR_TRY_AGAIN);
    EXPECT_EQ(error, CS_OK);
    EXPECT_EQ(cpg_dispatch(sender, CS_DISPATCH_ALL), CS_OK);
  };
  for (int i = 0; i < kRounds; ++i) {
    joined.Wait();
    send(0);
    // A little later each time, by something that takes time.
    struct cpg_zcb_group_stats stats{};
    stats.size = sizeof(stats);
    for (int turn = 0; turn < 500 * i; ++turn) {
      ASSERT_EQ(cpg_zcb_group_stats_get(sender, nullptr, &stats), CS_OK);
    }
    EvictOthers(*attachment, GroupOf(*attachment, "torn"));
    send(1);
    next.Signal();
  }
  EXPECT_EQ(child.Join(), 0);
  for (void* each : others) EXPECT_EQ(cpg_zcb_free(sender, each), CS_OK);
  EXPECT_EQ(cpg_finalize(sender), CS_OK);
}

TEST(EvictionTest, JoiningAndPuttingOutManyTimesUsesNothingUp) {
  Client client;
  client.Enter("many");
  SetLimit(client, 1);
  struct cpg_zcb_region_info info{};
  info.size = sizeof(info);
  Gate joined;
  Gate next;
  constexpr int kRounds = 300;  // more than there are entries
  ChildProcess child([&] {
    for (int i = 0; i < kRounds; ++i) {
      Client peer;
      peer.Enter("many");
      joined.Signal();
      next.Wait();
      EXPECT_EQ(peer.Dispatch(), CS_ERR_LIBRARY);
    }
    joined.Signal();
    next.Wait();
    return Verdict();
  });
  for (int i = 0; i < kRounds; ++i) {
    joined.Wait();
    client.changes.clear();
    SendUntilDown(client, PidOf(child));
    next.Signal();
  }
  joined.Wait();
  EXPECT_EQ(Evictions(client), static_cast<std::uint64_t>(kRounds));
  ASSERT_EQ(cpg_zcb_collect(client.handle), CS_OK);
  ASSERT_EQ(cpg_zcb_region_info(client.handle, &info), CS_OK);
  EXPECT_EQ(info.out_buffers, 0U);
  next.Signal();
  EXPECT_EQ(child.Join(), 0);
}

}  // namespace
}  // namespace zcb::cpg::testing
