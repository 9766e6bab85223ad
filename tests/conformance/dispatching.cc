// cpg_dispatch: its flags, what callbacks may do, signals, stacks.
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include <cstring>

#include "tests/conformance/member.h"
#include "tests/conformance/scenario.h"

namespace zcb::conformance {
namespace {

// Pending and ready: three messages.
void Prepare(Member* member, std::string_view group) {
  member->Enter(group);
  member->Forget();
  int fd = -1;
  (void)cpg_fd_get(member->handle, &fd);
  for (const char* text : {"1", "2", "3"}) (void)member->Send(text);
  // A synchronous call behind them, and then something that has come back:
  // all three are there.
  unsigned node_id = 0;
  Member witness;
  witness.Enter("witness");
  witness.RoundTrip();
  (void)cpg_local_get(member->handle, &node_id);
}

}  // namespace

SCENARIO(dispatch_nothing) {
  Member member;
  Observe("all", Name(member.Dispatch(CS_DISPATCH_ALL)));
  Observe("one_nonblocking",
          Name(member.Dispatch(CS_DISPATCH_ONE_NONBLOCKING)));
  member.Enter("dispatch_nothing");
  Observe("all_joined", Name(member.Dispatch(CS_DISPATCH_ALL)));
  Observe("one_nonblocking_joined",
          Name(member.Dispatch(CS_DISPATCH_ONE_NONBLOCKING)));
}

SCENARIO(dispatch_one) {
  Member member;
  Prepare(&member, "dispatch_one");
  Observe("says", Name(member.Dispatch(CS_DISPATCH_ONE)));
  Observe("saw", member.Seen());
  Observe("nonblocking_says",
          Name(member.Dispatch(CS_DISPATCH_ONE_NONBLOCKING)));
  Observe("saw_then", member.Seen());
}

SCENARIO(dispatch_all) {
  Member member;
  Prepare(&member, "dispatch_all");
  Observe("says", Name(member.Dispatch(CS_DISPATCH_ALL)));
  Observe("saw", member.Seen());
}

SCENARIO(descriptor_counts) {
  Member member;
  Prepare(&member, "descriptor_counts");
  int fd = -1;
  int bytes = 0;
  (void)cpg_fd_get(member.handle, &fd);
  (void)ioctl(fd, FIONREAD, &bytes);
  Observe("one_byte_per_event", YesNo(bytes == 3));
  int rounds = 0;
  while (Readable(fd)) {
    (void)member.Dispatch(CS_DISPATCH_ONE);
    ++rounds;
  }
  Observe("dispatches_until_quiet", std::to_string(rounds));
  Observe("saw", member.Seen());
}

SCENARIO(dispatch_one_waits) {
  Peer peer([](Wire& wire) {
    Member member;
    member.Enter("one_waits");
    wire.Ready();
    wire.Await();
    (void)member.Send("at last");
    wire.Await();
  });
  peer.AwaitReady();
  Member member;
  member.Enter("one_waits");
  member.Forget();
  peer.Go();
  Observe("says", Name(member.Dispatch(CS_DISPATCH_ONE)));
  Observe("saw", member.Seen());
}

SCENARIO(dispatch_blocking) {
  // Goes on until something ends it; the same for numbers that are no flag.
  for (const int flag : {3, 0, 5, -1}) {
    Member member;
    const std::string name = "flag_" + std::to_string(flag);
    member.Enter(name);
    member.Forget();
    member.on_event = [&](const std::string& event) {
      if (event == "A:1") (void)member.Send("2");
      if (event == "A:2") (void)cpg_finalize(member.handle);
    };
    (void)member.Send("1");
    Observe(name,
            Name(member.Dispatch(static_cast<cs_dispatch_flags_t>(flag))));
    Observe(name + "_saw", member.Seen());
  }
}

SCENARIO(callback_sends) {
  Member member;
  member.Enter("callback_sends");
  member.Forget();
  bool inside = false;
  bool recursive = false;
  member.on_event = [&](const std::string& event) {
    recursive = recursive || inside;
    inside = true;
    if (event == "A:1") Observe("says", Name(member.Send("2")));
    inside = false;
  };
  (void)member.Send("1");
  member.Until("A:2");
  Observe("saw", member.Seen());
  Observe("recursive", YesNo(recursive));
}

SCENARIO(callback_sends_in_confchg) {
  Member member;
  member.on_event = [&](const std::string& event) {
    if (event[0] == '[') Observe("says", Name(member.Send("hello")));
  };
  (void)member.Join("confchg_sends");
  member.Until("A:hello");
  Observe("saw", member.Seen());
}

SCENARIO(callback_asks) {
  Member member;
  member.on_event = [&](const std::string& event) {
    if (event != "A:1") return;
    void* context = nullptr;
    unsigned node_id = 0;
    cpg_address list[384];
    int count = 0;
    cpg_name name = Named("callback_asks");
    Observe("context_get", Name(cpg_context_get(member.handle, &context)));
    Observe("local_get", Name(cpg_local_get(member.handle, &node_id)));
    Observe("membership_get",
            Name(cpg_membership_get(member.handle, &name, list, &count)));
    Observe("members", Number(static_cast<std::uint64_t>(count)));
  };
  member.Enter("callback_asks");
  (void)member.Send("1");
  member.Until("A:1");
}

SCENARIO(callback_leaves) {
  Member member;
  Prepare(&member, "callback_leaves");
  member.on_event = [&](const std::string& event) {
    if (event == "A:1") {
      Observe("says", Name(member.Leave("callback_leaves")));
    }
  };
  member.Until("[]-A:LEAVE");
  Observe("saw", member.Seen());
}

SCENARIO(callback_leaves_in_confchg) {
  Member member;
  member.on_event = [&](const std::string& event) {
    if (event == "[A]+A:JOIN") {
      Observe("says", Name(member.Leave("confchg_leaves")));
    }
  };
  (void)member.Join("confchg_leaves");
  member.Until("[]-A:LEAVE");
  Observe("saw", member.Seen());
}

SCENARIO(callback_joins_another_handle) {
  Member member;
  Member other;
  member.on_event = [&](const std::string& event) {
    if (event == "A:1") {
      Observe("says", Name(other.Join("callback_joins_2")));
    }
  };
  member.Enter("callback_joins");
  (void)member.Send("1");
  member.Until("A:1");
  other.Until("[A]+A:JOIN");
  Observe("saw", other.Seen());
}

SCENARIO(callback_finalizes) {
  Member member;
  Prepare(&member, "callback_finalizes");
  member.on_event = [&](const std::string& event) {
    if (event == "A:1") Observe("says", Name(cpg_finalize(member.handle)));
  };
  Observe("dispatch", Name(member.Dispatch(CS_DISPATCH_ALL)));
  Observe("saw", member.Seen());
}

SCENARIO(callback_finalizes_in_one) {
  Member member;
  Prepare(&member, "finalizes_in_one");
  member.on_event = [&](const std::string& event) {
    if (event == "A:1") (void)cpg_finalize(member.handle);
  };
  Observe("dispatch", Name(member.Dispatch(CS_DISPATCH_ONE)));
}

SCENARIO(callback_dispatches) {
  Member member;
  Prepare(&member, "callback_dispatches");
  int level = 0;
  std::string levels;
  member.on_event = [&](const std::string& event) {
    ++level;
    levels.append(event.substr(2)).append("@").append(std::to_string(level));
    if (event == "A:1") {
      Observe("nested", Name(member.Dispatch(CS_DISPATCH_ALL)));
    }
    --level;
  };
  Observe("outer", Name(member.Dispatch(CS_DISPATCH_ALL)));
  Observe("levels", levels);
}

SCENARIO(null_callbacks) {
  cpg_handle_t handle = 0;
  const cpg_name name = Named("null_callbacks");
  (void)cpg_initialize(&handle, nullptr);
  (void)cpg_join(handle, &name);
  int fd = -1;
  (void)cpg_fd_get(handle, &fd);
  AwaitReadable(fd);
  Observe("readable_for_a_dropped_event", "yes");
  Observe("dispatch_one", Name(cpg_dispatch(handle, CS_DISPATCH_ONE)));
  char text[] = "x";
  iovec piece{text, 1};
  (void)cpg_mcast_joined(handle, CPG_TYPE_AGREED, &piece, 1);
  AwaitReadable(fd);
  Observe("dispatch_all", Name(cpg_dispatch(handle, CS_DISPATCH_ALL)));
  Observe("readable_then", YesNo(Readable(fd)));
}

SCENARIO(signal_in_blocking_dispatch) {
  // The dispatch restarts: the signal is not an event, nor an error.
  static int handled_ends[2];
  if (pipe(handled_ends) != 0) std::abort();
  struct sigaction action{};
  action.sa_handler = [](int) {
    if (write(handled_ends[1], "s", 1) < 0) std::abort();
  };
  sigaction(SIGUSR1, &action, nullptr);
  const pid_t receiver = getpid();
  Peer peer([&](Wire& wire) {
    Member member;
    member.Enter("signal");
    wire.Ready();
    wire.Await();
    AwaitSleep(receiver, receiver);
    kill(receiver, SIGUSR1);
    char byte = 0;
    if (read(handled_ends[0], &byte, 1) != 1) std::abort();
    (void)member.Send("after the signal");
    wire.Await();
  });
  peer.AwaitReady();
  Member member;
  member.Enter("signal");
  member.Forget();
  peer.Go();
  Observe("says", Name(member.Dispatch(CS_DISPATCH_ONE)));
  Observe("saw", member.Seen());
}

SCENARIO(small_stack) {
  for (const std::size_t kib :
       {std::size_t{64}, std::size_t{1024}, std::size_t{2048}}) {
    ObserveInChild(Number(kib) + "_kib", [kib] {
      static Member member;
      member.Enter("small_stack");
      (void)member.Send(Pattern(1000000));
      pthread_attr_t attributes;
      pthread_attr_init(&attributes);
      pthread_attr_setstacksize(&attributes, kib << 10);
      pthread_t thread{};
      member.Forget();
      const auto dispatch = [](void*) -> void* {
        (void)member.Dispatch(CS_DISPATCH_ONE);
        return nullptr;
      };
      pthread_create(&thread, &attributes, dispatch, nullptr);
      pthread_join(thread, nullptr);
      return member.Seen();
    });
  }
}

}  // namespace zcb::conformance
