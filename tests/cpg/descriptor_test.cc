// The descriptor of cpg_fd_get(): readable when, and by which of poll's kin.
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <thread>

#include "tests/cpg/client.h"
#include "tests/cpg/watched_thread.h"

namespace zcb::cpg::testing {
namespace {

const RegionOfThisTest region_of_this_test;

bool Readable(int fd) {
  pollfd entry{fd, POLLIN, 0};
  const int ready = poll(&entry, 1, 0);
  EXPECT_GE(ready, 0);
  EXPECT_EQ(entry.revents & ~POLLIN, 0);
  return ready == 1;
}

TEST(DescriptorTest, ReadableExactlyWhileThereIsSomethingToDispatch) {
  for (const cpg_model_t model : {CPG_MODEL_V1, CPG_MODEL_ZCB}) {
    Client client(model);
    int fd = -1;
    ASSERT_EQ(cpg_fd_get(client.handle, &fd), CS_OK);
    EXPECT_FALSE(Readable(fd));
    ASSERT_EQ(client.Join("readable"), CS_OK);
    EXPECT_TRUE(Readable(fd));
    ASSERT_EQ(client.Dispatch(CS_DISPATCH_ONE), CS_OK);
    EXPECT_FALSE(Readable(fd));
    for (int round = 0; round < 50; ++round) {
      for (int i = 0; i < 3; ++i) ASSERT_EQ(client.Send("x"), CS_OK);
      for (int i = 0; i < 3; ++i) {
        ASSERT_TRUE(Readable(fd));
        ASSERT_EQ(client.Dispatch(round % 2 == 0 ? CS_DISPATCH_ONE
                                                 : CS_DISPATCH_ONE_NONBLOCKING),
                  CS_OK);
      }
      ASSERT_FALSE(Readable(fd));
    }
    ASSERT_EQ(client.Send("x"), CS_OK);
    ASSERT_EQ(client.Leave("readable"), CS_OK);
    EXPECT_TRUE(Readable(fd));
    ASSERT_EQ(client.Dispatch(), CS_OK);
    EXPECT_FALSE(Readable(fd));
    EXPECT_EQ(client.messages.size(), 151U);
  }
}

TEST(DescriptorTest, AskedForWithEventsPendingItIsReadable) {
  Client client;
  ASSERT_EQ(client.Join("late-fd"), CS_OK);
  int fd = -1;
  ASSERT_EQ(cpg_fd_get(client.handle, &fd), CS_OK);
  EXPECT_TRUE(Readable(fd));
  ASSERT_EQ(client.Dispatch(), CS_OK);
  EXPECT_FALSE(Readable(fd));
}

TEST(DescriptorTest, TotemCallbackThatIsDueMakesItReadable) {
  Client client(CPG_MODEL_V1, CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF);
  int fd = -1;
  ASSERT_EQ(cpg_fd_get(client.handle, &fd), CS_OK);
  ASSERT_EQ(client.Join("totem-fd"), CS_OK);
  ASSERT_EQ(client.Dispatch(CS_DISPATCH_ONE), CS_OK);
  EXPECT_TRUE(Readable(fd));
  ASSERT_EQ(client.Dispatch(CS_DISPATCH_ONE), CS_OK);
  EXPECT_EQ(client.totem_nodes.size(), 1U);
  EXPECT_FALSE(Readable(fd));
}

TEST(DescriptorTest, PullingEmptiesItToo) {
  Client client(CPG_MODEL_ZCB);
  client.Enter("pull-fd");
  int fd = -1;
  ASSERT_EQ(cpg_fd_get(client.handle, &fd), CS_OK);
  ASSERT_EQ(client.Send("a"), CS_OK);
  ASSERT_EQ(client.Send("b"), CS_OK);
  cpg_zcb_message message{};
  ASSERT_EQ(cpg_zcb_next(client.handle, &message), CS_OK);
  EXPECT_TRUE(Readable(fd));
  ASSERT_EQ(cpg_zcb_next(client.handle, &message), CS_OK);
  EXPECT_FALSE(Readable(fd));
  EXPECT_EQ(cpg_zcb_next(client.handle, &message), CS_ERR_TRY_AGAIN);
  EXPECT_FALSE(Readable(fd));
}

TEST(DescriptorTest, RingWithoutAnEventIsOneDispatchWithoutACallback) {
  Client client;
  client.Enter("spurious");
  int fd = -1;
  ASSERT_EQ(cpg_fd_get(client.handle, &fd), CS_OK);
  const char byte = 1;
  ASSERT_EQ(write(fd, &byte, 1), 1);  // as a ringer that came too late does
  EXPECT_EQ(client.Dispatch(CS_DISPATCH_ONE), CS_OK);
  EXPECT_TRUE(client.messages.empty());
  EXPECT_FALSE(Readable(fd));
  ASSERT_EQ(write(fd, &byte, 1), 1);
  EXPECT_EQ(client.Dispatch(CS_DISPATCH_ALL), CS_OK);
  EXPECT_FALSE(Readable(fd));
}

// Asks poll, select and both epolls; all must agree.
class Watchers {
 public:
  explicit Watchers(int fd) : fd_(fd), level_(epoll_create1(EPOLL_CLOEXEC)) {
    epoll_event wanted{};
    wanted.events = EPOLLIN;
    EXPECT_EQ(epoll_ctl(level_, EPOLL_CTL_ADD, fd, &wanted), 0);
  }
  ~Watchers() { close(level_); }
  Watchers(const Watchers&) = delete;
  Watchers& operator=(const Watchers&) = delete;

