// More members than CPG_MEMBERS_MAX.
#include <algorithm>
#include <atomic>
#include <memory>
#include <vector>

#include "tests/conformance/member.h"
#include "tests/conformance/scenario.h"

namespace zcb::conformance {
namespace {

constexpr const char* kGroup = "many";

// Processes that join when they are told to, and stay until they are told to
// end.
class Crowd {
 public:
  explicit Crowd(std::size_t count) {
    while (peers_.size() < count) {
      peers_.push_back(std::make_unique<Peer>([this](Wire& wire) {
        wire.Await();
        cpg_handle_t handle = 0;
        const cpg_name name = Named(kGroup);
        if (cpg_initialize(&handle, nullptr) != CS_OK) std::abort();
        cs_error_t error = CS_OK;
        while ((error = cpg_join(handle, &name)) == CS_ERR_TRY_AGAIN) {
        }
        *last_join_ = error;
        wire.Ready();
        wire.Await();
      }));
    }
  }

  std::size_t size() const { return peers_.size(); }
  const Peer& operator[](std::size_t i) const { return *peers_[i]; }
  cs_error_t Join(std::size_t i) {
    peers_[i]->GoAndAwait();
    return *last_join_;
  }
  void End(std::size_t i) { peers_[i]->Go(); }

 private:
  std::atomic<cs_error_t>* const last_join_ = Shared<std::atomic<cs_error_t>>();
  std::vector<std::unique_ptr<Peer>> peers_;
};

bool IsJoinOf(const std::string& event, const Peer& peer) {
  return event.ends_with(
      "]+" + LabelOf(static_cast<std::uint32_t>(peer.pid())) + ":JOIN");
}

int CountByMembershipGet(const Member& member) {
  // Longer than any library writes.
  std::vector<cpg_address> list(1024);
  int count = 0;
  cpg_name name = Named(kGroup);
  (void)cpg_membership_get(member.handle, &name, list.data(), &count);
  return count;
}

}  // namespace

SCENARIO(more_than_128_members) {
  Crowd crowd(139);
  Member member;
  member.Enter(kGroup);
  bool joined_right = true;
  for (std::size_t i = 0; i < crowd.size(); ++i) {
    const std::size_t before = member.members.size();
    if (crowd.Join(i) != CS_OK) std::abort();
    while (member.members.size() == before) {
      if (member.Dispatch(CS_DISPATCH_ONE) != CS_OK) std::abort();
    }
    joined_right = joined_right && IsJoinOf(member.events.back(), crowd[i]);
  }
  const bool known = std::all_of(
      member.members.begin(), member.members.end(),
      [](const cpg_address& each) { return LabelOf(each.pid) != "?"; });
  Observe("members", std::to_string(member.members.size()));
  Observe("are_the_processes", YesNo(known));
  Observe("sorted", YesNo(member.sorted));
  Observe("joined_lists_are_right", YesNo(joined_right));
  Observe("group", member.last_group);
  Observe("membership_get_writes",
          std::to_string(CountByMembershipGet(member)));
}

// In a child, since Corosync writes longer lists over each other, and over
// whatever lies behind them.
SCENARIO(more_than_256_members) {
  Crowd crowd(256);
  ObserveInChild("lists_at_a_leave", [&]() -> std::string {
    Member member;
    member.Enter(kGroup);
    std::vector<std::uint32_t> due = {static_cast<std::uint32_t>(getpid())};
    const auto lists_are_right = [&] {
      std::vector<std::uint32_t> found;
      for (const auto& each : member.members) found.push_back(each.pid);
      return found == due;
    };
    bool right = true;
    for (std::size_t i = 0; i + 1 < crowd.size(); ++i) {
      member.Forget();
      if (crowd.Join(i) != CS_OK) std::abort();
      const auto pid = static_cast<std::uint32_t>(crowd[i].pid());
      due.insert(std::lower_bound(due.begin(), due.end(), pid), pid);
      // Behind the join.
      member.RoundTrip();
      right = right && lists_are_right() &&
              IsJoinOf(member.events.front(), crowd[i]);
    }
    Observe("lists_up_to_256", right ? "right" : "wrong");
    member.Forget();
    const std::size_t last = crowd.size() - 1;
    const cs_error_t error = crowd.Join(last);
    Observe("257th_join", Name(error));
    const auto end = [&](std::size_t i) {
      const std::string left =
          "-" + LabelOf(static_cast<std::uint32_t>(crowd[i].pid())) +
          ":PROCDOWN";
      crowd.End(i);
      while (std::none_of(
          member.events.begin(), member.events.end(),
          [&](const std::string& event) { return event.ends_with(left); })) {
        if (member.Dispatch(CS_DISPATCH_ONE) != CS_OK) std::abort();
      }
    };
    if (error == CS_OK) end(last);
    due.erase(std::find(due.begin(), due.end(), crowd[0].pid()));
    end(0);
    return lists_are_right() ? "right" : "wrong";
  });
}

}  // namespace zcb::conformance
