#include "tests/hostile/group_victim.h"

#include <sys/uio.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

namespace zcb::hostile {
namespace {

GroupVictim* the_victim = nullptr;  // one per process; callbacks find it here

}  // namespace

// --- handles -----------------------------------------------------------------

GroupVictim* GroupVictim::Of(cpg_handle_t handle, Open** open) {
  void* context = nullptr;
  if (cpg_context_get(handle, &context) != CS_OK) return nullptr;
  *open = static_cast<Open*>(context);
  return the_victim;
}

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
