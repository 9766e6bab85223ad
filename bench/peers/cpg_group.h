// What peers that speak CPG have in common, whatever model and library: a group
// of two, and what the callbacks of a dispatch do.
#ifndef ZCB_BENCH_PEERS_CPG_GROUP_H_
#define ZCB_BENCH_PEERS_CPG_GROUP_H_

#include <corosync/cpg.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "bench/failure.h"

namespace zcb::bench {

inline void Must(cs_error_t error, const char* what) {
  if (error != CS_OK) Fail("{}: error {}", what, static_cast<int>(error));
}

// The base of such a peer. The order of a group is total, so a sender gets its
// own messages, too, and steps over them; that time is part of what is
// measured.
class CpgGroup {
 protected:
  // `model`: of `kind`; its callbacks are set here.
  template <typename Model>
  void Initialize(cpg_model_t kind, Model model) {
    own_pid_ = static_cast<std::uint32_t>(::getpid());
    // Their signatures differ in a const.
    model.cpg_deliver_fn = [](cpg_handle_t handle, const cpg_name*,
                              std::uint32_t, std::uint32_t pid, auto* message,
                              std::size_t length_bytes) {
      Of(handle).Hear(pid,
                      {static_cast<const std::byte*>(message), length_bytes});
    };
    model.cpg_confchg_fn = OnView;
    cs_error_t error = CS_ERR_TRY_AGAIN;
    while (error == CS_ERR_TRY_AGAIN) {
      error = cpg_model_initialize(
          &handle_, kind, reinterpret_cast<cpg_model_data_t*>(&model), this);
    }
    Must(error, "cpg_model_initialize");
  }
  // Returns when both are in.
  void Join(cs_dispatch_flags_t how_many) {
    const cpg_name group{5, "bench"};
    cs_error_t error = CS_OK;
    do {
      error = cpg_join(handle_, &group);
    } while (error == CS_ERR_TRY_AGAIN);
    Must(error, "cpg_join");
    const auto none = [](auto) { Fail("a message before the view of two"); };
    while (member_count_ < kSides) Dispatch(how_many, none);
  }

  // False: no message of the other side.
  template <typename R>
  bool Dispatch(cs_dispatch_flags_t how_many, const R& reader) {
    reader_ = &reader;
    read_ = [](const void* reads, std::span<const std::byte> message) {
      (*static_cast<const R*>(reads))(message);
    };
    was_message_ = false;
    const cs_error_t error = cpg_dispatch(handle_, how_many);
    if (error != CS_ERR_TRY_AGAIN) Must(error, "cpg_dispatch");
    return was_message_;
  }

  cpg_handle_t handle() const { return handle_; }
  std::uint32_t own_pid() const { return own_pid_; }

 private:
  static constexpr std::size_t kSides = 2;

  static CpgGroup& Of(cpg_handle_t handle) {
    void* context = nullptr;
    cpg_context_get(handle, &context);
    return *static_cast<CpgGroup*>(context);
  }
  void Hear(std::uint32_t pid, std::span<const std::byte> message) {
    if (pid == own_pid_) return;
    was_message_ = true;
    read_(reader_, message);
  }
  static void OnView(cpg_handle_t handle, const cpg_name*, const cpg_address*,
                     std::size_t member_count, const cpg_address*, std::size_t,
                     const cpg_address*, std::size_t) {
    Of(handle).member_count_ = member_count;
  }

  cpg_handle_t handle_ = 0;
  std::uint32_t own_pid_ = 0;
  std::size_t member_count_ = 0;
  // During a dispatch.
  const void* reader_ = nullptr;
  void (*read_)(const void*, std::span<const std::byte>) = nullptr;
  bool was_message_ = false;  // of the other side
};

}  // namespace zcb::bench

#endif  // ZCB_BENCH_PEERS_CPG_GROUP_H_
