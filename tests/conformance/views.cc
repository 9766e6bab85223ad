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

}  // namespace zcb::conformance
