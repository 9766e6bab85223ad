// Peer: CPG_MODEL_V1, as programs for Corosync are written. Compiled against
// the system's header and linked to the system's libcpg: measures ours where
// LD_LIBRARY_PATH leads to it, and a real Corosync where a daemon answers.
#include <corosync/cpg.h>
#include <poll.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <string_view>

#include "bench/failure.h"
#include "bench/pair_questions.h"
#include "bench/peers/peer.h"
#include "bench/peers/private_buffer.h"

namespace zcb::bench {
namespace {

constexpr std::size_t kSides = 2;
// Corosync's limit is 1 MiB for a message and its own header.
constexpr std::size_t kLargestBytes = 1000 << 10;

void Must(cs_error_t error, const char* what) {
  if (error != CS_OK) Fail("{}: error {}", what, static_cast<int>(error));
}

// The daemon, if one runs in what we see of /proc; 0: none.
pid_t FindCorosync() {
  std::error_code ignored;
  for (const auto& entry :
       std::filesystem::directory_iterator("/proc", ignored)) {
    std::string name;
    std::getline(std::ifstream(entry.path() / "comm"), name);
    if (name != "corosync") continue;
    return std::atoi(entry.path().filename().c_str());
  }
  return 0;
}

class CorosyncCpgPeer {
 public:
  static constexpr std::array kVariants = {
      Variant{"cpg_v1", Wait::kBusy,
              "cpg_mcast_joined(), cpg_dispatch() in a loop"},
      Variant{"cpg_v1", Wait::kSleep,
              "cpg_mcast_joined(), poll(2) and cpg_dispatch()"},
      Variant{"cpg_v1_one", Wait::kSleep,
              "cpg_mcast_joined(), cpg_dispatch(CS_DISPATCH_ONE)"},
      Variant{"cpg_v1_zcb", Wait::kBusy,
              "cpg_zcb_alloc(), cpg_zcb_mcast_joined(), cpg_dispatch()"},
      Variant{"cpg_v1_zcb", Wait::kSleep,
              "cpg_zcb_alloc(), cpg_zcb_mcast_joined(), poll(2)"},
  };
  static std::size_t LargestBytes(const Variant&) { return kLargestBytes; }

  explicit CorosyncCpgPeer(const PeerSetup& setup)
      : wait_(setup.variant.wait),
        uses_zcb_(setup.variant.name == "cpg_v1_zcb"),
        uses_one_(setup.variant.name == "cpg_v1_one"),
        largest_bytes_(setup.largest_bytes),
        daemon_(FindCorosync()) {}

  pid_t Daemon() const { return daemon_; }

  void Connect(Side) {
    own_pid_ = static_cast<std::uint32_t>(::getpid());
    cpg_model_v1_data_t model{};
    model.cpg_deliver_fn = OnMessage;
    model.cpg_confchg_fn = OnView;
    cs_error_t error = CS_ERR_TRY_AGAIN;
    while (error == CS_ERR_TRY_AGAIN) {
      error = cpg_model_initialize(&handle_, CPG_MODEL_V1,
                                   reinterpret_cast<cpg_model_data_t*>(&model),
                                   this);
    }
    Must(error, "cpg_model_initialize");
    const cpg_name group{5, "bench"};
    do {
      error = cpg_join(handle_, &group);
    } while (error == CS_ERR_TRY_AGAIN);
    Must(error, "cpg_join");
    // Real programs that ask without waiting need no descriptor.
    const auto none = [](auto) { Fail("a message before the view of two"); };
    while (member_count_ < kSides) Dispatch(CS_DISPATCH_ONE, none);
    if (wait_ == Wait::kSleep && !uses_one_) {
      Must(cpg_fd_get(handle_, &bell_), "cpg_fd_get");
    }
    if (!uses_zcb_) out_ = PrivateBuffer(largest_bytes_);
  }

  std::span<std::byte> Prepare(std::size_t length_bytes) {
    if (prepared_.size() == length_bytes) return prepared_;
    void* buffer = out_.data();
    if (uses_zcb_) {
      const cs_error_t error = cpg_zcb_alloc(handle_, length_bytes, &buffer);
      if (error == CS_ERR_NO_MEMORY) return {};
      Must(error, "cpg_zcb_alloc");
    }
    prepared_ = {static_cast<std::byte*>(buffer), length_bytes};
    return prepared_;
  }

  bool Send() {
    const cs_error_t error = uses_zcb_ ? SendInPlace() : SendCopied();
    if (error == CS_ERR_TRY_AGAIN || error == CS_ERR_NO_MEMORY) return false;
    Must(error, "cpg_mcast_joined");
    // A buffer of cpg_zcb_alloc() stays the caller's: it is used again.
    return true;
  }

  bool Receive(const auto& reader) {
    if (wait_ == Wait::kBusy) return Dispatch(CS_DISPATCH_ALL, reader);
    if (uses_one_) return Dispatch(CS_DISPATCH_ONE, reader);
    while (!Dispatch(CS_DISPATCH_ALL, reader)) {
      pollfd bell{bell_, POLLIN, 0};
      ::poll(&bell, 1, -1);
    }
    return true;
  }

  void Service() {
    Dispatch(CS_DISPATCH_ALL, [](auto) { Fail("a message while servicing"); });
  }

 private:
  static CorosyncCpgPeer& PeerOf(cpg_handle_t handle) {
    void* context = nullptr;
    cpg_context_get(handle, &context);
    return *static_cast<CorosyncCpgPeer*>(context);
  }
  static void OnMessage(cpg_handle_t handle, const cpg_name*, std::uint32_t,
                        std::uint32_t pid, void* message,
                        std::size_t length_bytes) {
    CorosyncCpgPeer& self = PeerOf(handle);
    if (pid == self.own_pid_) return;
    self.was_message_ = true;
    self.read_(self.reader_,
               {static_cast<const std::byte*>(message), length_bytes});
  }
  static void OnView(cpg_handle_t handle, const cpg_name*, const cpg_address*,
                     std::size_t member_count, const cpg_address*, std::size_t,
                     const cpg_address*, std::size_t) {
    PeerOf(handle).member_count_ = member_count;
  }

  cs_error_t SendCopied() {
    const iovec part{prepared_.data(), prepared_.size()};
    return cpg_mcast_joined(handle_, CPG_TYPE_AGREED, &part, 1);
  }
  cs_error_t SendInPlace() {
    return cpg_zcb_mcast_joined(handle_, CPG_TYPE_AGREED, prepared_.data(),
                                prepared_.size());
  }

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

  Wait wait_;
  bool uses_zcb_;
  bool uses_one_;
  std::size_t largest_bytes_;
  pid_t daemon_;
  cpg_handle_t handle_ = 0;
  int bell_ = -1;
  std::uint32_t own_pid_ = 0;
  std::size_t member_count_ = 0;
  PrivateBuffer out_;
  std::span<std::byte> prepared_;
  // During a dispatch.
  const void* reader_ = nullptr;
  void (*read_)(const void*, std::span<const std::byte>) = nullptr;
  bool was_message_ = false;  // of the other side
};

}  // namespace
}  // namespace zcb::bench

int main(int argc, char** argv) {
  return zcb::bench::RunPeerProgram<zcb::bench::CorosyncCpgPeer>(
      argc, argv, "corosync_cpg");
}
