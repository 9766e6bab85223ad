// Walks over groups and members.
#include <corosync/cpg.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "allocator/cancel_shield.h"
#include "cpg/cs_error.h"
#include "cpg/process_state.h"

namespace zcb::cpg {
namespace {

using Items = std::vector<cpg_iteration_description_t>;

// Appends a group's members, or just its name; nothing if it has no members.
Outcome AppendGroup(ipc::Attachment* attachment, const ipc::GroupName& name,
                    bool name_only, Items* items) {
  attachment->LookAtMembersOf(name);
  const auto members = attachment->MembersOf(name);
  if (!members) return members.failure();
  cpg_iteration_description_t item{};
  FillName(name, &item.group);
  for (const ipc::MemberAddress& member : *members) {
    if (!name_only) {
      item.nodeid = member.node_id;
      item.pid = member.pid;
    }
    items->push_back(item);
    if (name_only) break;
  }
  return {};
}

Outcome AppendAllGroups(ipc::Attachment* attachment, bool name_only,
                        Items* items) {
  auto names = attachment->GroupNames();
  if (!names) return names.failure();
  std::sort(names->begin(), names->end(),
            [](const ipc::GroupName& a, const ipc::GroupName& b) {
              return std::ranges::lexicographical_compare(a.bytes(), b.bytes());
            });
  for (const ipc::GroupName& name : *names) {
    const Outcome done = AppendGroup(attachment, name, name_only, items);
    if (!done) return done;
  }
  return {};
}

}  // namespace
}  // namespace zcb::cpg

using zcb::cpg::AppendAllGroups;
using zcb::cpg::AppendGroup;
using zcb::cpg::FindHandle;
using zcb::cpg::Guarded;
using zcb::cpg::GuardedIn;
using zcb::cpg::Items;
using zcb::cpg::IterationWalk;
using zcb::cpg::ProcessState;
using zcb::cpg::ToCsError;
using zcb::cpg::ToGroupName;

extern "C" {

cs_error_t cpg_iteration_initialize(
    cpg_handle_t handle, cpg_iteration_type_t iteration_type,
    const struct cpg_name* group,
    cpg_iteration_handle_t* cpg_iteration_handle) {
  const int type = iteration_type;  // a C program may pass any number
  return GuardedIn(handle, [&] {
    if (group != nullptr && group->length > CPG_MAX_NAME_LENGTH) {
      return CS_ERR_NAME_TOO_LONG;
    }
    if (cpg_iteration_handle == nullptr || type < CPG_ITERATION_NAME_ONLY ||
        type > CPG_ITERATION_ALL ||
        (type == CPG_ITERATION_ONE_GROUP) != (group != nullptr)) {
      return CS_ERR_INVALID_PARAM;
    }
    const auto pin = FindHandle(handle);
    if (!pin) return CS_ERR_BAD_HANDLE;
    const zcb::alloc::CancelShield shield;  // getrandom(2)
    Items items;
    const zcb::Outcome filled =
        group != nullptr
            ? AppendGroup(&pin->attachment(), ToGroupName(*group), false,
                          &items)
            : AppendAllGroups(&pin->attachment(),
                              type == CPG_ITERATION_NAME_ONLY, &items);
    if (!filled) return ToCsError(filled);
    const std::uint64_t walk = ProcessState::Find()->walks().Open(
        std::make_unique<IterationWalk>(handle, std::move(items)),
        [](IterationWalk*, std::uint64_t) {});
    if (walk == 0) return CS_ERR_NO_RESOURCES;
    *cpg_iteration_handle = walk;
    return CS_OK;
  });
}

cs_error_t cpg_iteration_next(cpg_iteration_handle_t handle,
                              struct cpg_iteration_description_t* description) {
  return Guarded([&] {
    if (description == nullptr) return CS_ERR_INVALID_PARAM;
    ProcessState* state = ProcessState::Find();
    if (state == nullptr) return CS_ERR_BAD_HANDLE;
    const auto walk = state->walks().Find(handle);
    if (!walk || !state->handles().Find(walk->owner())) {
      return CS_ERR_BAD_HANDLE;
    }
    return walk->TakeNext(description) ? CS_OK : CS_ERR_NO_SECTIONS;
  });
}

cs_error_t cpg_iteration_finalize(cpg_iteration_handle_t handle) {
  return Guarded([&] {
    ProcessState* state = ProcessState::Find();
    if (state == nullptr) return CS_ERR_BAD_HANDLE;
    const auto walk = state->walks().Close(handle);
    if (!walk || !state->handles().Find(walk->owner())) {
      return CS_ERR_BAD_HANDLE;
    }
    return CS_OK;
  });
}

}  // extern "C"
