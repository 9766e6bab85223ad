// cpg_join, cpg_leave, cpg_membership_get.
#include <algorithm>
#include <vector>

#include "tests/conformance/member.h"
#include "tests/conformance/scenario.h"

namespace zcb::conformance {
namespace {

// "A,B", or the error.
std::string MembersOf(cpg_handle_t handle, std::string_view group) {
  std::vector<cpg_address> list(384);
  int count = 0;
  cpg_name name = Named(group);
  const cs_error_t error =
      cpg_membership_get(handle, &name, list.data(), &count);
  if (error != CS_OK) return Name(error);
  std::vector<std::string> labels;
  for (int i = 0; i < count; ++i) {
    labels.push_back(LabelOf(list[static_cast<std::size_t>(i)].pid));
  }
  std::sort(labels.begin(), labels.end());
  std::string text;
  for (const std::string& label : labels) {
    text.append(text.empty() ? "" : ",").append(label);
  }
  return text.empty() ? "none" : text;
}

}  // namespace

SCENARIO(join_twice) {
  Member member;
  Observe("first", Name(member.Join("join_twice")));
  Observe("same_group_at_once", Name(member.Join("join_twice")));
  Observe("other_group_at_once", Name(member.Join("join_twice_2")));
  member.Until("[A]+A:JOIN");
  Observe("saw", member.Seen());
}

SCENARIO(join_twice_later) {
  Member member;
  member.Enter("join_twice");
  Observe("same_group", Name(member.Join("join_twice")));
  Observe("other_group", Name(member.Join("join_twice_2")));
  Member other;
  Observe("same_group_other_handle", Name(other.Join("join_twice")));
  Observe("other_group_other_handle", Name(other.Join("join_twice_2")));
  Observe("saw", member.Seen());
}

SCENARIO(leave) {
  Member member;
  Observe("not_joined", Name(member.Leave("leave")));
  member.Enter("leave");
  member.Forget();
  (void)member.Send("before");
  Observe("joined", Name(member.Leave("leave")));
  Observe("again_at_once", Name(member.Leave("leave")));
  member.Until("[]-A:LEAVE");
  Observe("saw", member.Seen());
  Observe("again_later", Name(member.Leave("leave")));
}

SCENARIO(leave_before_the_join_came) {
  Member member;
  (void)member.Join("leave_early");
  Observe("says", Name(member.Leave("leave_early")));
  member.Until("[]-A:LEAVE");
  Observe("saw", member.Seen());
}

SCENARIO(leave_and_send) {
  Member member;
  member.Enter("leave_and_send");
  (void)member.Leave("leave_and_send");
  Observe("send_while_leaving", Name(member.Send("late")));
  member.Until("[]-A:LEAVE");
  Observe("send_after_leave", Name(member.Send("late")));
  member.Forget();
  member.Settle();
  Observe("saw", member.Seen());
}

SCENARIO(leave_then_hear) {
  Peer peer([](Wire& wire) {
    Member member;
    member.Enter("leave_then_hear");
    wire.Ready();
    wire.Await();
    (void)member.Leave("leave_then_hear");
    member.Until("[A]-B:LEAVE");
    member.Forget();
    wire.Ready();
    wire.Await();
    member.Settle();
    Observe("leaver_saw_after_its_leave", member.Seen());
  });
  Member member;
  peer.AwaitReady();
  member.Enter("leave_then_hear");
  peer.GoAndAwait();
  member.RoundTrip();
  peer.Go();
  (void)peer.Join();
}

SCENARIO(leave_then_join) {
  ObserveInChild("same_group", [] {
    Member member;
    member.Enter("leave_then_join");
    (void)member.Leave("leave_then_join");
    member.Until("[]-A:LEAVE");
    member.Forget();
    const cs_error_t error = member.Join("leave_then_join");
    if (error == CS_OK) member.Until("[A]+A:JOIN");
    return Name(error);
  });
  ObserveInChild("other_group", [] {
    Member member;
    member.Enter("leave_then_join");
    (void)member.Leave("leave_then_join");
    member.Until("[]-A:LEAVE");
    member.Forget();
    const cs_error_t error = member.Join("leave_then_join_2");
    if (error == CS_OK) member.Until("[A]+A:JOIN");
    return Name(error);
  });
  ObserveInChild("before_the_leave_came", [] {
    Member member;
    member.Enter("leave_then_join");
    (void)member.Leave("leave_then_join");
    const cpg_name group = Named("leave_then_join");
    return Name(cpg_join(member.handle, &group));
  });
}

// One handle leaves; another one of the process wants the same group.
SCENARIO(leave_under_way_elsewhere) {
  Member member;
  Member other;
  member.Enter("under_way");
  (void)member.Leave("under_way");
  const cpg_name group = Named("under_way");
  Observe("join_at_once", Name(cpg_join(other.handle, &group)));
}

SCENARIO(leave_came_elsewhere) {
  Member member;
  Member other;
  member.Enter("came");
  (void)member.Leave("came");
  member.Until("[]-A:LEAVE");
  const cs_error_t error = other.Join("came");
  if (error == CS_OK) other.Until("[A]+A:JOIN");
  Observe("join", Name(error));
}

// What a join says at once and then, while the last membership of the process
// in that group is on its way out: "TRY_AGAIN OK", or only "OK".
SCENARIO(join_while_the_last_one_ends) {
  constexpr int kRounds = 20;
  const cpg_name group = Named("last_one_ends");
  for (const bool leaves : {false, true}) {
    bool again = false;
    cs_error_t last = CS_OK;
    for (int round = 0; round < kRounds && last == CS_OK; ++round) {
      Member other;
      Member member;
      member.Enter("last_one_ends");
      if (leaves) (void)cpg_leave(member.handle, &group);
      (void)member.Finalize();
      while ((last = cpg_join(other.handle, &group)) == CS_ERR_TRY_AGAIN) {
        again = true;
      }
      if (last == CS_OK) other.Until("[A]+A:JOIN");
      (void)other.Finalize();
      // Gone before the next round.
      Member next;
      if (next.Join("last_one_ends") == CS_OK) next.Until("[A]+A:JOIN");
      (void)next.Leave("last_one_ends");
      next.Until("[]-A:LEAVE");
    }
    Observe(leaves ? "after_leave_and_finalize" : "after_finalize",
            (again ? "TRY_AGAIN " : "") + Name(last));
  }
}

SCENARIO(finalize_then_join) {
  {
    Member member;
    member.Enter("finalize_then_join");
  }
  Member other;
  Observe("same_group", Name(other.Join("finalize_then_join")));
  other.Until("[A]+A:JOIN");
  Observe("saw", other.Seen());
}

// One after the other: at most one has a member.
SCENARIO(many_group_names) {
  constexpr int kNames = 1100;
  cs_error_t error = CS_OK;
  for (int i = 0; i < kNames && error == CS_OK; ++i) {
    Member member;
    const std::string group = "name" + std::to_string(i);
    error = member.Join(group);
    if (error != CS_OK) continue;
    member.Until("[A]+A:JOIN");
    (void)member.Leave(group);
    member.Until("[]-A:LEAVE");
  }
  Observe("join", Name(error));
}

SCENARIO(leave_wrong_name) {
  Member member;
  Member other;
  Member witness;
  member.Enter("right");
  other.Enter("other");
  witness.Enter("witness");
  other.Forget();
  Observe("other_handles_group", Name(member.Leave("other")));
  witness.RoundTrip();
  other.Settle();
  Observe("other_handle_saw", other.Seen());
  Observe("members_of_other", MembersOf(other.handle, "other"));
  Observe("unknown_group", Name(member.Leave("unknown")));
  Observe("right_group", Name(member.Leave("right")));
}

SCENARIO(leave_wrong_name_then_end) {
  Peer peer([](Wire& wire) {
    Member member;
    Member other;
    member.Enter("ghost");
    other.Enter("other");
    (void)member.Leave("other");
    wire.Ready();
    wire.Await();
    (void)other.Finalize();
    (void)member.Finalize();
  });
  Member member;
  peer.AwaitReady();
  peer.Go();
  (void)peer.Join();
  // What the end of the member brings comes before this, if at all.
  member.Enter("witness");
  member.RoundTrip();
  Observe("members_of_its_own_group", MembersOf(member.handle, "ghost"));
}

SCENARIO(membership_right_after_join) {
  constexpr int kRounds = 100;
  int contained = 0;
  for (int round = 0; round < kRounds; ++round) {
    Member member;
    if (member.Join("right_after") != CS_OK) std::abort();
    if (MembersOf(member.handle, "right_after") == "A") ++contained;
  }
  Observe("contains_the_caller",
          contained == kRounds ? "always" : "not always");
}

SCENARIO(membership_get) {
  Peer peer([](Wire& wire) {
    Member member;
    member.Enter("membership_get");
    wire.Ready();
    wire.Await();
    (void)member.Leave("membership_get");
    member.Until("[A]-B:LEAVE");
    wire.Ready();
    wire.Await();
  });
  Member member;
  peer.AwaitReady();
  cpg_name name = Named("membership_get");
  cpg_address list[384];
  int count = 0;
  Observe("null_list",
          Name(cpg_membership_get(member.handle, &name, nullptr, &count)));
  Observe("null_count",
          Name(cpg_membership_get(member.handle, &name, list, nullptr)));
  Observe("unknown_group", MembersOf(member.handle, "unknown"));
  Observe("group_of_others", MembersOf(member.handle, "membership_get"));
  // The count is output only: programs do not initialize it.
  count = 0;
  Observe("count_0",
          Name(cpg_membership_get(member.handle, &name, list, &count)));
  Observe("count_out", Number(static_cast<std::uint64_t>(count)));
  unsigned node_id = 0;
  (void)cpg_local_get(member.handle, &node_id);
  Observe("node_is_ours", YesNo(list[0].nodeid == node_id));
  Observe("reason", Number(list[0].reason));
  member.Enter("membership_get");
  Observe("both", MembersOf(member.handle, "membership_get"));
  peer.GoAndAwait();
  Observe("after_leave", MembersOf(member.handle, "membership_get"));
}

SCENARIO(membership_sorted) {
  Peer b([](Wire& wire) {
    Member member;
    member.Enter("membership_sorted");
    wire.Ready();
    wire.Await();
  });
  Peer c([](Wire& wire) {
    wire.Await();
    Member member;
    member.Enter("membership_sorted");
    wire.Ready();
    wire.Await();
  });
  b.AwaitReady();
  Member member;
  member.Enter("membership_sorted");
  c.GoAndAwait();
  member.Settle();
  Observe("saw", member.Seen());
  Observe("every_list_sorted", YesNo(member.sorted));
  cpg_address list[384];
  int count = 0;
  cpg_name name = Named("membership_sorted");
  (void)cpg_membership_get(member.handle, &name, list, &count);
  Observe("membership_get_sorted",
          YesNo(count == 3 && list[0].pid < list[1].pid &&
                list[1].pid < list[2].pid));
}

}  // namespace zcb::conformance
