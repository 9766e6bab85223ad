// Several processes in one group: one order, in place, clean ends.
#include <poll.h>
#include <sys/mman.h>

#include <atomic>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>

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

// Memory that children and parent see alike; one object of T.
template <typename T>
class Shared {
 public:
  Shared() {
    void* memory = mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) std::abort();
    object_ = new (memory) T();
  }
  ~Shared() { munmap(object_, sizeof(T)); }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  T* operator->() const { return object_; }

 private:
  T* object_;
};

bool Contains(const Change& change, std::uint32_t pid) {
  for (const std::uint32_t member : change.members) {
    if (member == pid) return true;
  }
  return false;
}

// The last change is about `pid`.
bool Saw(const Client& client, std::uint32_t pid, cpg_reason_t reason) {
  for (const Change& change : client.changes) {
    const auto& list = reason == CPG_REASON_JOIN ? change.joined : change.left;
    if (!list.empty() && list[0] == pid && change.reason == reason) return true;
  }
  return false;
}

TEST(ProcessesTest, EveryMemberSeesTheSameMessagesAndViewsInOneOrder) {
  constexpr std::size_t kProcesses = 3;
  constexpr std::size_t kPerProcess = 400;
  struct Log {
    std::atomic<std::size_t> length{0};
    char text[1 << 16] = {};
  };
  Shared<Log> logs[kProcesses];
  Gate joined;
  Gate go;
  std::vector<std::unique_ptr<ChildProcess>> children;
  for (std::size_t index = 0; index < kProcesses; ++index) {
    // One after the other, so that the first views differ.
    children.push_back(std::make_unique<ChildProcess>([&, index] {
      Client client(index == 1 ? CPG_MODEL_ZCB : CPG_MODEL_V1);
      client.Enter("order");
      joined.Signal();
      go.Wait();
      std::size_t sent = 0;
      const auto finished = [&] {
        return client.messages.size() == kProcesses * kPerProcess;
      };
      while (!finished()) {
        if (sent < kPerProcess) {
          const cs_error_t error =
              client.Send(std::to_string(index) + "." + std::to_string(sent));
          if (error == CS_OK) ++sent;
          EXPECT_TRUE(error == CS_OK || error == CS_ERR_TRY_AGAIN);
          EXPECT_EQ(client.Dispatch(CS_DISPATCH_ALL), CS_OK);
        } else {
          EXPECT_EQ(client.Dispatch(CS_DISPATCH_ONE), CS_OK);
        }
      }
      std::string all;
      for (const Message& message : client.messages) all += message.text + " ";
      std::memcpy(logs[index]->text, all.data(), all.size());
      logs[index]->length = all.size();
      joined.Signal();  // has read all
      go.Wait();
      return Verdict();
    }));
    joined.Wait();
  }
  for (std::size_t i = 0; i < kProcesses; ++i) go.Signal();
  for (std::size_t i = 0; i < kProcesses; ++i) joined.Wait();
  for (std::size_t i = 0; i < kProcesses; ++i) go.Signal();
  for (auto& child : children) EXPECT_EQ(child->Join(), 0);
  for (std::size_t i = 1; i < kProcesses; ++i) {
    EXPECT_EQ(std::string_view(logs[i]->text, logs[i]->length),
              std::string_view(logs[0]->text, logs[0]->length));
  }
}

// Where in which file an address lies: the same in every process.
std::string PlaceOf(const void* address) {
  const auto wanted = reinterpret_cast<std::uintptr_t>(address);
  std::FILE* maps = std::fopen("/proc/self/maps", "re");
  char line[512];
  std::string place = "nowhere";
  while (std::fgets(line, sizeof(line), maps) != nullptr) {
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
    std::uint64_t offset = 0;
    std::uint64_t inode = 0;
    if (std::sscanf(line,
                    "%" SCNxPTR "-%" SCNxPTR " %*s %" SCNx64 " %*s %" SCNu64,
                    &begin, &end, &offset, &inode) == 4 &&
        begin <= wanted && wanted < end) {
      place =
          std::to_string(inode) + "+" + std::to_string(offset + wanted - begin);
    }
  }
  std::fclose(maps);
  return place;
}

TEST(ProcessesTest, PayloadLiesAtTheSameRegionOffsetAtSenderAndReceiver) {
  Client receiver(CPG_MODEL_ZCB);
  receiver.Enter("offset");
  Gate done;
  struct Place {
    char text[64] = {};
  };
  Shared<Place> sent_from;
  ChildProcess sender([&] {
    Client client(CPG_MODEL_ZCB);
    client.Enter("offset");
    const void* where = nullptr;
    EXPECT_EQ(client.SendInPlace("zero copy", &where), CS_OK);
    const std::string place = PlaceOf(where);
    place.copy(sent_from->text, sizeof(sent_from->text) - 1);
    done.Wait();
    return Verdict();
  });
  std::string received_at;
  receiver.on_message_in_place = [&](const void* msg) {
    received_at = PlaceOf(msg);
  };
  receiver.DispatchUntilMessages(1);
  done.Signal();
  EXPECT_EQ(sender.Join(), 0);
  EXPECT_EQ(receiver.messages[0].text, "zero copy");
  EXPECT_NE(received_at, "nowhere");
  EXPECT_EQ(received_at, sent_from->text);
}

