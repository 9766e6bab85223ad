// cpg_finalize while another thread of the process uses the handle.
#include <atomic>
#include <thread>

#include "tests/conformance/member.h"
#include "tests/conformance/scenario.h"

namespace zcb::conformance {
namespace {

constexpr const char* kGroup = "finalize";

// A thread sleeps in dispatch while this one finalizes the handle. Returns what
// the dispatch said.
std::string FinalizeUnderDispatch(Member* member, cs_dispatch_flags_t how,
                                  const std::function<void()>& then = {}) {
  std::string says;
  std::atomic<pid_t> inside{0};
  std::thread thread([&] {
    inside = gettid();
    says = Name(member->Dispatch(how));
  });
  while (inside == 0) std::this_thread::yield();
  AwaitSleep(getpid(), inside);
  (void)member->Finalize();
  if (then) then();
  thread.join();
  return says;
}

}  // namespace

SCENARIO(finalize_wakes) {
  for (const auto& [name, how] : {std::pair{"blocking", CS_DISPATCH_BLOCKING},
                                  std::pair{"one", CS_DISPATCH_ONE}}) {
    ObserveInChild(name, [how] {
      static Member member;
      member.Enter(kGroup);
      return FinalizeUnderDispatch(&member, how);
    });
  }
}

SCENARIO(finalize_under_dispatch) {
  // Does the group learn of it while that thread has not come back?
  Peer peer([](Wire& wire) {
    static Member member;
    member.Enter(kGroup);
    wire.Ready();
    wire.Await();
    (void)member.Dispatch();
    (void)FinalizeUnderDispatch(&member, CS_DISPATCH_BLOCKING, [&] {
      wire.Ready();
      wire.Await();
    });
  });
  ObserveInChild("others_saw", [&] {
    peer.AwaitReady();
    Member member;
    member.Enter(kGroup);
    member.Forget();
    peer.GoAndAwait();
    member.Until("[?]-B:PROCDOWN");
    return member.Seen();
  });
}

SCENARIO(finalize_under_callback) {
  Peer peer([](Wire& wire) {
    Member member;
    member.Enter(kGroup);
    wire.Ready();
    zcb::testing::Gate inside;
    zcb::testing::Gate go_on;
    member.on_event = [&](const std::string& event) {
      if (event != "A:stay inside") return;
      inside.Signal();
      go_on.Wait();
    };
    std::string says;
    std::thread thread(
        [&] { says = Name(member.Dispatch(CS_DISPATCH_BLOCKING)); });
    inside.Wait();
    Observe("finalize", Name(member.Finalize()));
    wire.Ready();
    wire.Await();
    go_on.Signal();
    thread.join();
    Observe("dispatch", says);
    wire.Ready();
    wire.Await();
  });
  peer.AwaitReady();
  Member member;
  member.Enter(kGroup);
  (void)member.Send("stay inside");
  member.Until("A:stay inside");
  member.Forget();
  peer.AwaitReady();
  member.RoundTrip();
  Observe("others_saw_meanwhile", member.Seen());
  peer.GoAndAwait();
  member.Until("[A]-B:PROCDOWN");
  Observe("others_saw", member.Seen());
}

}  // namespace zcb::conformance