  bool AllSay(bool readable) const {
    fd_set set;
    FD_ZERO(&set);
    FD_SET(fd_, &set);
    timeval no_time{};
    const bool selected =
        select(fd_ + 1, &set, nullptr, nullptr, &no_time) == 1;
    epoll_event event{};
    const bool waited = epoll_wait(level_, &event, 1, 0) == 1;
    return Readable(fd_) == readable && selected == readable &&
           waited == readable;
  }

 private:
  int fd_;
  int level_;
};

TEST(DescriptorTest, PollSelectAndEpollAgreeAndAreLevelTriggered) {
  for (const cpg_model_t model : {CPG_MODEL_V1, CPG_MODEL_ZCB}) {
    Client client(model);
    int fd = -1;
    ASSERT_EQ(cpg_fd_get(client.handle, &fd), CS_OK);
    const Watchers watchers(fd);
    EXPECT_TRUE(watchers.AllSay(false));
    ASSERT_EQ(client.Join("agree"), CS_OK);
    EXPECT_TRUE(watchers.AllSay(true));
    EXPECT_TRUE(watchers.AllSay(true)) << "asking must not make it quiet";
    ASSERT_EQ(client.Dispatch(CS_DISPATCH_ONE), CS_OK);
    EXPECT_TRUE(watchers.AllSay(false));
    for (int i = 0; i < 3; ++i) ASSERT_EQ(client.Send("x"), CS_OK);
    for (int i = 0; i < 3; ++i) {
      EXPECT_TRUE(watchers.AllSay(true)) << i;
      ASSERT_EQ(client.Dispatch(CS_DISPATCH_ONE), CS_OK);
    }
    EXPECT_TRUE(watchers.AllSay(false));
    // The own leave is an event too, and the last one.
    ASSERT_EQ(client.Leave("agree"), CS_OK);
    EXPECT_TRUE(watchers.AllSay(true));
    ASSERT_EQ(client.Dispatch(CS_DISPATCH_ONE), CS_OK);
    EXPECT_TRUE(watchers.AllSay(false));
    EXPECT_EQ(client.changes.size(), 2U);
  }
}

TEST(DescriptorTest, CallsThatBringNoEventLeaveItQuiet) {
  Client client;
  Client other;
  int fd = -1;
  ASSERT_EQ(cpg_fd_get(client.handle, &fd), CS_OK);
  client.Enter("quiet");
  unsigned node = 0;
  cpg_name name = Named("quiet");
  cpg_address members[CPG_MEMBERS_MAX];
  int count = 0;
  cpg_iteration_handle_t walk = 0;
  void* buffer = nullptr;
  EXPECT_EQ(cpg_local_get(client.handle, &node), CS_OK);
  EXPECT_EQ(cpg_membership_get(client.handle, &name, members, &count), CS_OK);
  EXPECT_EQ(cpg_iteration_initialize(client.handle, CPG_ITERATION_ALL, nullptr,
                                     &walk),
            CS_OK);
  EXPECT_EQ(cpg_iteration_finalize(walk), CS_OK);
  EXPECT_EQ(cpg_zcb_alloc(client.handle, 10, &buffer), CS_OK);
  EXPECT_EQ(cpg_zcb_free(client.handle, buffer), CS_OK);
  EXPECT_EQ(client.Join("quiet"), CS_ERR_EXIST);
  EXPECT_EQ(client.Leave("loud"), CS_ERR_NOT_EXIST);
  // What happens in other groups is none of its business.
  other.Enter("not-quiet");
  EXPECT_EQ(other.Send("x"), CS_OK);
  EXPECT_EQ(other.Dispatch(), CS_OK);
  EXPECT_FALSE(Readable(fd));
}

TEST(DescriptorTest, EventsThatAreSwallowedMakeItReadableToo) {
  cpg_handle_t handle = 0;
  ASSERT_EQ(cpg_initialize(&handle, nullptr), CS_OK);
  int fd = -1;
  ASSERT_EQ(cpg_fd_get(handle, &fd), CS_OK);
  const cpg_name name = Named("swallowed-fd");
  ASSERT_EQ(cpg_join(handle, &name), CS_OK);
  ASSERT_EQ(cpg_mcast_joined(handle, CPG_TYPE_AGREED, nullptr, 0), CS_OK);
  EXPECT_TRUE(Readable(fd));
  ASSERT_EQ(cpg_dispatch(handle, CS_DISPATCH_ONE), CS_OK);
  EXPECT_TRUE(Readable(fd));
  ASSERT_EQ(cpg_dispatch(handle, CS_DISPATCH_ONE), CS_OK);
  EXPECT_FALSE(Readable(fd));
  EXPECT_EQ(cpg_finalize(handle), CS_OK);
}

TEST(DescriptorTest, EdgeTriggeredWatcherThatDispatchesAllMissesNothing) {
  constexpr std::size_t kMessages = 30'000;
  Client client;
  int fd = -1;
  ASSERT_EQ(cpg_fd_get(client.handle, &fd), CS_OK);
  const int edges = epoll_create1(EPOLL_CLOEXEC);
  epoll_event wanted{};
  wanted.events = EPOLLIN | EPOLLET;
  ASSERT_EQ(epoll_ctl(edges, EPOLL_CTL_ADD, fd, &wanted), 0);
  ASSERT_EQ(client.Join("edges"), CS_OK);
  std::thread sender([&] {
    for (std::size_t i = 0; i < kMessages; ++i) {
      cs_error_t error = CS_ERR_TRY_AGAIN;
      while (error == CS_ERR_TRY_AGAIN) error = client.Send("x");
      EXPECT_EQ(error, CS_OK);
      // Bursts of all lengths, so that it falls asleep now and then.
      if (i % 7 == 0) std::this_thread::yield();
    }
  });
  while (client.messages.size() < kMessages) {
    epoll_event event{};
    if (epoll_wait(edges, &event, 1, -1) != 1) continue;
    ASSERT_EQ(client.Dispatch(CS_DISPATCH_ALL), CS_OK);
  }
  sender.join();
  close(edges);
}

TEST(DescriptorTest, FinalizeByAnotherThreadWakesWhoPolls) {
  for (const bool is_select : {false, true}) {
    Client client;
    client.Enter("poll-finalize");
    int fd = -1;
    ASSERT_EQ(cpg_fd_get(client.handle, &fd), CS_OK);
    WatchedThread thread([&] {
      if (is_select) {
        fd_set set;
        FD_ZERO(&set);
        FD_SET(fd, &set);
        EXPECT_EQ(select(fd + 1, &set, nullptr, nullptr, nullptr), 1);
      } else {
        pollfd entry{fd, POLLIN, 0};
        EXPECT_EQ(poll(&entry, 1, -1), 1);
      }
      EXPECT_EQ(client.Dispatch(CS_DISPATCH_ONE), CS_ERR_BAD_HANDLE);
    });
    thread.WaitUntilAsleep();
    EXPECT_EQ(cpg_finalize(client.handle), CS_OK);
  }
}

TEST(DescriptorTest, ItDoesNotGoOverExecAndNeverBlocks) {
  const Client client;
  int fd = -1;
  ASSERT_EQ(cpg_fd_get(client.handle, &fd), CS_OK);
  EXPECT_NE(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_NE(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
}

TEST(DescriptorTest, EveryHandleHasItsOwn) {
  Client first;
  Client second;
  int first_fd = -1;
  int second_fd = -1;
  ASSERT_EQ(cpg_fd_get(first.handle, &first_fd), CS_OK);
  ASSERT_EQ(cpg_fd_get(second.handle, &second_fd), CS_OK);
  EXPECT_NE(first_fd, second_fd);
  ASSERT_EQ(first.Join("own-fd"), CS_OK);
  EXPECT_TRUE(Readable(first_fd));
  EXPECT_FALSE(Readable(second_fd));
}

}  // namespace
}  // namespace zcb::cpg::testing
