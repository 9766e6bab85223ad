// Kept messages and their senders' and keepers' deaths; what all members see.
#include <sys/mman.h>

#include <array>
#include <cstring>
#include <new>
#include <string>
#include <vector>

#include "tests/cpg/abandoned_memory.h"
#include "tests/cpg/client.h"
#include "tests/cpg/kept.h"
#include "tests/support/child_process.h"

namespace zcb::cpg::testing {
namespace {

using zcb::testing::ChildProcess;
using zcb::testing::Gate;

const RegionOfThisTest region_of_this_test;

void WaitForPid(Client& client, std::uint32_t pid, std::uint32_t reason) {
  client.DispatchUntil([&] {
    const Change& last = client.changes.back();
    const auto& subjects = last.left.empty() ? last.joined : last.left;
    return last.reason == reason && subjects[0] == pid;
  });
}

TEST(RetainProcessTest, AMessageOfAKilledSenderIsKeptAgainAndForwarded) {
  Client client(CPG_MODEL_ZCB);
  Client to(CPG_MODEL_ZCB);
  client.Enter("orphan");
  to.Enter("orphan-to");
  const std::uint64_t out_before = InfoOf(client).out_buffers;
  const char* kept = nullptr;
  client.on_message_in_place = [&](const void* msg) {
    EXPECT_EQ(cpg_zcb_retain(client.handle, msg), CS_OK);
    kept = static_cast<const char*>(msg);
  };
  Gate never;
  ChildProcess sender([&] {
    Client own(CPG_MODEL_ZCB);
    own.Enter("orphan");
    if (own.SendInPlace("last words") != CS_OK) return 1;
    never.Wait();
    return 0;
  });
  client.DispatchUntilMessages(1);
  sender.Kill();
  sender.Join();
  WaitForPid(client, client.messages[0].pid, CPG_REASON_PROCDOWN);
  EXPECT_EQ(cpg_zcb_retain(client.handle, kept), CS_OK);
  EXPECT_EQ(cpg_zcb_release(kept), CS_OK);
  EXPECT_EQ(TextAt(kept, 10), "last words");
  EXPECT_EQ(cpg_zcb_forward(to.handle, CPG_TYPE_AGREED, kept, 10), CS_OK);
  EXPECT_EQ(cpg_zcb_release(kept), CS_OK);
  ASSERT_EQ(to.Dispatch(), CS_OK);
  EXPECT_EQ(to.Texts(), std::vector<std::string>{"last words"});
  EXPECT_EQ(to.messages[0].pid, OwnPid());
  EXPECT_EQ(InfoOf(client).out_buffers, out_before);
}

TEST(RetainProcessTest, WhatAKilledProcessKeptManyTimesIsLetGoOnce) {
  Client client(CPG_MODEL_ZCB);
  client.Enter("keeper");
  const std::uint64_t out_before = InfoOf(client).out_buffers;
  Gate kept_all;
  Gate never;
  ChildProcess keeper([&] {
    Client own(CPG_MODEL_ZCB);
    own.Enter("keeper");
    own.on_message_in_place = [&](const void* msg) {
      for (int i = 0; i < 10; ++i) (void)cpg_zcb_retain(own.handle, msg);
    };
    own.DispatchUntilMessages(20);
    if (InfoOf(own).kept_messages != 200) return 1;
    kept_all.Signal();
    never.Wait();
    return 0;
  });
  client.DispatchUntilChanges(2);
  const std::uint32_t pid = static_cast<std::uint32_t>(keeper.pid());
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(client.SendInPlace("x"), CS_OK);
    ASSERT_EQ(client.Dispatch(), CS_OK);
  }
  kept_all.Wait();
  EXPECT_EQ(InfoOf(client).out_buffers, out_before + 20);
  EXPECT_EQ(InfoOf(client).kept_messages, 0U) << "it is the other that keeps";
  keeper.Kill();
  keeper.Join();
  WaitForPid(client, pid, CPG_REASON_PROCDOWN);
  // Reaping the records comes after the view, by the thread that noticed.
  while (InfoOf(client).out_buffers != out_before) sched_yield();
}

TEST(RetainProcessTest, AllMembersSeeTheSameSequenceNumbersAndTimes) {
  constexpr std::size_t kMessages = 500;
  struct Seen {
    std::array<cpg_zcb_message, kMessages> all;
  };
  void* const memory = mmap(nullptr, sizeof(Seen), PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  Seen* const others = new (memory) Seen;
  ChildProcess other([&] {
    Client own(CPG_MODEL_ZCB);
    own.Enter("sequence");
    for (std::size_t i = 0; i < kMessages;) {
      cpg_zcb_message message{};
      const cs_error_t error = cpg_zcb_next(own.handle, &message);
      if (error == CS_OK && message.kind == CPG_ZCB_MESSAGE) {
        others->all[i++] = message;
      } else if (error != CS_OK && error != CS_ERR_TRY_AGAIN) {
        return 1;
      }
    }
    return 0;
  });
  Client client(CPG_MODEL_V1);  // members of both models
  client.Enter("sequence");
  client.DispatchUntil(
      [&] { return client.changes.back().members.size() == 2; });
  ASSERT_EQ(cpg_zcb_option_set(client.handle, CPG_ZCB_OPTION_SEND_TIME, 1),
            CS_OK);
  std::vector<cpg_zcb_message> seen;
  client.on_message = [&](const void* msg, std::size_t) {
    seen.emplace_back();
    EXPECT_EQ(cpg_zcb_describe(client.handle, msg, &seen.back()), CS_OK);
  };
  for (std::size_t i = 0; i < kMessages; ++i) {
    ASSERT_EQ(client.Send("x"), CS_OK);
    ASSERT_EQ(client.Dispatch(), CS_OK);
  }
  EXPECT_EQ(other.Join(), 0);
  ASSERT_EQ(seen.size(), kMessages);
  for (std::size_t i = 0; i < kMessages; ++i) {
    EXPECT_EQ(seen[i].sequence, others->all[i].sequence);
    EXPECT_EQ(seen[i].send_time_ns, others->all[i].send_time_ns);
    EXPECT_NE(seen[i].send_time_ns, 0U);
    EXPECT_EQ(seen[i].pid, others->all[i].pid);
  }
  munmap(memory, sizeof(Seen));
}

}  // namespace
}  // namespace zcb::cpg::testing
