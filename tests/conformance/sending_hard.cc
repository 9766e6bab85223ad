// What loses messages under Corosync: exits, threads, members that come and go.
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/conformance/member.h"
#include "tests/conformance/scenario.h"

namespace zcb::conformance {
namespace {

// Senders that join, send a burst and come to their end in the same way; as
// many as it takes to lose a message that was accepted.
bool EveryAcceptedMessageComes(const std::function<void(Member&)>& end) {
  constexpr int kRounds = 30;
  constexpr int kBurst = 300;
  std::vector<std::unique_ptr<Peer>> peers;
  int accepted_ends[2];
  if (pipe(accepted_ends) != 0) std::abort();
  for (int round = 0; round < kRounds; ++round) {
    peers.push_back(std::make_unique<Peer>([&](Wire& wire) {
      wire.Await();
      Member member;
      member.Enter("exits");
      char text[] = "burst";
      iovec piece{text, 5};
      int accepted = 0;
      for (int i = 0; i < kBurst; ++i) {
        if (cpg_mcast_joined(member.handle, CPG_TYPE_AGREED, &piece, 1) ==
            CS_OK) {
          ++accepted;
        }
      }
      if (write(accepted_ends[1], &accepted, sizeof(accepted)) < 0) {
        std::abort();
      }
      end(member);
    }));
  }
  Member member;
  member.Enter("exits");
  bool all = true;
  for (std::size_t i = 0; all && i < peers.size(); ++i) {
    member.Forget();
    peers[i]->Go();
    const auto is_end = [](const std::string& event) {
      return event.find(":PROCDOWN") != std::string::npos;
    };
    while (std::none_of(member.events.begin(), member.events.end(), is_end)) {
      if (member.Dispatch(CS_DISPATCH_ONE) != CS_OK) std::abort();
    }
    int accepted = 0;
    if (read(accepted_ends[0], &accepted, sizeof(accepted)) < 0) std::abort();
    const auto came = std::count_if(
        member.events.begin(), member.events.end(), [](const auto& event) {
          return event.find(":burst") != std::string::npos;
        });
    all = accepted == came;
  }
  return all;
}

}  // namespace

SCENARIO(sender_that_exits_at_once) {
  Observe("every_accepted_message_came",
          YesNo(EveryAcceptedMessageComes([](Member&) { _exit(0); })));
}

SCENARIO(sender_that_is_killed_at_once) {
  Observe("every_accepted_message_came",
          YesNo(EveryAcceptedMessageComes(
              [](Member&) { (void)kill(getpid(), SIGKILL); })));
}

SCENARIO(sender_that_ends_after_a_synchronous_call) {
  const auto ask_and_end = [](Member& member) {
    unsigned node_id = 0;
    (void)cpg_local_get(member.handle, &node_id);
    (void)kill(getpid(), SIGKILL);
  };
  Observe("every_accepted_message_came",
          YesNo(EveryAcceptedMessageComes(ask_and_end)));
}

SCENARIO(one_thread_sends_one_dispatches) {
  constexpr int kMessages = 20000;
  Member member;
  member.Enter("one_and_one");
  member.Forget();
  std::thread sender([&] {
    for (int i = 0; i < kMessages; ++i) (void)member.Send(std::to_string(i));
  });
  int next = 0;
  bool in_order = true;
  member.on_event = [&](const std::string& event) {
    in_order = in_order && event == "A:" + std::to_string(next);
    ++next;
    member.Forget();
  };
  while (next < kMessages && member.Dispatch(CS_DISPATCH_ONE) == CS_OK) {
  }
  sender.join();
  Observe("all_in_order", YesNo(in_order && next == kMessages));
}

SCENARIO(two_threads_send) {
  ObserveInChild("nothing_lost_in_order", [] {
    constexpr int kRounds = 20;
    constexpr int kEach = 5000;
    Member member;
    member.Enter("two_threads");
    for (int round = 0; round < kRounds; ++round) {
      member.Forget();
      std::atomic<int> running{2};
      const auto send = [&](char who) {
        for (int i = 0; i < kEach; ++i) {
          (void)member.Send(who + std::to_string(i));
        }
        --running;
      };
      std::thread first(send, 'x');
      std::thread second(send, 'y');
      while (running > 0) (void)member.Dispatch();
      first.join();
      second.join();
      // Not one of the two threads, so this one comes last.
      if (member.Send("last") != CS_OK) return "no";
      while (!member.Saw("A:last")) {
        if (member.Dispatch(CS_DISPATCH_ONE) != CS_OK) return "no";
      }
      int next[2] = {0, 0};
      for (const std::string& event : member.events) {
        const int thread = event[2] - 'x';
        if (thread != 0 && thread != 1) continue;
        if (std::stoi(event.substr(3)) != next[thread]) return "no";
        ++next[thread];
      }
      if (next[0] != kEach || next[1] != kEach) return "no";
    }
    return "yes";
  });
}

SCENARIO(large_message_while_members_change) {
  Peer peer([](Wire& wire) {
    wire.Await();
    for (;;) {
      Member member;
      member.Enter("changes");
    }
  });
  Member member;
  member.Enter("changes");
  peer.Go();
  member.Until("[A,B]+B:JOIN");
  std::string text = Pattern(std::size_t{30} << 20);
  iovec piece{text.data(), text.size()};
  int whole = 0;
  int interrupted = 0;
  for (int i = 0; i < 10; ++i) {
    cs_error_t error = CS_OK;
    while ((error = cpg_mcast_joined(member.handle, CPG_TYPE_AGREED, &piece,
                                     1)) == CS_ERR_TRY_AGAIN) {
      (void)member.Dispatch();
    }
    if (error == CS_ERR_INTERRUPT) ++interrupted;
    if (error == CS_OK) {
      member.Until("A:31457280(whole)");
      ++whole;
    }
    (void)member.Dispatch();
    member.Forget();
  }
  peer.Kill();
  Observe("ten_times_30_mib", whole == 10       ? "all OK"
                              : interrupted > 0 ? "INTERRUPT"
                                                : "others");
}

SCENARIO(large_message_without_callback) {
  ObserveInChild("null_deliver", [] {
    static bool joined = false;
    static bool left = false;
    cpg_callbacks_t callbacks{};
    callbacks.cpg_confchg_fn =
        [](cpg_handle_t, const cpg_name*, const cpg_address*, std::size_t,
           const cpg_address*, std::size_t left_count, const cpg_address*,
           std::size_t joined_count) {
          joined = joined || joined_count > 0;
          left = left || left_count > 0;
        };
    cpg_handle_t handle = 0;
    const cpg_name name = Named("without_callback");
    (void)cpg_initialize(&handle, &callbacks);
    (void)cpg_join(handle, &name);
    while (!joined) (void)cpg_dispatch(handle, CS_DISPATCH_ONE);
    std::string text = Pattern(3000000);
    iovec piece{text.data(), text.size()};
    cs_error_t error = CS_OK;
    while ((error = cpg_mcast_joined(handle, CPG_TYPE_AGREED, &piece, 1)) ==
           CS_ERR_TRY_AGAIN) {
    }
    if (error != CS_OK) return Name(error);
    // What comes behind the message.
    (void)cpg_leave(handle, &name);
    while (error == CS_OK && !left) {
      error = cpg_dispatch(handle, CS_DISPATCH_ONE);
    }
    return Name(error);
  });
}

SCENARIO(standard_error_stays_empty) {
  // 20 MiB make Corosync's library wait for its own ring.
  int ends[2];
  if (pipe(ends) != 0) std::abort();
  {
    const int saved = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    Member member;
    member.Enter("quiet");
    std::string text = Pattern(std::size_t{40} << 20);
    (void)member.Send(text);
    member.Until("A:41943040(whole)");
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(ends[1]);
  }
  char byte = 0;
  Observe("quiet", YesNo(read(ends[0], &byte, 1) == 0));
}

}  // namespace zcb::conformance
