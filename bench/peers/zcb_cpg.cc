#include "bench/peers/zcb_cpg.h"

#include <poll.h>
#include <unistd.h>

#include "bench/failure.h"

namespace zcb::bench {
namespace {

constexpr std::size_t kSides = 2;

void Must(cs_error_t error, const char* what) {
  if (error != CS_OK) Fail("{}: error {}", what, static_cast<int>(error));
}

ZcbCpgPeer& PeerOf(cpg_handle_t handle) {
  void* context = nullptr;
  cpg_context_get(handle, &context);
  return *static_cast<ZcbCpgPeer*>(context);
}

}  // namespace

static_assert(Peer<ZcbCpgPeer>);

ZcbCpgPeer::~ZcbCpgPeer() {
  if (handle_ != 0) cpg_finalize(handle_);
}

void ZcbCpgPeer::OnMessage(cpg_handle_t handle, const cpg_name*, std::uint32_t,
                           std::uint32_t pid, const void* message,
                           std::size_t length_bytes) {
  ZcbCpgPeer& self = PeerOf(handle);
  if (pid == self.own_pid_) return;
  self.was_message_ = true;
  (*self.reader_)({static_cast<const std::byte*>(message), length_bytes});
}

void ZcbCpgPeer::OnView(cpg_handle_t handle, const cpg_name*,
                        const cpg_address*, std::size_t member_count,
                        const cpg_address*, std::size_t, const cpg_address*,
                        std::size_t) {
  PeerOf(handle).ReadView(member_count);
}

void ZcbCpgPeer::Connect(Side) {
  own_pid_ = static_cast<std::uint32_t>(getpid());
  cpg_model_zcb_data_t model{};
  model.cpg_deliver_fn = OnMessage;
  model.cpg_confchg_fn = OnView;
  cs_error_t error = CS_ERR_TRY_AGAIN;
  while (error == CS_ERR_TRY_AGAIN) {
    error =
        cpg_model_initialize(&handle_, CPG_MODEL_ZCB,
                             reinterpret_cast<cpg_model_data_t*>(&model), this);
  }
  Must(error, "cpg_model_initialize");
  const cpg_name group{5, "bench"};
  do {
    error = cpg_join(handle_, &group);
  } while (error == CS_ERR_TRY_AGAIN);
  Must(error, "cpg_join");
  while (member_count_ < kSides) {
    Dispatch(CS_DISPATCH_ONE_NONBLOCKING,
             [](auto) { Fail("a message before the view of two"); });
  }
  if (how_ == CpgReceive::kPoll) {
    Must(cpg_fd_get(handle_, &descriptor_), "cpg_fd_get");
  }
}

std::span<std::byte> ZcbCpgPeer::Prepare(std::size_t length_bytes) {
  if (prepared_.size() == length_bytes) return prepared_;
  void* buffer = nullptr;
  const cs_error_t error = cpg_zcb_alloc(handle_, length_bytes, &buffer);
  if (error == CS_ERR_NO_MEMORY) return {};
  Must(error, "cpg_zcb_alloc");
  prepared_ = {static_cast<std::byte*>(buffer), length_bytes};
  return prepared_;
}

bool ZcbCpgPeer::Send() {
  const cs_error_t error = cpg_zcb_mcast_joined(
      handle_, CPG_TYPE_AGREED, prepared_.data(), prepared_.size());
  if (error == CS_ERR_TRY_AGAIN || error == CS_ERR_NO_MEMORY) return false;
  Must(error, "cpg_zcb_mcast_joined");
  prepared_ = {};
  return true;
}

bool ZcbCpgPeer::TakeNext(const Reader& reader) {
  for (;;) {
    cpg_zcb_message event;
    const cs_error_t error = cpg_zcb_next(handle_, &event);
    if (error == CS_ERR_TRY_AGAIN) return false;
    Must(error, "cpg_zcb_next");
    if (event.kind == CPG_ZCB_VIEW || event.pid == own_pid_) continue;
    reader({static_cast<const std::byte*>(event.data), event.length});
    return true;
  }
}

bool ZcbCpgPeer::Dispatch(cs_dispatch_flags_t how_many, const Reader& reader) {
  reader_ = &reader;
  was_message_ = false;
  const cs_error_t error = cpg_dispatch(handle_, how_many);
  if (error != CS_ERR_TRY_AGAIN) Must(error, "cpg_dispatch");
  return was_message_;
}

void ZcbCpgPeer::WaitAndDispatch(const Reader& reader) {
  while (!Dispatch(CS_DISPATCH_ALL, reader)) {
    pollfd bell{descriptor_, POLLIN, 0};
    poll(&bell, 1, -1);
  }
}

bool ZcbCpgPeer::Receive(const Reader& reader) {
  switch (how_) {
    case CpgReceive::kNext:
      return TakeNext(reader);
    case CpgReceive::kDispatch:
      return Dispatch(CS_DISPATCH_ONE_NONBLOCKING, reader);
    case CpgReceive::kPoll:
      WaitAndDispatch(reader);
      return true;
  }
  return false;
}

void ZcbCpgPeer::Service() {
  const Reader unexpected = [](auto) { Fail("a message while servicing"); };
  if (how_ == CpgReceive::kNext) {
    TakeNext(unexpected);
  } else {
    Dispatch(CS_DISPATCH_ALL, unexpected);
  }
}

std::string ZcbCpgPeer::Pages() const {
  struct cpg_zcb_region_info info{};
  info.size = sizeof(info);
  Must(cpg_zcb_region_info(handle_, &info), "cpg_zcb_region_info");
  return info.page_kind;
}

}  // namespace zcb::bench
