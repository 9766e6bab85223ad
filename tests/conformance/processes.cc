// What a handle is to the process around it: its forks, its user, its threads
// and descriptors.
#include <dirent.h>
#include <grp.h>
#include <unistd.h>

#include <cstdlib>

#include "tests/conformance/member.h"
#include "tests/conformance/scenario.h"

namespace zcb::conformance {
namespace {

int HighestDescriptor() {
  DIR* const directory = opendir("/proc/self/fd");
  if (directory == nullptr) std::abort();
  int highest = -1;
  while (const dirent* const entry = readdir(directory)) {
    const int number = std::atoi(entry->d_name);
    if (number > highest && number != dirfd(directory)) highest = number;
  }
  closedir(directory);
  return highest;
}

}  // namespace

SCENARIO(forked_child) {
  // The child is made after initialize: it inherits the handle.
  Member member;
  member.Enter("forked_child");
  member.Forget();
  zcb::testing::ChildProcess child([&] {
    iovec piece{const_cast<char*>("from the child"), 14};
    Observe("send",
            Name(cpg_mcast_joined(member.handle, CPG_TYPE_AGREED, &piece, 1)));
    Observe("finalize", Name(cpg_finalize(member.handle)));
    return 0;
  });
  (void)child.Join();
  unsigned node_id = 0;
  Observe("parent_afterwards", Name(cpg_local_get(member.handle, &node_id)));
  Observe("parent_sends", Name(member.Send("from the parent")));
  const cs_error_t error = member.Dispatch(CS_DISPATCH_ONE);
  Observe("parent_dispatch", Name(error));
  (void)member.Dispatch();
  Observe("parent_saw", member.Seen());
}

SCENARIO(forked_child_speaks) {
  // The child only sends; what do others take its message for?
  Peer peer([](Wire& wire) {
    Member member;
    member.Enter("forked_child_speaks");
    wire.Ready();
    member.Until("[A,B]+A:JOIN");
    member.Forget();
    member.Until("A:from the parent");
    Observe("others_saw", member.Seen());
    wire.Ready();
    wire.Await();
  });
  peer.AwaitReady();
  Member member;
  member.Enter("forked_child_speaks");
  zcb::testing::ChildProcess child([&] {
    iovec piece{const_cast<char*>("from the child"), 14};
    Observe("child_sends",
            Name(cpg_mcast_joined(member.handle, CPG_TYPE_AGREED, &piece, 1)));
    return 0;
  });
  (void)child.Join();
  Observe("parent_sends", Name(member.Send("from the parent")));
  peer.AwaitReady();
}

SCENARIO(threads_and_descriptors) {
  Peer peer([](Wire& wire) {
    Member member;
    member.Enter("threads");
    wire.Ready();
    wire.Await();
  });
  peer.AwaitReady();
  const std::size_t threads = EntriesIn("/proc/self/task");
  const int highest = HighestDescriptor();
  Member member;
  member.Enter("threads");
  member.RoundTrip();
  Observe("threads_more", Number(EntriesIn("/proc/self/task") - threads));
  Observe("descriptor_far_above_the_others",
          YesNo(HighestDescriptor() >= highest + 100));
}

SCENARIO(another_user) {
  // Neither root nor of root's group; nobody told the library of him.
  ObserveInChild("initialize", [] {
    constexpr unsigned kNobody = 65534;
    if (geteuid() != 0) return std::string("needs root");
    if (setgroups(0, nullptr) != 0 || setgid(kNobody) != 0 ||
        setuid(kNobody) != 0) {
      std::abort();
    }
    const Member member;
    return Name(member.status);
  });
}

}  // namespace zcb::conformance
