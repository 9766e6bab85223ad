// Messages and views in: by callbacks or pulled, and kept for a while.
#include "tests/hostile/group_victim.h"

#include <cstddef>
#include <cstdint>

namespace zcb::hostile {
namespace {

constexpr cs_dispatch_flags_t kHow[] = {CS_DISPATCH_ALL,
                                        CS_DISPATCH_ONE_NONBLOCKING};

}  // namespace

// --- callbacks ---------------------------------------------------------------

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

// --- calls -------------------------------------------------------------------

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

}  // namespace zcb::hostile
