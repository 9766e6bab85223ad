// A ring that is full of what members in other processes have not read.
#ifndef ZCB_TESTS_CPG_FULL_RING_H_
#define ZCB_TESTS_CPG_FULL_RING_H_

#include <poll.h>

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include "tests/cpg/client.h"
#include "tests/support/child_process.h"

namespace zcb::cpg::testing {

using zcb::testing::ChildProcess;
using zcb::testing::Gate;

// A member that reads when it is told to: so many events per signal.
class LateReader {
 public:
  LateReader(std::string_view group, int events_per_go)
      : child_([this, group, events_per_go] {
          Client client;
          client.Enter(group);
          joined_.Signal();
          for (;;) {
            go_.Wait();
            for (int i = 0; i < events_per_go; ++i) {
              if (client.Dispatch(CS_DISPATCH_ONE_NONBLOCKING) != CS_OK) break;
            }
            done_.Signal();
          }
          return 0;
        }) {
    joined_.Wait();
  }
  void Go() { go_.Signal(); }
  void GoAndWait() {
    Go();
    done_.Wait();
  }
  const ChildProcess& child() const { return child_; }

 private:
  Gate joined_;
  Gate go_;
  Gate done_;
  ChildProcess child_;
};

inline constexpr int kAll = 1 << 20;

// Sends, and reads its own, until the ring is full of what others have not
// read.
inline std::size_t Fill(Client* client) {
  std::size_t sent = 0;
  while (client->Send("x") == CS_OK) {
    ++sent;
    EXPECT_EQ(client->Dispatch(), CS_OK);
  }
  EXPECT_EQ(client->Dispatch(), CS_OK);
  return sent;
}

inline int SendFd(const Client& client) {
  int fd = -1;
  EXPECT_EQ(cpg_zcb_send_fd_get(client.handle, &fd), CS_OK);
  return fd;
}

inline bool IsReadable(int fd, int timeout_ms = 0) {
  pollfd entry{fd, POLLIN, 0};
  return poll(&entry, 1, timeout_ms) == 1;
}

// Members that joined one after the other and are stopped: each stands where it
// joined.
class StoppedMembers {
 public:
  StoppedMembers(std::string_view group, int count) {
    for (int i = 0; i < count; ++i) {
      children_.push_back(std::make_unique<ChildProcess>([this, group] {
        Client client;
        if (client.Join(group) != CS_OK) return 1;
        joined_.Signal();
        never_.Wait();
        return 0;
      }));
      joined_.Wait();
      children_.back()->Kill(SIGSTOP);
    }
  }

 private:
  Gate joined_;
  Gate never_;
  std::vector<std::unique_ptr<ChildProcess>> children_;
};

}  // namespace zcb::cpg::testing

#endif  // ZCB_TESTS_CPG_FULL_RING_H_