TEST(ProcessesTest, SleepingReceiversAreWokenThereAndBack) {
  constexpr int kRounds = 500;
  Client client;
  client.Enter("ping-pong");
  ChildProcess other([&] {
    Client peer(CPG_MODEL_ZCB);
    peer.Enter("ping-pong");
    std::size_t answered = 0;
    while (answered < kRounds) {
      EXPECT_EQ(peer.Dispatch(CS_DISPATCH_ONE), CS_OK);
      if (!peer.messages.empty() && peer.messages.back().pid != OwnPid()) {
        EXPECT_EQ(peer.SendInPlace("pong"), CS_OK);
        ++answered;
      }
      peer.messages.clear();
    }
    return Verdict();
  });
  const auto pid = static_cast<std::uint32_t>(other.pid());
  client.DispatchUntil([&] { return Saw(client, pid, CPG_REASON_JOIN); });
  for (int i = 0; i < kRounds; ++i) {
    ASSERT_EQ(client.Send("ping"), CS_OK);
    client.DispatchUntil([&] {
      return !client.messages.empty() && client.messages.back().pid == pid;
    });
    client.messages.clear();
  }
  EXPECT_EQ(other.Join(), 0);
  client.DispatchUntil([&] { return Saw(client, pid, CPG_REASON_PROCDOWN); });
}

TEST(ProcessesTest, PollingReceiverMissesNothingThatSendersBurst) {
  constexpr std::size_t kBursts = 300;
  constexpr std::size_t kSenders = 2;
  Client client(CPG_MODEL_ZCB);
  int fd = -1;
  ASSERT_EQ(cpg_fd_get(client.handle, &fd), CS_OK);
  client.Enter("poll");
  std::vector<std::unique_ptr<ChildProcess>> senders;
  std::size_t expected = 0;
  for (std::size_t s = 0; s < kSenders; ++s) {
    senders.push_back(std::make_unique<ChildProcess>([&, s] {
      Client peer;
      peer.Enter("poll");
      for (std::size_t burst = 0; burst < kBursts; ++burst) {
        for (std::size_t i = 0; i < 1 + (burst * 7 + s) % 5; ++i) {
          cs_error_t error = CS_ERR_TRY_AGAIN;
          while (error == CS_ERR_TRY_AGAIN) error = peer.Send("x");
          EXPECT_EQ(error, CS_OK);
        }
        EXPECT_EQ(peer.Dispatch(CS_DISPATCH_ALL), CS_OK);
        peer.messages.clear();
      }
      return Verdict();
    }));
    for (std::size_t burst = 0; burst < kBursts; ++burst) {
      expected += 1 + (burst * 7 + s) % 5;
    }
  }
  int turn = 0;
  while (client.messages.size() < expected) {
    pollfd entry{fd, POLLIN, 0};
    ASSERT_EQ(poll(&entry, 1, -1), 1);
    ASSERT_EQ(
        client.Dispatch(++turn % 3 == 0 ? CS_DISPATCH_ALL : CS_DISPATCH_ONE),
        CS_OK);
  }
  for (auto& sender : senders) EXPECT_EQ(sender->Join(), 0);
}

TEST(ProcessesTest, LeaveIsALeaveAndFinalizeAndExitAreAProcessDown) {
  Client client;
  client.Enter("ends");
  const auto expect = [&](cpg_reason_t reason, auto end) {
    ChildProcess child([&] {
      auto peer = std::make_unique<Client>();
      peer->Enter("ends");
      EXPECT_EQ(peer->Send("last words"), CS_OK);
      end(&peer);
      return Verdict();
    });
    const auto pid = static_cast<std::uint32_t>(child.pid());
    client.DispatchUntil([&] { return Saw(client, pid, reason); });
    EXPECT_EQ(child.Join(), 0);
    EXPECT_FALSE(Contains(client.changes.back(), pid));
    EXPECT_TRUE(Contains(client.changes.back(), OwnPid()));
    ASSERT_FALSE(client.messages.empty());
    EXPECT_EQ(client.messages.back().pid, pid);
    EXPECT_EQ(client.Dispatch(), CS_OK);
  };
  Gate never;
  expect(CPG_REASON_LEAVE, [](std::unique_ptr<Client>* peer) {
    EXPECT_EQ((*peer)->Leave("ends"), CS_OK);
  });
  expect(CPG_REASON_PROCDOWN,
         [](std::unique_ptr<Client>* peer) { peer->reset(); });
  expect(CPG_REASON_PROCDOWN, [](std::unique_ptr<Client>* peer) {
    std::exit((peer->release(), 0));
  });
  expect(CPG_REASON_PROCDOWN,
         [](std::unique_ptr<Client>* peer) { _exit((peer->release(), 0)); });
}

TEST(ProcessesTest, FilesGoWhenTheLastProcessEndsCleanly) {
  const TempDirectory elsewhere;
  setenv("ZCB_DIR", elsewhere.path().c_str(), 1);
  const auto run = [&](bool finalizes, bool keeps_a_buffer) {
    ChildProcess child([&] {
      auto client = std::make_unique<Client>(CPG_MODEL_ZCB);
      client->Enter("tidy");
      EXPECT_GE(elsewhere.CountFiles(), 3U);
      void* buffer = nullptr;
      if (keeps_a_buffer) {
        EXPECT_EQ(cpg_zcb_alloc(client->handle, 100, &buffer), CS_OK);
      }
      if (finalizes) {
        client.reset();
      } else {
        (void)client.release();
      }
      std::exit(Verdict());
      return 0;
    });
    return child.Join();
  };
  for (const bool finalizes : {true, false}) {
    for (const bool keeps_a_buffer : {true, false}) {
      EXPECT_EQ(run(finalizes, keeps_a_buffer), 0);
      EXPECT_EQ(elsewhere.CountFiles(), 0U);
    }
  }
  setenv("ZCB_DIR", region_of_this_test.directory().path().c_str(), 1);
}

}  // namespace
}  // namespace zcb::cpg::testing
