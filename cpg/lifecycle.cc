// Handles: begin, end, and what is asked of them without a group.
#include <corosync/cpg.h>
#include <corosync/cpg_zcb.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <utility>

#include "allocator/cancel_shield.h"
#include "cpg/cs_error.h"
#include "cpg/process_state.h"

namespace zcb::cpg {
namespace {

// What Corosync's programs get, and take as the size of their buffers. Longer
// messages are atomic here, too.
constexpr std::uint64_t kV1AtomicBytes = 1'047'552;

// What the two models' data have in common, but for the deliver callback.
template <typename Data>
cs_error_t ReadCommon(const Data& data, unsigned known_flags,
                      Callbacks* callbacks) {
  constexpr unsigned kTotemFlag = CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF;
  static_assert(kTotemFlag == CPG_MODEL_ZCB_DELIVER_INITIAL_TOTEM_CONF);
  if ((data.flags & ~known_flags) != 0) return CS_ERR_INVALID_PARAM;
  callbacks->confchg = data.cpg_confchg_fn;
  callbacks->totem_confchg = data.cpg_totem_confchg_fn;
  callbacks->wants_initial_totem =
      data.cpg_totem_confchg_fn != nullptr && (data.flags & kTotemFlag) != 0;
  return CS_OK;
}

cs_error_t Initialize(cpg_handle_t* handle, Model model,
                      const Callbacks& callbacks, bool stamps_time,
                      void* context) {
  auto options = HandleOptionValues::FromEnvironment();
  if (!options) return ToCsError(options.status());
  options->send_time = options->send_time || stamps_time;
  const auto state = ProcessState::FindOrMake();
  if (!state) return ToCsError(state.status());
  auto attachment = (*state)->AttachDefault();
  if (!attachment) return ToCsError(attachment.status());
  auto bell = (*attachment)->MakeDoorbell();
  if (!bell) return ToCsError(bell.status());
  if ((*attachment)->region().IsDamaged()) return CS_ERR_LIBRARY;
  *handle = (*state)->handles().Open(
      std::make_unique<Handle>(model, callbacks, *options,
                               std::move(*attachment), std::move(*bell)),
      [](Handle* object, std::uint64_t id) { object->set_id(id); }, context);
  return *handle == 0 ? CS_ERR_NO_RESOURCES : CS_OK;
}

// `model` is one of the two.
cs_error_t InitializeModel(cpg_handle_t* handle, cpg_model_t model,
                           const cpg_model_data_t* model_data, void* context) {
  Callbacks callbacks;
  if (model == CPG_MODEL_V1) {
    if (model_data != nullptr) {
      const auto& data =
          *reinterpret_cast<const cpg_model_v1_data_t*>(model_data);
      const cs_error_t error =
          ReadCommon(data, CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF, &callbacks);
      if (error != CS_OK) return error;
      callbacks.deliver = data.cpg_deliver_fn;
    }
    return Initialize(handle, Model::kV1, callbacks, false, context);
  }
  bool stamps_time = false;
  if (model_data != nullptr) {
    const auto& data =
        *reinterpret_cast<const cpg_model_zcb_data_t*>(model_data);
    const cs_error_t error = ReadCommon(
        data,
        CPG_MODEL_ZCB_DELIVER_INITIAL_TOTEM_CONF | CPG_MODEL_ZCB_SEND_TIME,
        &callbacks);
    if (error != CS_OK) return error;
    callbacks.deliver_zcb = data.cpg_deliver_fn;
    stamps_time = (data.flags & CPG_MODEL_ZCB_SEND_TIME) != 0;
  }
  return Initialize(handle, Model::kZcb, callbacks, stamps_time, context);
}

}  // namespace
}  // namespace zcb::cpg

using zcb::cpg::FindHandle;
using zcb::cpg::Guarded;
using zcb::cpg::GuardedIn;
using zcb::cpg::Handle;
using zcb::cpg::InitializeModel;
using zcb::cpg::kV1AtomicBytes;
using zcb::cpg::Model;
using zcb::cpg::ProcessState;

