#include "tests/hostile/group_victim.h"

#include <poll.h>
#include <sys/uio.h>

#include <cstdio>
#include <cstring>

#include "ipc/attachment.h"
#include "ipc/audit.h"

namespace zcb::hostile {
namespace {

GroupVictim* the_victim = nullptr;  // one per process; callbacks find it here

constexpr cs_dispatch_flags_t kHow[] = {CS_DISPATCH_ALL,
                                        CS_DISPATCH_ONE_NONBLOCKING};

}  // namespace

// --- callbacks ---------------------------------------------------------------

GroupVictim* GroupVictim::Of(cpg_handle_t handle, Open** open) {
  void* context = nullptr;
  if (cpg_context_get(handle, &context) != CS_OK) return nullptr;
  *open = static_cast<Open*>(context);
  return the_victim;
}

void GroupVictim::DeliverCopy(cpg_handle_t handle, const cpg_name* group,
                              std::uint32_t, std::uint32_t, void* message,
                              std::size_t length_bytes) {
  Open* open = nullptr;
  if (GroupVictim* const self = Of(handle, &open)) {
    self->caller_.Read(group->value, group->length);
    self->OnMessage(open, message, length_bytes);
  }
}

void GroupVictim::DeliverInPlace(cpg_handle_t handle, const cpg_name* group,
                                 std::uint32_t, std::uint32_t,
                                 const void* message,
                                 std::size_t length_bytes) {
  Open* open = nullptr;
  if (GroupVictim* const self = Of(handle, &open)) {
    self->caller_.Read(group->value, group->length);
    self->OnMessage(open, message, length_bytes);
  }
}

void GroupVictim::Changed(cpg_handle_t handle, const cpg_name* group,
                          const cpg_address* members, std::size_t member_count,
                          const cpg_address* left, std::size_t left_count,
                          const cpg_address* joined, std::size_t joined_count) {
  Open* open = nullptr;
  GroupVictim* const self = Of(handle, &open);
  if (self == nullptr) return;
  self->caller_.Read(group->value, group->length);
  self->OnView(members, member_count);
  self->OnView(left, left_count);
  self->OnView(joined, joined_count);
}

void GroupVictim::OnView(const cpg_address* members, std::size_t count) {
  caller_.Read(members, count * sizeof(cpg_address));
}

void GroupVictim::OnMessage(Open* open, const void* message,
                            std::size_t length_bytes) {
  ++messages_;
  caller_.Read(message, length_bytes);
  if (open->depth > 1) return;
  ++open->depth;
  const cpg_handle_t handle = open->handle;
  if (open->model == CPG_MODEL_ZCB) {
    if (kept_.size() < kMostKept && dice_.OneIn(3) &&
        cpg_zcb_retain(handle, message) == CS_OK) {
      kept_.push_back(message);
    }
    cpg_zcb_message facts{};
    if (dice_.OneIn(4)) (void)cpg_zcb_describe(handle, message, &facts);
  }
  if (dice_.OneIn(8)) {
    (void)cpg_zcb_forward(handle, CPG_TYPE_AGREED, message,
                          length_bytes < 4096 ? length_bytes : 4096);
  }
  if (dice_.OneIn(16)) {
    (void)cpg_dispatch(handle, CS_DISPATCH_ONE_NONBLOCKING);
  }
  caller_.Read(message, length_bytes);
  --open->depth;
}

// --- handles -----------------------------------------------------------------

void GroupVictim::Initialize(Open* open) {
  the_victim = this;
  *open = {};
  open->model = dice_.OneIn(3) ? CPG_MODEL_V1 : CPG_MODEL_ZCB;
  caller_.Do("cpg_model_initialize", [&] {
    if (open->model == CPG_MODEL_V1) {
      cpg_model_v1_data_t data{};
      data.cpg_deliver_fn = &DeliverCopy;
      data.cpg_confchg_fn = &Changed;
      return cpg_model_initialize(&open->handle, CPG_MODEL_V1,
                                  reinterpret_cast<cpg_model_data_t*>(&data),
                                  open);
    }
    cpg_model_zcb_data_t data{};
    data.cpg_deliver_fn = &DeliverInPlace;
    data.cpg_confchg_fn = &Changed;
    data.flags = dice_.OneIn(2) ? CPG_MODEL_ZCB_SEND_TIME : 0;
    return cpg_model_initialize(&open->handle, CPG_MODEL_ZCB,
                                reinterpret_cast<cpg_model_data_t*>(&data),
                                open);
  });
}

void GroupVictim::Finalize(Open* open) {
  for (const Buffer& buffer : open->buffers) {
    caller_.Do("cpg_zcb_free",
               [&] { return cpg_zcb_free(open->handle, buffer.at); });
  }
  caller_.Do("cpg_finalize", [&] { return cpg_finalize(open->handle); });
  *open = {};
}

cpg_name GroupVictim::SomeName() {
  static constexpr const char* kNames[] = {"red", "green", "blue", "a", "z"};
  cpg_name name{};
  const char* const text = kNames[dice_.Below(dice_.OneIn(8) ? 5 : 2)];
  name.length = static_cast<std::uint32_t>(std::strlen(text));
  std::memcpy(name.value, text, name.length);
  return name;
}

void GroupVictim::Membership(Open* open) {
  if (open->group.length == 0 || dice_.OneIn(2)) {
    cpg_name name = SomeName();
    if (caller_.Do("cpg_join", [&] { return cpg_join(open->handle, &name); })) {
      open->group = name;
    }
    return;
  }
  if (dice_.OneIn(4)) {
    caller_.Do("cpg_leave",
               [&] { return cpg_leave(open->handle, &open->group); });
    open->group = {};
  }
}

// --- out ---------------------------------------------------------------------

std::size_t GroupVictim::SomeLength() {
  if (dice_.OneIn(24)) return dice_.Below(3 << 20);
  return dice_.Below(dice_.OneIn(4) ? 100'000 : 1'000);
}

void GroupVictim::Send(Open* open) {
  static std::array<unsigned char, 3 << 20> bytes;
  const iovec pieces[] = {{bytes.data(), SomeLength()}, {bytes.data(), 16}};
  const unsigned count = dice_.Below(2) + 1;
  if (dice_.OneIn(4)) {
    caller_.Do("cpg_zcb_mcastv_timed", [&] {
      return cpg_zcb_mcastv_timed(open->handle, CPG_TYPE_AGREED, pieces, count,
                                  static_cast<int>(dice_.Below(3)));
    });
    return;
  }
  caller_.Do("cpg_mcast_joined", [&] {
    return cpg_mcast_joined(open->handle, CPG_TYPE_AGREED, pieces, count);
  });
}

void GroupVictim::SendBuffer(Open* open) {
  if (open->buffers.size() < 8 && !dice_.OneIn(3)) {
    Buffer buffer{nullptr, SomeLength()};
    const bool has = caller_.Do("cpg_zcb_alloc", [&] {
      return dice_.OneIn(4)
                 ? cpg_zcb_alloc_aligned(open->handle, buffer.bytes,
                                         std::size_t{64} << dice_.Below(13),
                                         &buffer.at)
                 : cpg_zcb_alloc(open->handle, buffer.bytes, &buffer.at);
    });
    if (!has) return;
    Caller::Write(buffer.at, buffer.bytes);
    open->buffers.push_back(buffer);
    return;
  }
  if (open->buffers.empty()) return;
  const std::size_t which =
      dice_.Below(static_cast<std::uint32_t>(open->buffers.size()));
  const Buffer buffer = open->buffers[which];
  Caller::Write(buffer.at, buffer.bytes);
  bool is_gone = false;
  switch (dice_.Below(6)) {
    case 0:
      is_gone = caller_.Do("cpg_zcb_free", [&] {
        return cpg_zcb_free(open->handle, buffer.at);
      });
      break;
    case 1:
      SendBuffers(open);
      return;
    case 2:
      is_gone = caller_.Do("cpg_zcb_mcast_timed", [&] {
        return cpg_zcb_mcast_timed(open->handle, CPG_TYPE_AGREED, buffer.at,
                                   buffer.bytes,
                                   static_cast<int>(dice_.Below(3)));
      });
      break;
    default:
      is_gone = caller_.Do("cpg_zcb_mcast_joined", [&] {
        return cpg_zcb_mcast_joined(open->handle, CPG_TYPE_AGREED, buffer.at,
                                    buffer.bytes);
      });
  }
  // With CPG_MODEL_V1 a sent buffer is still the caller's.
  if (is_gone) {
    if (open->model == CPG_MODEL_V1)
      (void)cpg_zcb_free(open->handle, buffer.at);
    open->buffers[which] = open->buffers.back();
    open->buffers.pop_back();
  }
}

// --- in ----------------------------------------------------------------------

void GroupVictim::Receive(Open* open) {
  if (dice_.OneIn(4)) {
    caller_.Do("cpg_zcb_dispatch_timed", [&] {
      return cpg_zcb_dispatch_timed(
          open->handle, dice_.OneIn(2) ? CS_DISPATCH_ONE : CS_DISPATCH_BLOCKING,
          static_cast<int>(dice_.Below(3)));
    });
    return;
  }
  caller_.Do("cpg_dispatch",
             [&] { return cpg_dispatch(open->handle, kHow[dice_.Below(2)]); });
}

void GroupVictim::SendBuffers(Open* open) {
  std::vector<iovec> messages;
  for (const Buffer& buffer : open->buffers) {
    messages.push_back({buffer.at, buffer.bytes});
  }
  unsigned int sent = 0;
  (void)caller_.Do("cpg_zcb_mcast_batch", [&] {
    return cpg_zcb_mcast_batch(open->handle, CPG_TYPE_AGREED, messages.data(),
                               static_cast<unsigned int>(messages.size()),
                               &sent);
  });
  for (unsigned int i = 0; i < sent && open->model == CPG_MODEL_V1; ++i) {
    (void)cpg_zcb_free(open->handle, messages[i].iov_base);
  }
  open->buffers.erase(open->buffers.begin(), open->buffers.begin() + sent);
}

void GroupVictim::PullBatch(Open* open) {
  cpg_zcb_message messages[16];
  unsigned int count = 0;
  if (!caller_.Do("cpg_zcb_next_batch", [&] {
        return cpg_zcb_next_batch(open->handle, messages, 16, &count);
      })) {
    return;
  }
  for (unsigned int i = 0; i < count; ++i) {
    ++messages_;
    caller_.Read(messages[i].data, messages[i].length);
  }
}

void GroupVictim::Pull(Open* open) {
  if (dice_.OneIn(3)) {
    PullBatch(open);
    return;
  }
  cpg_zcb_message message{};
  const bool has = caller_.Do("cpg_zcb_next", [&] {
    return dice_.OneIn(4) ? cpg_zcb_next_timed(open->handle, &message,
                                               static_cast<int>(dice_.Below(3)))
                          : cpg_zcb_next(open->handle, &message);
  });
  if (!has) return;
  ++messages_;
  caller_.Read(message.data, message.length);
  if (message.kind != CPG_ZCB_MESSAGE) return;
  if (kept_.size() < kMostKept && dice_.OneIn(2) &&
      caller_.Do("cpg_zcb_retain",
                 [&] { return cpg_zcb_retain(open->handle, message.data); })) {
    kept_.push_back(message.data);
  }
  caller_.Read(message.data, message.length);
}

void GroupVictim::Keep(Open* open) {
  if (kept_.empty()) return;
  const std::size_t which =
      dice_.Below(static_cast<std::uint32_t>(kept_.size()));
  const void* const message = kept_[which];
  caller_.Read(message, 1);
  if (dice_.OneIn(3)) {
    caller_.Do("cpg_zcb_forward", [&] {
      return cpg_zcb_forward(open->handle, CPG_TYPE_AGREED, message, 1);
    });
    return;
  }
  caller_.Do("cpg_zcb_release", [&] { return cpg_zcb_release(message); });
  kept_[which] = kept_.back();
  kept_.pop_back();
}

// --- questions ---------------------------------------------------------------

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

// --- all of it ---------------------------------------------------------------

void GroupVictim::Step() {
  Open* const open = &open_[dice_.Below(kHandles)];
  if (open->handle == 0) return Initialize(open);
  if (open->group.length == 0) return Membership(open);
  switch (dice_.Below(20)) {
    case 0:
      return dice_.OneIn(4) ? Finalize(open) : Membership(open);
    case 1:
      return Options(open);
    case 2:
    case 3:
      return Ask(open);
    case 4:
    case 5:
      return Keep(open);
    case 6:
      return Wait(open);
    case 7:
    case 8:
    case 9:
      return Send(open);
    case 10:
    case 11:
    case 12:
    case 13:
      return SendBuffer(open);
    case 14:
    case 15:
      return Pull(open);
    default:
      return Receive(open);
  }
}

void GroupVictim::End() {
  for (const void* const message : kept_) {
    caller_.Do("cpg_zcb_release", [&] { return cpg_zcb_release(message); });
  }
  kept_.clear();
  for (Open& open : open_) {
    if (open.handle != 0) Finalize(&open);
  }
}

bool GroupVictim::SendsToItself() {
  Open* const open = &open_[0];
  Initialize(open);
  if (open->handle == 0) return false;
  cpg_name name{};
  name.length = static_cast<std::uint32_t>(
      std::snprintf(name.value, sizeof name.value, "own-%d", getpid()));
  if (!caller_.Do("cpg_join", [&] { return cpg_join(open->handle, &name); })) {
    return false;
  }
  char text[] = "still here";
  const iovec piece{text, sizeof text};
  if (!caller_.Do("cpg_mcast_joined", [&] {
        return cpg_mcast_joined(open->handle, CPG_TYPE_AGREED, &piece, 1);
      })) {
    return false;
  }
  messages_ = 0;
  while (messages_ == 0) {
    if (!caller_.Do("cpg_dispatch", [&] {
          return cpg_dispatch(open->handle, CS_DISPATCH_ALL);
        })) {
      return false;
    }
  }
  Finalize(open);
  return true;
}

}  // namespace zcb::hostile
