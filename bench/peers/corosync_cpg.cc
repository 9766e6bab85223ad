// Peer: CPG_MODEL_V1, as programs for Corosync are written. Compiled against
// the system's header and linked to the system's libcpg: measures ours where
// LD_LIBRARY_PATH leads to it, and a real Corosync where a daemon answers.
#include <corosync/cpg.h>
#include <poll.h>
#include <sys/uio.h>

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
#include "bench/peers/cpg_group.h"
#include "bench/peers/peer.h"
#include "bench/peers/private_buffer.h"

namespace zcb::bench {
namespace {

// Corosync's limit is 1 MiB for a message and its own header.
constexpr std::size_t kLargestBytes = 1000 << 10;

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

class CorosyncCpgPeer : CpgGroup {
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
    Initialize(CPG_MODEL_V1, cpg_model_v1_data_t{});
    // Real programs that ask without waiting need no descriptor.
    Join(CS_DISPATCH_ONE);
    if (wait_ == Wait::kSleep && !uses_one_) {
      Must(cpg_fd_get(handle(), &bell_), "cpg_fd_get");
    }
    if (!uses_zcb_) out_ = PrivateBuffer(largest_bytes_);
  }

  std::span<std::byte> Prepare(std::size_t length_bytes) {
    if (prepared_.size() == length_bytes) return prepared_;
    void* buffer = out_.data();
    if (uses_zcb_) {
      const cs_error_t error = cpg_zcb_alloc(handle(), length_bytes, &buffer);
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
  cs_error_t SendCopied() {
    const iovec part{prepared_.data(), prepared_.size()};
    return cpg_mcast_joined(handle(), CPG_TYPE_AGREED, &part, 1);
  }
  cs_error_t SendInPlace() {
    return cpg_zcb_mcast_joined(handle(), CPG_TYPE_AGREED, prepared_.data(),
                                prepared_.size());
  }

  Wait wait_;
  bool uses_zcb_;
  bool uses_one_;
  std::size_t largest_bytes_;
  pid_t daemon_;
  int bell_ = -1;
  PrivateBuffer out_;
  std::span<std::byte> prepared_;
};

}  // namespace
}  // namespace zcb::bench

int main(int argc, char** argv) {
  return zcb::bench::RunPeerProgram<zcb::bench::CorosyncCpgPeer>(
      argc, argv, "corosync_cpg");
}