extern "C" {

cs_error_t cpg_initialize(cpg_handle_t* handle, cpg_callbacks_t* callbacks) {
  cpg_model_v1_data_t data{};
  data.model = CPG_MODEL_V1;
  if (callbacks != nullptr) {
    data.cpg_deliver_fn = callbacks->cpg_deliver_fn;
    data.cpg_confchg_fn = callbacks->cpg_confchg_fn;
  }
  return cpg_model_initialize(handle, CPG_MODEL_V1,
                              reinterpret_cast<cpg_model_data_t*>(&data),
                              nullptr);
}

cs_error_t cpg_model_initialize(cpg_handle_t* handle, cpg_model_t model,
                                cpg_model_data_t* model_data, void* context) {
  return Guarded([&] {
    if (handle == nullptr) return CS_ERR_INVALID_PARAM;
    if (model != CPG_MODEL_V1 && model != CPG_MODEL_ZCB) {
      return CS_ERR_INVALID_PARAM;  // the handle stays as it was
    }
    *handle = 0;
    const zcb::alloc::CancelShield shield;
    return InitializeModel(handle, model, model_data, context);
  });
}

cs_error_t cpg_finalize(cpg_handle_t handle) {
  return Guarded([&] {
    ProcessState* state = ProcessState::Find();
    if (state == nullptr) return CS_ERR_BAD_HANDLE;
    const auto pin = state->handles().Close(handle);
    if (!pin) return CS_ERR_BAD_HANDLE;
    pin->BeginClose();
    state->walks().ForEachHandle([&](std::uint64_t walk) {
      const auto found = state->walks().Find(walk);
      if (found && found->owner() == handle) {
        (void)state->walks().Close(walk);
      }
    });
    return CS_OK;
  });
}

cs_error_t cpg_fd_get(cpg_handle_t handle, int* fd) {
  return GuardedIn(handle, [&] {
    const auto pin = FindHandle(handle);
    if (!pin) return CS_ERR_BAD_HANDLE;
    if (fd == nullptr) return CS_ERR_INVALID_PARAM;
    if (const int known = pin->known_descriptor(); known >= 0) {
      *fd = known;
      return CS_OK;
    }
    const Handle::Lock lock(&*pin);
    *fd = pin->ShareDescriptor();
    return CS_OK;
  });
}

cs_error_t cpg_max_atomic_msgsize_get(cpg_handle_t handle, uint32_t* size) {
  return Guarded([&] {
    const auto pin = FindHandle(handle);
    if (!pin) return CS_ERR_BAD_HANDLE;
    if (size == nullptr) return CS_ERR_INVALID_PARAM;
    const std::uint64_t most_bytes = pin->model() == Model::kV1
                                         ? kV1AtomicBytes
                                         : std::numeric_limits<uint32_t>::max();
    *size = static_cast<std::uint32_t>(
        std::min(pin->attachment().LargestPayloadBytes(), most_bytes));
    return CS_OK;
  });
}

// Not Guarded(): a few loads, which neither throw nor touch errno.
cs_error_t cpg_context_get(cpg_handle_t handle, void** context) {
  const ProcessState* state = ProcessState::Find();
  void* note = nullptr;
  if (state == nullptr || !state->handles().ReadNote(handle, &note)) {
    return CS_ERR_BAD_HANDLE;
  }
  if (context == nullptr) return CS_ERR_INVALID_PARAM;
  *context = note;
  return CS_OK;
}

cs_error_t cpg_context_set(cpg_handle_t handle, void* context) {
  return Guarded([&] {
    const auto pin = FindHandle(handle);
    if (!pin) return CS_ERR_BAD_HANDLE;
    pin.set_note(context);
    return CS_OK;
  });
}

cs_error_t cpg_local_get(cpg_handle_t handle, unsigned int* local_nodeid) {
  return Guarded([&] {
    const auto pin = FindHandle(handle);
    if (!pin) return CS_ERR_BAD_HANDLE;
    if (local_nodeid == nullptr) return CS_ERR_INVALID_PARAM;
    *local_nodeid = pin->attachment().node_id();
    return CS_OK;
  });
}

}  // extern "C"
