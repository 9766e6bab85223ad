// Waiting for room while members that do not read are put out: whatever the way
// of waiting, it ends.
#include <sys/uio.h>

#include <string>
#include <thread>

#include "tests/cpg/client.h"
#include "tests/cpg/full_ring.h"
#include "tests/cpg/watched_thread.h"

namespace zcb::cpg::testing {
namespace {

const RegionOfThisTest region_of_this_test;

void SetLimit(const Client& client, std::uint64_t limit_ms) {
  ASSERT_EQ(
      cpg_zcb_option_set(client.handle, CPG_ZCB_OPTION_EVICT_MS, limit_ms),
      CS_OK);
}

std::uint64_t Evictions(const Client& client) {
  struct cpg_zcb_group_stats stats{};
  stats.size = sizeof(stats);
  EXPECT_EQ(cpg_zcb_group_stats_get(client.handle, nullptr, &stats), CS_OK);
  return stats.evictions;
}

constexpr int kCounts[] = {1, 2, 40};

// Nobody of these processes is woken by anybody: time alone does it.
TEST(RoomEvictTest, WaitEndsHoweverManyStoppedMembersStandInTheWay) {
  for (const int count : kCounts) {
    const std::string group = "wait-" + std::to_string(count);
    const StoppedMembers stopped(group, count);
    Client client;
    client.Enter(group);
    Fill(&client);
    SetLimit(client, 20);
    EXPECT_EQ(cpg_zcb_wait(client.handle, 0, -1), CS_OK);
    EXPECT_EQ(Evictions(client), static_cast<std::uint64_t>(count));
    EXPECT_EQ(client.Send("goes"), CS_OK);
  }
}

TEST(RoomEvictTest, TimedSendsEndHoweverManyStoppedMembersStandInTheWay) {
  for (const cpg_model_t model : {CPG_MODEL_V1, CPG_MODEL_ZCB}) {
    for (const int count : kCounts) {
      const std::string group = "timed-" + std::to_string(count) + "-" +
                                std::to_string(static_cast<int>(model));
      const StoppedMembers stopped(group, count);
      Client client(model);
      client.Enter(group);
      Fill(&client);
      SetLimit(client, 20);
      if (model == CPG_MODEL_V1) {
        const iovec piece{const_cast<char*>("x"), 1};
        EXPECT_EQ(
            cpg_zcb_mcastv_timed(client.handle, CPG_TYPE_AGREED, &piece, 1, -1),
            CS_OK);
      } else {
        void* buffer = nullptr;
        ASSERT_EQ(cpg_zcb_alloc(client.handle, 1, &buffer), CS_OK);
        EXPECT_EQ(
            cpg_zcb_mcast_timed(client.handle, CPG_TYPE_AGREED, buffer, 1, -1),
            CS_OK);
      }
      EXPECT_EQ(Evictions(client), static_cast<std::uint64_t>(count));
    }
  }
}

TEST(RoomEvictTest, DescriptorTellsHoweverManyStoppedMembersStandInTheWay) {
  for (const int count : kCounts) {
    const std::string group = "fd-" + std::to_string(count);
    const StoppedMembers stopped(group, count);
    Client client;
    client.Enter(group);
    const int fd = SendFd(client);
    SetLimit(client, 20);
    Fill(&client);
    cs_error_t error = CS_ERR_TRY_AGAIN;
    while (error == CS_ERR_TRY_AGAIN) {
      ASSERT_TRUE(IsReadable(fd, -1));
      error = client.Send("x");
    }
    EXPECT_EQ(error, CS_OK);
    EXPECT_EQ(Evictions(client), static_cast<std::uint64_t>(count));
  }
}

// Messages so large that memory is full long before the ring is.
constexpr std::size_t kLarge = 8 << 20;

// Sends, and reads its own, until memory is full of what others have not read.
void FillMemory(Client* client) {
  const std::string large(kLarge, 'x');
  while (client->Send(large) == CS_OK) {
    client->messages.clear();
    EXPECT_EQ(client->Dispatch(), CS_OK);
  }
  EXPECT_EQ(client->Dispatch(), CS_OK);
}

TEST(RoomEvictTest, WhoHoldsTheMemoryIsPutOutThoughTheRingHasRoom) {
  const std::string large(kLarge, 'x');
  const iovec piece{const_cast<char*>(large.data()), large.size()};
  for (const int count : {1, 2}) {
    for (const std::string way : {"send", "wait", "timed", "fd"}) {
      const std::string group = "memory-" + way + std::to_string(count);
      const StoppedMembers stopped(group, count);
      Client client;
      client.Enter(group);
      const int fd = way == "fd" ? SendFd(client) : -1;
      FillMemory(&client);
      SetLimit(client, 20);
      cs_error_t error = client.Send(large);
      ASSERT_EQ(error, CS_ERR_TRY_AGAIN);
      if (way == "wait") {
        EXPECT_EQ(cpg_zcb_wait(client.handle, kLarge, -1), CS_OK);
      } else if (way == "timed") {
        EXPECT_EQ(
            cpg_zcb_mcastv_timed(client.handle, CPG_TYPE_AGREED, &piece, 1, -1),
            CS_OK);
      }
      do {
        if (way == "fd") {
          ASSERT_TRUE(IsReadable(fd, -1));
        }
        error = client.Send(large);
      } while (error == CS_ERR_TRY_AGAIN);
      EXPECT_EQ(error, CS_OK);
      EXPECT_EQ(Evictions(client), static_cast<std::uint64_t>(count));
      EXPECT_EQ(client.Dispatch(), CS_OK);
    }
  }
}

TEST(RoomEvictTest, WantOfMemoryDoesNotTakeBackTheTimeOfWhoHoldsTheRing) {
  const StoppedMembers stopped("both", 1);
  Client client;
  client.Enter("both");
  const int fd = SendFd(client);
  SetLimit(client, 50);
  std::vector<void*> buffers;
  void* buffer = nullptr;
  while (cpg_zcb_alloc(client.handle, kLarge, &buffer) == CS_OK) {
    buffers.push_back(buffer);
  }
  Fill(&client);
  EXPECT_EQ(cpg_zcb_alloc(client.handle, kLarge, &buffer), CS_ERR_NO_MEMORY);
  cs_error_t error = CS_ERR_TRY_AGAIN;
  while (error == CS_ERR_TRY_AGAIN) {
    ASSERT_TRUE(IsReadable(fd, -1));
    error = client.Send("x");
  }
  EXPECT_EQ(error, CS_OK);
  for (void* each : buffers) {
    EXPECT_EQ(cpg_zcb_free(client.handle, each), CS_OK);
  }
}

// The waiter's own handle stands in front of the one that is stopped: nobody is
// due. When another thread has read there is still no room, since joins go
// where messages do not, so nobody rings.
TEST(RoomEvictTest, WaitEndsAlsoIfTheOwnHandleHasToReadFirst) {
  Client client;
  Gate entered;
  Gate read;
  std::thread reader([&] {
    client.Enter("own-first");
    EXPECT_EQ(client.Send("in front"), CS_OK);
    entered.Signal();
    read.Wait();
    EXPECT_EQ(client.Dispatch(), CS_OK);
  });
  entered.Wait();
  const StoppedMembers stopped("own-first", 1);
  while (client.Send("x") == CS_OK) {
  }
  const StoppedMembers more("own-first", 5);
  SetLimit(client, 20);
  WatchedThread waiter(
      [&] { EXPECT_EQ(cpg_zcb_wait(client.handle, 0, -1), CS_OK); });
  waiter.WaitUntilAsleep();
  read.Signal();
  waiter.Join();
  reader.join();
  EXPECT_EQ(Evictions(client), 1U);
}

}  // namespace
}  // namespace zcb::cpg::testing
