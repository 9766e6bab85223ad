// Configuration changes among processes: who sees what, in which order.
#include <memory>
#include <vector>

#include "tests/conformance/member.h"
#include "tests/conformance/scenario.h"

namespace zcb::conformance {
namespace {

constexpr const char* kGroup = "views";

// Joins, and ends in its own way when told to.
std::unique_ptr<Peer> JoinsThen(const std::function<void(Member&)>& end) {
  return std::make_unique<Peer>([end](Wire& wire) {
    Member member;
    member.Enter(kGroup);
    wire.Ready();
    wire.Await();
    end(member);
  });
}

}  // namespace

SCENARIO(view_join) {
  Peer peer([](Wire& wire) {
    Member member;
    wire.Await();
    member.Enter(kGroup);
    Observe("second_saw", member.Seen());
    wire.Ready();
    wire.Await();
  });
  Member member;
  member.Enter(kGroup);
  Observe("first_saw_itself", member.Seen());
  Observe("group", member.last_group);
  member.Forget();
  peer.GoAndAwait();
  member.Until("[A,B]+B:JOIN");
  Observe("first_saw", member.Seen());
  Observe("lists_are_never_null", YesNo(!member.lists_null));
}

SCENARIO(view_leave) {
  const auto peer = JoinsThen([](Member& member) {
    member.Until("[A,B]+A:JOIN");
    member.Forget();
    (void)member.Send("last words");
    (void)member.Leave(kGroup);
    member.Until("[A]-B:LEAVE");
    Observe("leaver_saw", member.Seen());
  });
  peer->AwaitReady();
  Member member;
  member.Enter(kGroup);
  member.Forget();
  peer->Go();
  member.Until("[A]-B:LEAVE");
  Observe("other_saw", member.Seen());
  (void)peer->Join();
}

SCENARIO(view_finalize) {
  const auto peer = JoinsThen([](Member& member) {
    member.Until("[A,B]+A:JOIN");
    member.Forget();
    (void)member.Send("last words");
    Observe("finalize", Name(member.Finalize()));
    Observe("finalizer_saw", member.Seen());
  });
  peer->AwaitReady();
  Member member;
  member.Enter(kGroup);
  member.Forget();
  peer->Go();
  member.Until("[A]-B:PROCDOWN");
  Observe("other_saw", member.Seen());
  (void)peer->Join();
}

SCENARIO(view_leave_then_finalize) {
  const auto peer = JoinsThen([](Member& member) {
    (void)member.Leave(kGroup);
    (void)member.Finalize();
  });
  peer->AwaitReady();
  Member member;
  member.Enter(kGroup);
  member.Forget();
  peer->Go();
  (void)peer->Join();
  member.Until("[A]-B:LEAVE");
  member.RoundTrip();
  Observe("other_saw", member.Seen());
}

SCENARIO(view_kill) {
  const auto peer = JoinsThen([](Member&) {});
  peer->AwaitReady();
  Member member;
  member.Enter(kGroup);
  member.Forget();
  peer->Kill();
  member.Until("[A]-B:PROCDOWN");
  Observe("other_saw", member.Seen());
}

SCENARIO(view_exit) {
  const auto peer = JoinsThen([](Member& member) {
    (void)member.Send("last words");
    // A synchronous call: without one Corosync may lose the message.
    unsigned node_id = 0;
    (void)cpg_local_get(member.handle, &node_id);
    _exit(0);
  });
  peer->AwaitReady();
  Member member;
  member.Enter(kGroup);
  member.Forget();
  peer->Go();
  member.Until("[A]-B:PROCDOWN");
  Observe("other_saw", member.Seen());
}

SCENARIO(view_exec) {
  const auto peer = JoinsThen([](Member&) {
    execl("/bin/true", "true", nullptr);
    _exit(1);
  });
  peer->AwaitReady();
  Member member;
  member.Enter(kGroup);
  member.Forget();
  peer->Go();
  member.Until("[A]-B:PROCDOWN");
  Observe("other_saw", member.Seen());
}

SCENARIO(view_rejoin_by_new_process) {
  const auto first = JoinsThen([](Member&) {});
  const auto second = std::make_unique<Peer>([](Wire& wire) {
    wire.Await();
    Member member;
    member.Enter(kGroup);
    Observe("newcomer_saw", member.Seen());
    wire.Ready();
    wire.Await();
  });
  first->AwaitReady();
  Member member;
  member.Enter(kGroup);
  member.Forget();
  first->Kill();
  member.Until("[A]-B:PROCDOWN");
  second->GoAndAwait();
  member.Until("[A,C]+C:JOIN");
  Observe("other_saw", member.Seen());
}

SCENARIO(joiner_hears_from_its_join_on) {
  Peer peer([](Wire& wire) {
    Member member;
    wire.Await();
    (void)member.Join(kGroup);
    (void)member.Send("sent at once");
    member.Until("B:sent at once");
    Observe("joiner_saw", member.Seen());
    wire.Ready();
    wire.Await();
    member.Forget();
    member.Until("A:after");
    Observe("joiner_saw_later", member.Seen());
    wire.Ready();
    wire.Await();
  });
  Member member;
  member.Enter(kGroup);
  (void)member.Send("before");
  member.Until("A:before");
  member.Forget();
  peer.GoAndAwait();
  member.Until("B:sent at once");
  Observe("other_saw", member.Seen());
  (void)member.Send("after");
  peer.GoAndAwait();
}

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

SCENARIO(more_than_128_members) {
  constexpr std::size_t kPeers = 139;
  std::vector<std::unique_ptr<Peer>> peers;
  while (peers.size() < kPeers) {
    peers.push_back(std::make_unique<Peer>([](Wire& wire) {
      wire.Await();
      cpg_handle_t handle = 0;
      const cpg_name name = Named(kGroup);
      if (cpg_initialize(&handle, nullptr) != CS_OK) std::abort();
      cs_error_t error = CS_OK;
      while ((error = cpg_join(handle, &name)) == CS_ERR_TRY_AGAIN) {
      }
      if (error != CS_OK) std::abort();
      wire.Ready();
      wire.Await();
    }));
  }
  Member member;
  member.Enter(kGroup);
  bool joined_right = true;
  for (const auto& peer : peers) {
    const std::size_t before = member.members.size();
    peer->GoAndAwait();
    while (member.members.size() == before) {
      if (member.Dispatch(CS_DISPATCH_ONE) != CS_OK) std::abort();
    }
    const auto pid = static_cast<std::uint32_t>(peer->pid());
    joined_right = joined_right && member.events.back().ends_with(
                                       "]+" + LabelOf(pid) + ":JOIN");
  }
  bool known = true;
  for (const cpg_address& each : member.members) {
    known = known && LabelOf(each.pid) != "?";
  }
  Observe("members", std::to_string(member.members.size()));
  Observe("are_the_processes", YesNo(known));
  Observe("sorted", YesNo(member.sorted));
  Observe("joined_lists_are_right", YesNo(joined_right));
  Observe("group", member.last_group);
  cpg_address list[384];
  int count = 0;
  cpg_name name = Named(kGroup);
  (void)cpg_membership_get(member.handle, &name, list, &count);
  Observe("membership_get_writes", std::to_string(count));
}

}  // namespace zcb::conformance
