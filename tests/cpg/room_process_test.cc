// Waiting until a send can succeed: cpg_zcb_wait, cpg_zcb_send_fd_get and the
// timed sends, against members in other processes that read late or never.
#include <sys/syscall.h>

#include <cerrno>
#include <cstddef>
#include <string>
#include <thread>
#include <vector>

#include "tests/cpg/client.h"
#include "tests/cpg/full_ring.h"
#include "tests/support/child_process.h"
#include "tests/support/refused_calls.h"

namespace zcb::cpg::testing {
namespace {

using zcb::testing::ChildProcess;
using zcb::testing::Gate;

const RegionOfThisTest region_of_this_test;

TEST(RoomTest, WaitReturnsAtOnceWhileThereIsRoomAndNeedsAMember) {
  Client client;
  EXPECT_EQ(cpg_zcb_wait(client.handle, 100, -1), CS_ERR_NOT_EXIST);
  client.Enter("room");
  EXPECT_EQ(cpg_zcb_wait(client.handle, 0, -1), CS_OK);
  EXPECT_EQ(cpg_zcb_wait(client.handle, 100, 0), CS_OK);
  EXPECT_EQ(cpg_zcb_wait(client.handle, std::size_t{1} << 40, -1),
            CS_ERR_TOO_BIG);
  EXPECT_EQ(cpg_zcb_wait(0, 0, 0), CS_ERR_BAD_HANDLE);
}

TEST(RoomTest, WaitEndsInTimeOrWhenTheSlowestReads) {
  LateReader reader("slow", kAll);
  Client client;
  client.Enter("slow");
  Fill(&client);
  EXPECT_EQ(cpg_zcb_wait(client.handle, 0, 0), CS_ERR_TIMEOUT);
  EXPECT_EQ(cpg_zcb_wait(client.handle, 10, 3), CS_ERR_TIMEOUT);
  std::thread waker([&] { reader.Go(); });
  EXPECT_EQ(cpg_zcb_wait(client.handle, 10, -1), CS_OK);
  waker.join();
  EXPECT_EQ(client.Send("goes"), CS_OK);
}

TEST(RoomTest, OneFreePlaceIsEnoughToWakeASender) {
  LateReader reader("one-place", 1);
  Client client;
  client.Enter("one-place");
  Fill(&client);
  for (int i = 0; i < 50; ++i) {
    std::thread waker([&] { reader.Go(); });
    EXPECT_EQ(cpg_zcb_wait(client.handle, 0, -1), CS_OK);
    waker.join();
    while (client.Send("x") == CS_OK) ASSERT_EQ(client.Dispatch(), CS_OK);
  }
}

TEST(RoomTest, KilledMemberThatHeldTheRingBackEndsTheWait) {
  LateReader reader("killed", kAll);
  Client client;
  client.Enter("killed");
  Fill(&client);
  std::thread killer([&] { reader.child().Kill(); });
  EXPECT_EQ(cpg_zcb_wait(client.handle, 0, -1), CS_OK);
  killer.join();
}

TEST(RoomTest, FinalizeAndLeaveEndAWait) {
  LateReader reader("ended", kAll);
  for (const bool leaves : {true, false}) {
    Client client;
    client.Enter("ended");
    Fill(&client);
    std::thread waiter([&] {
      EXPECT_EQ(cpg_zcb_wait(client.handle, 0, -1),
                leaves ? CS_ERR_NOT_EXIST : CS_ERR_BAD_HANDLE);
    });
    // However far the waiter is.
    if (leaves) {
      EXPECT_EQ(client.Leave("ended"), CS_OK);
    } else {
      EXPECT_EQ(cpg_finalize(client.handle), CS_OK);
    }
    waiter.join();
    reader.GoAndWait();
  }
}

TEST(RoomTest, DescriptorIsReadableUntilASendIsRefusedAndAgainWithRoom) {
  LateReader reader("fd", kAll);
  Client client;
  const int fd = SendFd(client);
  EXPECT_TRUE(IsReadable(fd));
  client.Enter("fd");
  EXPECT_TRUE(IsReadable(fd));
  for (int round = 0; round < 5; ++round) {
    Fill(&client);
    EXPECT_FALSE(IsReadable(fd));
    EXPECT_EQ(SendFd(client), fd);
    // Read to the end before the next round: what it reads makes room.
    std::thread waker([&] { reader.GoAndWait(); });
    EXPECT_TRUE(IsReadable(fd, -1));
    waker.join();
    EXPECT_EQ(client.Send("goes"), CS_OK);
  }
}

TEST(RoomTest, DescriptorTellsOfALeaveSoThatNobodyPollsForEver) {
  LateReader reader("fd-leave", kAll);
  Client client;
  client.Enter("fd-leave");
  const int fd = SendFd(client);
  Fill(&client);
  EXPECT_FALSE(IsReadable(fd));
  EXPECT_EQ(client.Leave("fd-leave"), CS_OK);
  EXPECT_TRUE(IsReadable(fd));
  EXPECT_EQ(client.Send("x"), CS_ERR_NOT_EXIST);
}

TEST(RoomTest, DescriptorTellsWhenTheTimeOfOneWhoDoesNotReadIsOver) {
  const LateReader stopped("fd-evict", kAll);
  stopped.child().Kill(SIGSTOP);
  Client client;
  client.Enter("fd-evict");
  const int fd = SendFd(client);
  ASSERT_EQ(cpg_zcb_option_set(client.handle, CPG_ZCB_OPTION_EVICT_MS, 30),
            CS_OK);
  // Nothing but this descriptor tells that it is worth another try.
  cs_error_t error = CS_OK;
  for (int sent = 0; sent < 10'000;) {
    error = client.Send("x");
    if (error == CS_OK) {
      ++sent;
      ASSERT_EQ(client.Dispatch(), CS_OK);
      continue;
    }
    ASSERT_EQ(error, CS_ERR_TRY_AGAIN);
    ASSERT_EQ(client.Dispatch(), CS_OK);
    ASSERT_TRUE(IsReadable(fd, -1));
  }
  EXPECT_EQ(client.changes.back().reason, std::uint32_t{CPG_REASON_PROCDOWN});
  stopped.child().Kill(SIGCONT);
}

// Keeps all memory of the region in buffers.
std::vector<void*> TakeAllMemory(const Client& client, std::size_t bytes) {
  std::vector<void*> buffers;
  void* buffer = nullptr;
  while (cpg_zcb_alloc(client.handle, bytes, &buffer) == CS_OK) {
    buffers.push_back(buffer);
  }
  return buffers;
}

TEST(RoomTest, WaitForMemoryEndsWhenSomeIsFreed) {
  constexpr std::size_t kBytes = 8 << 20;
  Client client;
  client.Enter("memory");
  std::vector<void*> buffers = TakeAllMemory(client, kBytes);
  const std::string large(kBytes, 'x');
  EXPECT_EQ(client.Send(large), CS_ERR_TRY_AGAIN);
  EXPECT_EQ(cpg_zcb_wait(client.handle, kBytes, 0), CS_ERR_TIMEOUT);
  EXPECT_EQ(cpg_zcb_wait(client.handle, 0, 0), CS_OK);  // the ring has room
  std::thread freer(
      [&] { EXPECT_EQ(cpg_zcb_free(client.handle, buffers.back()), CS_OK); });
  EXPECT_EQ(cpg_zcb_wait(client.handle, kBytes, -1), CS_OK);
  freer.join();
  buffers.pop_back();
  EXPECT_EQ(client.Send(large), CS_OK);
  for (void* each : buffers)
    EXPECT_EQ(cpg_zcb_free(client.handle, each), CS_OK);
}

// Empty messages need a buffer, too.
TEST(RoomTest, TimedSendOfNothingEndsInTimeWhereMemoryIsFull) {
  Client client;
  client.Enter("memory-nothing");
  std::vector<void*> buffers;
  for (const std::size_t bytes :
       {8U << 20, 1U << 20, 32U << 10, 1U << 10, 1U}) {
    for (void* buffer : TakeAllMemory(client, bytes)) buffers.push_back(buffer);
  }
  char nothing = 0;
  EXPECT_EQ(cpg_zcb_mcastv_timed(client.handle, CPG_TYPE_AGREED, nullptr, 0, 2),
            CS_ERR_TIMEOUT);
  EXPECT_EQ(cpg_zcb_mcast_timed(client.handle, CPG_TYPE_AGREED, &nothing, 0, 2),
            CS_ERR_TIMEOUT);
  for (void* each : buffers)
    EXPECT_EQ(cpg_zcb_free(client.handle, each), CS_OK);
  EXPECT_EQ(cpg_zcb_mcastv_timed(client.handle, CPG_TYPE_AGREED, nullptr, 0, 2),
            CS_OK);
}

TEST(RoomTest, DescriptorTellsOfMemoryThatCameBack) {
  constexpr std::size_t kBytes = 8 << 20;
  Client client;
  client.Enter("fd-memory");
  const int fd = SendFd(client);
  std::vector<void*> buffers = TakeAllMemory(client, kBytes);
  const std::string large(kBytes, 'x');
  EXPECT_EQ(client.Send(large), CS_ERR_TRY_AGAIN);
  EXPECT_FALSE(IsReadable(fd));
  EXPECT_EQ(cpg_zcb_free(client.handle, buffers.back()), CS_OK);
  buffers.pop_back();
  EXPECT_TRUE(IsReadable(fd));
  EXPECT_EQ(client.Send(large), CS_OK);
  // The same when it is a message that another group has read.
  Client other;
  other.Enter("fd-memory-other");
  EXPECT_EQ(client.Dispatch(), CS_OK);
  EXPECT_EQ(other.Send(large), CS_OK);
  EXPECT_EQ(client.Send(large), CS_ERR_TRY_AGAIN);
  EXPECT_FALSE(IsReadable(fd));
  EXPECT_EQ(other.Dispatch(), CS_OK);
  EXPECT_TRUE(IsReadable(fd));
  EXPECT_EQ(client.Send(large), CS_OK);
  for (void* each : buffers)
    EXPECT_EQ(cpg_zcb_free(client.handle, each), CS_OK);
}

TEST(RoomTest, DescriptorTellsOfMemoryForAnAllocationThatWasRefused) {
  constexpr std::size_t kBytes = 8 << 20;
  Client client(CPG_MODEL_ZCB);
  client.Enter("fd-alloc");
  const int fd = SendFd(client);
  std::vector<void*> buffers = TakeAllMemory(client, kBytes);
  for (int round = 0; round < 3; ++round) {
    EXPECT_FALSE(IsReadable(fd));
    EXPECT_EQ(cpg_zcb_free(client.handle, buffers.back()), CS_OK);
    EXPECT_TRUE(IsReadable(fd));
    EXPECT_EQ(cpg_zcb_alloc(client.handle, kBytes, &buffers.back()), CS_OK);
    void* more = nullptr;
    EXPECT_EQ(cpg_zcb_alloc(client.handle, kBytes, &more), CS_ERR_NO_MEMORY);
  }
  for (void* each : buffers)
    EXPECT_EQ(cpg_zcb_free(client.handle, each), CS_OK);
}

// One sender lacks memory, another one room, of one handle and one descriptor.
TEST(RoomTest, DescriptorTellsOfEitherThatWasLacking) {
  constexpr std::size_t kBytes = 8 << 20;
  LateReader reader("fd-both", kAll);
  Client client;
  client.Enter("fd-both");
  const int fd = SendFd(client);
  std::vector<void*> buffers = TakeAllMemory(client, kBytes);
  const auto lack = [&](bool memory_last) {
    void* more = nullptr;
    EXPECT_EQ(cpg_zcb_alloc(client.handle, kBytes, &more), CS_ERR_NO_MEMORY);
    Fill(&client);
    if (memory_last) {
      EXPECT_EQ(cpg_zcb_alloc(client.handle, kBytes, &more), CS_ERR_NO_MEMORY);
    }
    EXPECT_FALSE(IsReadable(fd));
  };
  for (const bool memory_last : {false, true}) {
    lack(memory_last);
    reader.GoAndWait();
    EXPECT_TRUE(IsReadable(fd)) << "of room";
    lack(memory_last);
    EXPECT_EQ(cpg_zcb_free(client.handle, buffers.back()), CS_OK);
    EXPECT_TRUE(IsReadable(fd)) << "of memory";
    EXPECT_EQ(cpg_zcb_alloc(client.handle, kBytes, &buffers.back()), CS_OK);
    reader.GoAndWait();
  }
  for (void* each : buffers)
    EXPECT_EQ(cpg_zcb_free(client.handle, each), CS_OK);
}

TEST(RoomTest, TimedSendsDeliverAllThroughARingThatIsAlwaysFull) {
  constexpr int kMessages = 40'000;
  Gate joined;
  ChildProcess reader([&] {
    Client client(CPG_MODEL_ZCB);
    client.Enter("always-full");
    joined.Signal();
    for (int i = 0; i < kMessages; ++i) {
      client.messages.clear();
      while (client.messages.empty()) {
        if (client.Dispatch(CS_DISPATCH_ONE) != CS_OK) return 1;
      }
      if (client.messages[0].text != std::to_string(i)) return 2;
    }
    return 0;
  });
  joined.Wait();
  Client client(CPG_MODEL_ZCB);
  client.Enter("always-full");
  for (int i = 0; i < kMessages; ++i) {
    const std::string text = std::to_string(i);
    if (i % 2 == 0) {
      iovec piece{const_cast<char*>(text.data()), text.size()};
      ASSERT_EQ(
          cpg_zcb_mcastv_timed(client.handle, CPG_TYPE_AGREED, &piece, 1, -1),
          CS_OK);
    } else {
      void* buffer = nullptr;
      ASSERT_EQ(cpg_zcb_alloc(client.handle, text.size(), &buffer), CS_OK);
      text.copy(static_cast<char*>(buffer), text.size());
      ASSERT_EQ(cpg_zcb_mcast_timed(client.handle, CPG_TYPE_AGREED, buffer,
                                    text.size(), -1),
                CS_OK);
    }
    if (i % 64 == 0) {
      ASSERT_EQ(client.Dispatch(), CS_OK);
    }
  }
  EXPECT_EQ(reader.Join(), 0);
}

TEST(RoomTest, TimedSendThatGivesUpHasSentNothingAndKeepsTheBuffer) {
  LateReader reader("gives-up", kAll);
  Client client(CPG_MODEL_ZCB);
  client.Enter("gives-up");
  Fill(&client);
  void* buffer = nullptr;
  ASSERT_EQ(cpg_zcb_alloc(client.handle, 10, &buffer), CS_OK);
  EXPECT_EQ(cpg_zcb_mcast_timed(client.handle, CPG_TYPE_AGREED, buffer, 10, 2),
            CS_ERR_TIMEOUT);
  EXPECT_EQ(cpg_zcb_free(client.handle, buffer), CS_OK);
  const std::size_t before = client.messages.size();
  EXPECT_EQ(client.Dispatch(), CS_OK);
  EXPECT_EQ(client.messages.size(), before);
}

TEST(RoomTest, WithoutMembarrierAWaitLooksAgainAndTheDescriptorStaysReadable) {
  LateReader reader("no-membarrier", kAll);
  Gate full;
  ChildProcess sender([&] {
    EXPECT_TRUE(zcb::testing::RefuseCalls({{SYS_membarrier, ENOSYS}}));
    Client client;
    const int fd = SendFd(client);
    client.Enter("no-membarrier");
    Fill(&client);
    EXPECT_TRUE(IsReadable(fd));
    EXPECT_EQ(cpg_zcb_wait(client.handle, 0, 1), CS_ERR_TIMEOUT);
    full.Signal();
    EXPECT_EQ(cpg_zcb_wait(client.handle, 0, -1), CS_OK);
    EXPECT_EQ(client.Send("goes"), CS_OK);
    return ::testing::Test::HasFailure() ? 1 : 0;
  });
  full.Wait();
  reader.Go();
  EXPECT_EQ(sender.Join(), 0);
}

}  // namespace
}  // namespace zcb::cpg::testing
