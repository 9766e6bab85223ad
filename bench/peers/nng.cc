// Peer: nng, pair0 over ipc://. It has threads of its own in each process,
// which move the bytes: with a CPU for each process only a side that sleeps
// leaves them time.
#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>

#include <array>
#include <cstddef>
#include <span>
#include <string>

#include "bench/failure.h"
#include "bench/pair_questions.h"
#include "bench/peers/peer.h"
#include "tests/support/temp_directory.h"

namespace zcb::bench {
namespace {

constexpr int kQueuedMessages = 128;

void Must(int error, const char* what) {
  if (error != 0) Fail("{}: {}", what, ::nng_strerror(error));
}

class NngPeer {
 public:
  static constexpr std::array kVariants = {
      Variant{"nng", Wait::kSleep, "pair0 over ipc://"},
  };

  explicit NngPeer(const PeerSetup&) {}

  void Connect(Side side) {
    const std::string address = "ipc://" + directory_.path() + "/socket";
    Must(::nng_pair0_open(&socket_), "nng_pair0_open");
    Must(::nng_socket_set_int(socket_, NNG_OPT_SENDBUF, kQueuedMessages),
         "send buffer");
    Must(::nng_socket_set_int(socket_, NNG_OPT_RECVBUF, kQueuedMessages),
         "receive buffer");
    Must(::nng_socket_set_size(socket_, NNG_OPT_RECVMAXSZ, 0), "largest");
    if (side == Side::kFirst) {
      Must(::nng_listen(socket_, address.c_str(), nullptr, 0), "nng_listen");
      return;
    }
    int error = NNG_ECONNREFUSED;
    while (error == NNG_ECONNREFUSED || error == NNG_ENOENT) {
      error = ::nng_dial(socket_, address.c_str(), nullptr, 0);
    }
    Must(error, "nng_dial");
  }

  std::span<std::byte> Prepare(std::size_t length_bytes) {
    Must(::nng_msg_alloc(&message_, length_bytes), "nng_msg_alloc");
    return {static_cast<std::byte*>(::nng_msg_body(message_)), length_bytes};
  }

  bool Send() {
    Must(::nng_sendmsg(socket_, message_, 0), "nng_sendmsg");
    return true;
  }

  bool Receive(const auto& reader) {
    nng_msg* message = nullptr;
    Must(::nng_recvmsg(socket_, &message, 0), "nng_recvmsg");
    reader(std::span(static_cast<const std::byte*>(::nng_msg_body(message)),
                     ::nng_msg_len(message)));
    ::nng_msg_free(message);
    return true;
  }

  void Service() {}

 private:
  const testing::TempDirectory directory_;
  nng_socket socket_{};
  nng_msg* message_ = nullptr;  // prepared
};

}  // namespace
}  // namespace zcb::bench

int main(int argc, char** argv) {
  return zcb::bench::RunPeerProgram<zcb::bench::NngPeer>(argc, argv, "nng");
}
