// Joining and leaving, and who is in a group.
#include <corosync/cpg.h>

#include <array>

#include "cpg/cs_error.h"
#include "cpg/process_state.h"
#include "ipc/member_address.h"

using zcb::cpg::FindHandle;
using zcb::cpg::GuardedIn;
using zcb::cpg::Handle;
using zcb::cpg::PinWord;
using zcb::cpg::ToCsError;
using zcb::cpg::ToGroupName;
using zcb::ipc::MemberAddress;

extern "C" {

cs_error_t cpg_join(cpg_handle_t handle, const struct cpg_name* group) {
  return GuardedIn(handle, [&] {
    if (group == nullptr) return CS_ERR_INVALID_PARAM;
    if (group->length > CPG_MAX_NAME_LENGTH) return CS_ERR_NAME_TOO_LONG;
    const auto pin = FindHandle(handle);
    if (!pin) return CS_ERR_BAD_HANDLE;
    const Handle::Lock lock(&*pin);
    if (pin->closing()) return CS_ERR_BAD_HANDLE;
    return ToCsError(pin->Join(ToGroupName(*group)));
  });
}

cs_error_t cpg_leave(cpg_handle_t handle, const struct cpg_name* group) {
  return GuardedIn(handle, [&] {
    if (group == nullptr) return CS_ERR_INVALID_PARAM;
    if (group->length > CPG_MAX_NAME_LENGTH) return CS_ERR_NAME_TOO_LONG;
    const auto pin = FindHandle(handle, PinWord::Kind::kSender);
    if (!pin) return CS_ERR_BAD_HANDLE;
    return ToCsError(pin->Leave(ToGroupName(*group)));
  });
}

cs_error_t cpg_membership_get(cpg_handle_t handle, struct cpg_name* group,
                              struct cpg_address* member_list,
                              int* member_list_entries) {
  return GuardedIn(handle, [&] {
    if (group == nullptr) return CS_ERR_INVALID_PARAM;
    if (group->length > CPG_MAX_NAME_LENGTH) return CS_ERR_NAME_TOO_LONG;
    if (member_list == nullptr || member_list_entries == nullptr) {
      return CS_ERR_INVALID_PARAM;
    }
    const auto pin = FindHandle(handle);
    if (!pin) return CS_ERR_BAD_HANDLE;
    const zcb::ipc::GroupName name = ToGroupName(*group);
    pin->attachment().LookAtMembersOf(name);
    // How long the caller's array is, nobody tells us: programs pass an
    // uninitialized count.
    std::array<MemberAddress, CPG_MEMBERS_MAX> members;
    const auto count = pin->attachment().FirstMembersOf(name, members);
    if (!count) return ToCsError(count.status());
    for (std::size_t i = 0; i < *count; ++i) {
      member_list[i] = {members[i].node_id, members[i].pid,
                        CPG_REASON_UNDEFINED};
    }
    *member_list_entries = static_cast<int>(*count);
    return CS_OK;
  });
}

}  // extern "C"
