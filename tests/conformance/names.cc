// Group names: their lengths, NULs in them, and missing ones.
#include <string>
#include <vector>

#include "tests/conformance/member.h"
#include "tests/conformance/scenario.h"

namespace zcb::conformance {
namespace {

cpg_name OfLength(std::uint32_t length) {
  cpg_name name{};
  for (char& letter : name.value) letter = 'n';
  name.length = length;
  return name;
}

int MembersOf(cpg_handle_t handle, cpg_name name) {
  std::vector<cpg_address> list(384);
  int count = -1;
  if (cpg_membership_get(handle, &name, list.data(), &count) != CS_OK)
    return -1;
  return count;
}

}  // namespace

SCENARIO(name_too_long) {
  Member member;
  cpg_name longest = OfLength(129);
  std::vector<cpg_address> list(384);
  int count = 0;
  cpg_iteration_handle_t walk = 0;
  Observe("join", Name(cpg_join(member.handle, &longest)));
  Observe("leave", Name(cpg_leave(member.handle, &longest)));
  Observe("membership_get", Name(cpg_membership_get(member.handle, &longest,
                                                    list.data(), &count)));
  Observe("iteration",
          Name(cpg_iteration_initialize(member.handle, CPG_ITERATION_ONE_GROUP,
                                        &longest, &walk)));
  // The name is looked at before the handle.
  Observe("join_bad_handle", Name(cpg_join(0, &longest)));
  Observe("leave_bad_handle", Name(cpg_leave(0, &longest)));
  Observe("membership_get_bad_handle",
          Name(cpg_membership_get(0, &longest, list.data(), &count)));
  longest.length = 0xffffffff;
  Observe("join_4_gib", Name(cpg_join(member.handle, &longest)));
}

SCENARIO(name_of_128) {
  Member member;
  const cpg_name name = OfLength(128);
  member.Enter(std::string_view(name.value, 128));
  Observe("saw", member.Seen());
  Observe("comes_back_whole",
          YesNo(member.last_group == std::string(128, 'n')));
  Observe("members",
          Number(static_cast<std::uint64_t>(MembersOf(member.handle, name))));
  // One byte less is another group.
  Observe("members_of_127", Number(static_cast<std::uint64_t>(
                                MembersOf(member.handle, OfLength(127)))));
  Observe("leave", Name(member.Leave(std::string_view(name.value, 128))));
}

SCENARIO(name_of_0) {
  Peer peer([](Wire& wire) {
    Member member;
    member.Enter("");
    Observe("saw", member.Seen());
    Observe("length_back", Number(member.last_group.size()));
    member.Forget();
    member.RoundTrip();
    Observe("messages", member.Seen());
    wire.Ready();
    wire.Await();
    Observe("finalize", Name(member.Finalize()));
  });
  Member member;
  peer.AwaitReady();
  Observe(
      "members",
      Number(static_cast<std::uint64_t>(MembersOf(member.handle, Named("")))));
  peer.Go();
  (void)peer.Join();
  // What the end of the member brings comes before this, if at all.
  member.Enter("name_of_0");
  member.RoundTrip();
  Observe(
      "members_after_finalize",
      Number(static_cast<std::uint64_t>(MembersOf(member.handle, Named("")))));
}

SCENARIO(name_with_nuls) {
  const std::string first("a\0b", 3);
  const std::string second("a\0c", 3);
  const std::string padded("a\0", 2);
  Peer peer([&](Wire& wire) {
    Member member;
    member.Enter(second);
    wire.Ready();
    wire.Await();
    member.RoundTrip();
    Observe("other_group_saw", member.Seen());
  });
  Member member;
  peer.AwaitReady();
  member.Enter(first);
  member.RoundTrip();
  Observe("saw", member.Seen());
  Observe("comes_back_whole", YesNo(member.last_group == first));
  Observe("members_of_a_0_b", Number(static_cast<std::uint64_t>(
                                  MembersOf(member.handle, Named(first)))));
  Observe("members_of_a_0", Number(static_cast<std::uint64_t>(
                                MembersOf(member.handle, Named(padded)))));
  Observe(
      "members_of_a",
      Number(static_cast<std::uint64_t>(MembersOf(member.handle, Named("a")))));
  peer.Go();
  (void)peer.Join();
}

SCENARIO(name_beyond_its_length) {
  // Bytes behind the length do not count.
  Member member;
  cpg_name name = Named("short");
  (void)cpg_join(member.handle, &name);
  member.Until("[A]+A:JOIN");
  name.value[5] = 'x';
  Observe("members",
          Number(static_cast<std::uint64_t>(MembersOf(member.handle, name))));
  Observe("leave", Name(cpg_leave(member.handle, &name)));
}

SCENARIO(null_name) {
  ObserveInChild("join", [] {
    Member member;
    return Name(cpg_join(member.handle, nullptr));
  });
  ObserveInChild("leave", [] {
    Member member;
    return Name(cpg_leave(member.handle, nullptr));
  });
  ObserveInChild("membership_get", [] {
    Member member;
    std::vector<cpg_address> list(384);
    int count = 0;
    return Name(
        cpg_membership_get(member.handle, nullptr, list.data(), &count));
  });
}

}  // namespace zcb::conformance
