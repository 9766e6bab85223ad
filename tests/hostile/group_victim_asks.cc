// What a victim asks of the library besides messages.
#include "tests/hostile/group_victim.h"

#include <poll.h>

#include <array>
#include <cstdint>
#include <iterator>

#include "ipc/attachment.h"
#include "ipc/audit.h"

namespace zcb::hostile {

void GroupVictim::Wait(Open* open) {
  if (dice_.OneIn(2)) {
    caller_.Do("cpg_zcb_wait", [&] {
      return cpg_zcb_wait(open->handle, SomeLength(),
                          static_cast<int>(dice_.Below(3)));
    });
    return;
  }
  int fd = -1;
  const bool has =
      dice_.OneIn(2)
          ? caller_.Do("cpg_zcb_send_fd_get",
                       [&] { return cpg_zcb_send_fd_get(open->handle, &fd); })
          : caller_.Do("cpg_fd_get",
                       [&] { return cpg_fd_get(open->handle, &fd); });
  pollfd entry{fd, POLLIN, 0};
  if (has) (void)poll(&entry, 1, 0);
}

void GroupVictim::Ask(Open* open) {
  switch (dice_.Below(7)) {
    case 0: {
      std::array<cpg_address, CPG_MEMBERS_MAX> members{};
      int count = 0;
      cpg_name name = SomeName();
      if (caller_.Do("cpg_membership_get", [&] {
            return cpg_membership_get(open->handle, &name, members.data(),
                                      &count);
          })) {
        OnView(members.data(), static_cast<std::size_t>(count));
      }
      return;
    }
    case 1: {
      cpg_flow_control_state_t state{};
      caller_.Do("cpg_flow_control_state_get", [&] {
        return cpg_flow_control_state_get(open->handle, &state);
      });
      return;
    }
    case 2: {
      struct cpg_zcb_group_stats stats{};
      stats.size = sizeof stats;
      const cpg_name name = SomeName();
      caller_.Do("cpg_zcb_group_stats_get", [&] {
        return cpg_zcb_group_stats_get(
            open->handle, dice_.OneIn(2) ? &name : nullptr, &stats);
      });
      return;
    }
    case 3: {
      struct cpg_zcb_region_info info{};
      info.size = sizeof info;
      caller_.Do("cpg_zcb_region_info",
                 [&] { return cpg_zcb_region_info(open->handle, &info); });
      return;
    }
    case 4:
      caller_.Do("cpg_zcb_collect",
                 [&] { return cpg_zcb_collect(open->handle); });
      return;
    case 5:
      if (dice_.OneIn(4)) AuditRegion();
      return;
    default:
      Walk(open);
  }
}

void GroupVictim::Walk(Open* open) {
  cpg_iteration_handle_t walk = 0;
  if (!caller_.Do("cpg_iteration_initialize", [&] {
        return cpg_iteration_initialize(
            open->handle,
            dice_.OneIn(2) ? CPG_ITERATION_ALL : CPG_ITERATION_NAME_ONLY,
            nullptr, &walk);
      })) {
    return;
  }
  cpg_iteration_description_t item{};
  while (caller_.Do("cpg_iteration_next",
                    [&] { return cpg_iteration_next(walk, &item); })) {
    caller_.Read(item.group.value, item.group.length);
  }
  caller_.Do("cpg_iteration_finalize",
             [&] { return cpg_iteration_finalize(walk); });
}

void GroupVictim::Options(Open* open) {
  static constexpr struct {
    cpg_zcb_option_t option;
    std::uint64_t value;
  } kChoices[] = {
      {CPG_ZCB_OPTION_EVICT_MS, 1},
      {CPG_ZCB_OPTION_EVICT_MS, 0},
      {CPG_ZCB_OPTION_WAIT, CPG_ZCB_WAIT_PARK},
      {CPG_ZCB_OPTION_WAIT, CPG_ZCB_WAIT_ADAPTIVE},
      {CPG_ZCB_OPTION_PARK, CPG_ZCB_PARK_DESCRIPTOR},
      {CPG_ZCB_OPTION_RETAIN_BYTES, 1 << 20},
  };
  const auto& choice = kChoices[dice_.Below(std::size(kChoices))];
  caller_.Do("cpg_zcb_option_set", [&] {
    return cpg_zcb_option_set(open->handle, choice.option, choice.value);
  });
}

// What tools do; the process's own attachment, which is found again.
void GroupVictim::AuditRegion() {
  caller_.Do("ipc::Audit", [] {
    const auto options = ipc::IpcOptions::FromEnvironment();
    if (!options) return static_cast<int>(options.status());
    const auto attachment = ipc::Attachment::Open(*options);
    if (!attachment) return static_cast<int>(attachment.status());
    return static_cast<int>(ipc::Audit(**attachment, {}).status());
  });
}

}  // namespace zcb::hostile
