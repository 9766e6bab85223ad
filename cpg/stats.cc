// Statistics of a group, for people.
#include <corosync/cpg.h>
#include <corosync/cpg_zcb.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "cpg/cs_error.h"
#include "cpg/process_state.h"
#include "ipc/statistics.h"

// Short; the C name is long.
using GroupStatsOut = struct cpg_zcb_group_stats;

namespace zcb::cpg {
namespace {

void Fill(const ipc::GroupStats& group, GroupStatsOut* out) {
  out->members = group.members;
  out->ordered = group.ordered;
  out->ring_messages = group.ring_messages;
  out->ring_used = group.ring_used;
  out->slowest_behind = group.slowest_behind;
  out->slowest_nodeid = group.slowest.node_id;
  out->slowest_pid = group.slowest.pid;
  out->evictions = group.evictions;
}

void Fill(const ipc::MemberCounters& member, GroupStatsOut* out) {
  out->sent_messages = member.sent_messages.Guess();
  out->sent_bytes = member.sent_bytes.Guess();
  out->refused_sends = member.refused_sends.Guess();
  out->received_messages = member.received_messages.Guess();
  out->received_bytes = member.received_bytes.Guess();
  out->received_views = member.received_views.Guess();
}

}  // namespace
}  // namespace zcb::cpg

using zcb::cpg::Fill;
using zcb::cpg::FindHandle;
using zcb::cpg::GuardedIn;
using zcb::cpg::PinWord;
using zcb::cpg::ToCsError;
using zcb::cpg::ToGroupName;

extern "C" {

cs_error_t cpg_zcb_group_stats_get(cpg_handle_t handle,
                                   const struct cpg_name* group,
                                   struct cpg_zcb_group_stats* stats) {
  return GuardedIn(handle, [&] {
    if (group != nullptr && group->length > CPG_MAX_NAME_LENGTH) {
      return CS_ERR_NAME_TOO_LONG;
    }
    // As a sender: the member is found without the handle's lock, which a
    // callback may hold, and stays as long as the pin.
    const auto pin = FindHandle(handle, PinWord::Kind::kSender);
    if (!pin) return CS_ERR_BAD_HANDLE;
    // The first number must fit.
    if (stats == nullptr || stats->size < offsetof(GroupStatsOut, ordered)) {
      return CS_ERR_INVALID_PARAM;
    }
    zcb::ipc::Member* member = pin->SendingMember();
    GroupStatsOut filled{};
    if (group == nullptr) {
      if (member == nullptr) return CS_ERR_NOT_EXIST;
      Fill(member->ReadGroupStats(), &filled);
      Fill(member->counters(), &filled);
    } else {
      const zcb::ipc::GroupName name = ToGroupName(*group);
      const auto figures = pin->attachment().StatsOf(name);
      if (!figures) return ToCsError(figures.status());
      Fill(*figures, &filled);
      if (member != nullptr && member->IsIn(name)) {
        Fill(member->counters(), &filled);
      }
    }
    filled.size = std::min(stats->size, sizeof(filled));
    std::memcpy(stats, &filled, filled.size);
    return CS_OK;
  });
}

}  // extern "C"
