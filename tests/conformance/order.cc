// Who sees what in which order: in one group, and across groups.
#include <sched.h>
#include <sys/epoll.h>

#include <atomic>
#include <memory>
#include <vector>

#include "tests/conformance/member.h"
#include "tests/conformance/scenario.h"

namespace zcb::conformance {
namespace {

constexpr const char* kGroup = "order";

// To the first or to the last of the processors that we may use.
void StayOnProcessor(bool first) {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) std::abort();
  int chosen = -1;
  for (int i = 0; i < CPU_SETSIZE && (chosen < 0 || !first); ++i) {
    if (CPU_ISSET(i, &allowed)) chosen = i;
  }
  CPU_ZERO(&allowed);
  CPU_SET(chosen, &allowed);
  if (sched_setaffinity(0, sizeof(allowed), &allowed) != 0) std::abort();
}

// A member of both groups of order_across_groups, in a process of its own.
class Observer {
 public:
  Observer() : peer_([this](Wire& wire) { Run(wire); }) { peer_.AwaitReady(); }

  // Sleeps now until a message comes.
  void Begin() {
    peer_.GoAndAwait();
    AwaitSleep(peer_.pid(), peer_.pid());
  }
  // After one message in each group: 'x' if that of the first one was announced
  // first, or 'y'.
  char First() {
    char verdict = 0;
    if (read(ends_.ends[0], &verdict, 1) != 1) std::abort();
    return verdict;
  }

 private:
  struct Pipe {
    Pipe() {
      if (pipe(ends) != 0) std::abort();
    }
    int ends[2];
  };

  void Run(Wire& wire) {
    Member members[2];
    members[0].Enter("across1");
    members[1].Enter("across2");
    // Tells what is readable in the order in which it became so.
    const int poller = epoll_create1(EPOLL_CLOEXEC);
    for (std::uint32_t i : {0U, 1U}) {
      epoll_event wish{};
      wish.events = EPOLLIN;
      wish.data.u32 = i;
      int fd = -1;
      (void)cpg_fd_get(members[i].handle, &fd);
      if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &wish) != 0) std::abort();
    }
    wire.Ready();
    for (;;) {
      wire.Await();
      epoll_event found{};
      do {
        for (Member& member : members) {
          (void)member.Dispatch();
          member.Forget();
        }
        // Until it has forgotten what it told the last time.
      } while (epoll_wait(poller, &found, 1, 0) != 0);
      wire.Ready();
      while (epoll_wait(poller, &found, 1, -1) != 1) {
      }
      const char verdict = found.data.u32 == 0 ? 'x' : 'y';
      for (Member& member : members) {
        while (member.events.empty()) (void)member.Dispatch(CS_DISPATCH_ONE);
      }
      if (write(ends_.ends[1], &verdict, 1) != 1) std::abort();
    }
  }

  Pipe ends_;
  Peer peer_;
};

}  // namespace

SCENARIO(same_order_everywhere) {
  // Three senders at once; every member's messages in the same sequence.
  constexpr int kMessages = 200;
  const auto send_and_collect = [](Member& member) {
    int sent = 0;
    std::string all;
    std::size_t messages = 0;
    while (messages < 3 * kMessages) {
      if (sent < kMessages && member.Send("x") == CS_OK) ++sent;
      if (member.Dispatch() != CS_OK) std::abort();
      for (const std::string& event : member.events) {
        if (event[0] == '[') continue;
        all.append(event.substr(0, 1));
        ++messages;
      }
      member.Forget();
    }
    return all;
  };
  int pipe_ends[2];
  if (pipe(pipe_ends) != 0) std::abort();
  const auto body = [&](Wire& wire) {
    Member member;
    member.Enter(kGroup);
    wire.Ready();
    wire.Await();
    const std::string all = send_and_collect(member);
    if (write(pipe_ends[1], all.data(), all.size()) < 0) std::abort();
    wire.Ready();
    wire.Await();
  };
  Peer b(body);
  b.AwaitReady();
  Peer c(body);
  c.AwaitReady();
  Member member;
  member.Enter(kGroup);
  member.Forget();
  b.Go();
  c.Go();
  const std::string mine = send_and_collect(member);
  bool same = true;
  for (Peer* peer : {&b, &c}) {
    peer->AwaitReady();
    std::string theirs(3 * kMessages, ' ');
    std::size_t got = 0;
    while (got < theirs.size()) {
      const ssize_t part =
          read(pipe_ends[0], theirs.data() + got, theirs.size() - got);
      if (part <= 0) std::abort();
      got += static_cast<std::size_t>(part);
    }
    same = same && theirs == mine;
  }
  Observe("three_senders", YesNo(same));
}

SCENARIO(caused_order_across_groups) {
  // A sends to group 1; B, who has that message, sends to group 2: whoever has
  // B's finds A's dispatchable.
  Peer b([](Wire& wire) {
    Member first;
    Member second;
    first.Enter("order1");
    second.Enter("order2");
    wire.Ready();
    first.Until("A:cause");
    (void)second.Send("effect");
    wire.Await();
  });
  b.AwaitReady();
  Member first;
  Member second;
  first.Enter("order1");
  second.Enter("order2");
  first.Forget();
  (void)first.Send("cause");
  second.Until("B:effect");
  (void)first.Dispatch(CS_DISPATCH_ALL);
  Observe("cause_is_there", YesNo(first.Saw("A:cause")));
}

SCENARIO(order_across_groups) {
  // A sends to one group, E at the same time to another. B and C are in both;
  // each says which of the two messages its descriptors announced first. With
  // one order over all groups they never contradict each other.
  constexpr int kRounds = 300;
  constexpr std::size_t kBetween = 10;
  std::atomic<int>* const round = Shared<std::atomic<int>>();
  Observer b;
  std::vector<std::unique_ptr<Peer>> between;
  while (between.size() < kBetween) {
    between.push_back(std::make_unique<Peer>([](Wire& wire) {
      StayOnProcessor(false);
      Member member;
      member.on_event = [&](const std::string&) { member.Forget(); };
      (void)member.Join("across1");
      wire.Ready();
      (void)member.Dispatch(CS_DISPATCH_BLOCKING);
    }));
    between.back()->AwaitReady();
  }
  Observer c;
  Peer e([&](Wire& wire) {
    StayOnProcessor(true);
    Member member;
    member.Enter("across2");
    wire.Ready();
    for (int i = 1; i <= kRounds; ++i) {
      wire.Await();
      wire.Ready();
      // Does not sleep, so that it is quick.
      while (*round < i) {
      }
      (void)member.Send("y");
      (void)member.Dispatch();
    }
  });
  e.AwaitReady();
  StayOnProcessor(false);
  Member member;
  member.Enter("across1");
  bool agree = true;
  for (int i = 1; i <= kRounds && agree; ++i) {
    for (const auto& peer : between) AwaitSleep(peer->pid(), peer->pid());
    b.Begin();
    c.Begin();
    e.GoAndAwait();
    *round = i;
    (void)member.Send("x");
    (void)member.Dispatch();
    const char first = b.First();
    agree = c.First() == first;
  }
  Observe("two_observers_agree", YesNo(agree));
}

}  // namespace zcb::conformance
