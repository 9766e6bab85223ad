#include "tests/process/child.h"

#include <sys/uio.h>

namespace zcb::steps {

namespace {

void OnMessage(cpg_handle_t, const cpg_name*, std::uint32_t, std::uint32_t,
               const void*, std::size_t) {}
void OnChange(cpg_handle_t, const cpg_name*, const cpg_address*, std::size_t,
              const cpg_address*, std::size_t, const cpg_address*,
              std::size_t) {}

}  // namespace

void Attach(Child& child) {
  cpg_model_zcb_data_t data{};
  data.model = CPG_MODEL_ZCB;
  data.cpg_deliver_fn = &OnMessage;
  data.cpg_confchg_fn = &OnChange;
  Must(cpg_model_initialize(&child.handle, CPG_MODEL_ZCB,
                            reinterpret_cast<cpg_model_data_t*>(&data),
                            nullptr) == CS_OK,
       "cannot attach");
}

void JoinGroup(cpg_handle_t handle, std::string_view group) {
  const cpg_name name = Named(group);
  Must(cpg_join(handle, &name) == CS_OK, "cannot join");
  cpg_zcb_message message{};
  do {
    Must(cpg_zcb_next_timed(handle, &message, -1) == CS_OK, "no own join");
  } while (message.kind != CPG_ZCB_VIEW ||
           message.pid != static_cast<std::uint32_t>(getpid()));
}

int TakeAll(cpg_handle_t handle) {
  int messages = 0;
  cpg_zcb_message message{};
  while (cpg_zcb_next(handle, &message) == CS_OK) {
    if (message.kind == CPG_ZCB_MESSAGE) ++messages;
  }
  return messages;
}

cpg_zcb_message TakeMessage(cpg_handle_t handle) {
  cpg_zcb_message message{};
  do {
    Must(cpg_zcb_next(handle, &message) == CS_OK, "no message");
  } while (message.kind != CPG_ZCB_MESSAGE);
  return message;
}

cs_error_t SendBytes(cpg_handle_t handle, std::size_t bytes) {
  static char zeros[1 << 20];
  const iovec piece{zeros, bytes};
  return cpg_mcast_joined(handle, CPG_TYPE_AGREED, &piece, 1);
}

void FillRing(cpg_handle_t handle) {
  cs_error_t error = CS_OK;
  while ((error = SendBytes(handle, 8)) == CS_OK) {
  }
  Must(error == CS_ERR_TRY_AGAIN, "the ring does not fill");
}

}  // namespace zcb::steps
