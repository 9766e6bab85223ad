// cpg_fd_get: what kind of descriptor it is, and when it is readable.
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/socket.h>

#include <atomic>
#include <thread>

#include "tests/conformance/member.h"
#include "tests/conformance/scenario.h"

namespace zcb::conformance {

SCENARIO(descriptor) {
  Member member;
  int fd = -1;
  int again = -2;
  Observe("get", Name(cpg_fd_get(member.handle, &fd)));
  (void)cpg_fd_get(member.handle, &again);
  Observe("stays_the_same", YesNo(fd == again && fd >= 0));
  Observe("close_on_exec", YesNo((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0));
  Observe("nonblocking", YesNo((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0));
  ucred peer{};
  socklen_t length = sizeof(peer);
  Observe("is_a_socket_of_root",
          YesNo(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 &&
                peer.uid == 0));

  Observe("readable_before_join", YesNo(Readable(fd)));
  (void)member.Join("descriptor");
  AwaitReadable(fd);
  Observe("readable_with_an_event", "yes");
  Observe("dispatch_one", Name(member.Dispatch(CS_DISPATCH_ONE)));
  Observe("saw", member.Seen());
  Observe("readable_after_it", YesNo(Readable(fd)));
  (void)member.Dispatch();
  for (const char* text : {"1", "2", "3"}) (void)member.Send(text);
  AwaitReadable(fd);
  member.Forget();
  member.Until("A:3");
  Observe("readable_after_the_last_of_three", YesNo(Readable(fd)));
  member.Forget();
  (void)member.Send("4");
  AwaitReadable(fd);
  Observe("stays_readable_until_dispatched",
          YesNo(Readable(fd) && Readable(fd)));
  (void)member.Dispatch(CS_DISPATCH_ONE);
  Observe("one_readiness_one_event", member.Seen());
  (void)member.Dispatch();
  Observe("readable_in_the_end", YesNo(Readable(fd)));
}

SCENARIO(descriptor_edge_triggered) {
  // Told once per change; dispatching all makes ready for the next.
  Member member;
  int fd = -1;
  (void)cpg_fd_get(member.handle, &fd);
  const int poller = epoll_create1(EPOLL_CLOEXEC);
  epoll_event wish{};
  wish.events = EPOLLIN | EPOLLET;
  Observe("add", YesNo(epoll_ctl(poller, EPOLL_CTL_ADD, fd, &wish) == 0));
  epoll_event found{};
  (void)member.Join("edge");
  for (const char* text : {"1", "2"}) {
    while (epoll_wait(poller, &found, 1, -1) != 1) {
    }
    (void)member.Dispatch();
    (void)member.Send(text);
  }
  while (!member.Saw("A:2")) {
    while (epoll_wait(poller, &found, 1, -1) != 1) {
    }
    (void)member.Dispatch();
  }
  Observe("saw", member.Seen());
}

SCENARIO(descriptor_in_select) {
  Member member;
  int fd = -1;
  (void)cpg_fd_get(member.handle, &fd);
  (void)member.Join("select");
  fd_set set;
  FD_ZERO(&set);
  FD_SET(fd, &set);
  Observe("readable",
          YesNo(select(fd + 1, &set, nullptr, nullptr, nullptr) == 1));
  (void)member.Dispatch(CS_DISPATCH_ONE);
  Observe("saw", member.Seen());
}

SCENARIO(descriptor_without_event) {
  // The receiver does not wait for its descriptor: it may take a message before
  // the sender has got round to make the descriptor readable for it.
  constexpr int kRounds = 5000;
  struct Counts {
    std::atomic<int> sent;
    std::atomic<int> looked;
  };
  Counts* const counts = Shared<Counts>();
  Peer peer([&](Wire& wire) {
    Member member;
    member.Enter("without_event");
    wire.Ready();
    wire.Await();
    for (int i = 1; i <= kRounds; ++i) {
      (void)member.Send("x");
      counts->sent = i;
      while (counts->looked < i) std::this_thread::yield();
      (void)member.Dispatch();
    }
  });
  peer.AwaitReady();
  Member member;
  member.Enter("without_event");
  int fd = -1;
  (void)cpg_fd_get(member.handle, &fd);
  peer.Go();
  std::string found = "no";
  for (int i = 1; i <= kRounds && found == "no"; ++i) {
    member.Forget();
    while (member.events.empty()) (void)member.Dispatch();
    while (counts->sent < i) std::this_thread::yield();
    if (Readable(fd)) {
      member.Forget();
      found = "yes, and ONE says " + Name(member.Dispatch(CS_DISPATCH_ONE)) +
              " to " + member.Seen();
    }
    counts->looked = i;
  }
  Observe("readable", found);
}

}  // namespace zcb::conformance
