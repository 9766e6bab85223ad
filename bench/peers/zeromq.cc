// Peer: ZeroMQ, PAIR sockets over ipc://. It has a thread of its own in each
// process, which moves the bytes: with a CPU for each process only a side that
// sleeps leaves it time.
#include <zmq.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <span>
#include <string>

#include "bench/failure.h"
#include "bench/pair_questions.h"
#include "bench/peers/peer.h"
#include "tests/support/temp_directory.h"

namespace zcb::bench {
namespace {

void Must(int result, const char* what) {
  if (result < 0) Fail("{}: {}", what, ::zmq_strerror(errno));
}

class ZeromqPeer {
 public:
  static constexpr std::array kVariants = {
      Variant{"zeromq", Wait::kSleep, "PAIR over ipc://"},
  };

  explicit ZeromqPeer(const PeerSetup&) {}

  void Connect(Side side) {
    const std::string address = "ipc://" + directory_.path() + "/socket";
    socket_ = ::zmq_socket(::zmq_ctx_new(), ZMQ_PAIR);
    if (socket_ == nullptr) Fail("zmq_socket: {}", ::zmq_strerror(errno));
    if (side == Side::kFirst) {
      Must(::zmq_bind(socket_, address.c_str()), "zmq_bind");
    } else {
      Must(::zmq_connect(socket_, address.c_str()), "zmq_connect");
    }
  }

  std::span<std::byte> Prepare(std::size_t length_bytes) {
    Must(::zmq_msg_init_size(&message_, length_bytes), "zmq_msg_init_size");
    return {static_cast<std::byte*>(::zmq_msg_data(&message_)), length_bytes};
  }

  bool Send() {
    Must(::zmq_msg_send(&message_, socket_, 0), "zmq_msg_send");
    return true;
  }

  bool Receive(const auto& reader) {
    zmq_msg_t message;
    Must(::zmq_msg_init(&message), "zmq_msg_init");
    Must(::zmq_msg_recv(&message, socket_, 0), "zmq_msg_recv");
    reader(std::span(static_cast<const std::byte*>(::zmq_msg_data(&message)),
                     ::zmq_msg_size(&message)));
    ::zmq_msg_close(&message);
    return true;
  }

  void Service() {}

 private:
  const testing::TempDirectory directory_;
  void* socket_ = nullptr;
  zmq_msg_t message_{};  // prepared
};

}  // namespace
}  // namespace zcb::bench

int main(int argc, char** argv) {
  return zcb::bench::RunPeerProgram<zcb::bench::ZeromqPeer>(argc, argv,
                                                            "zeromq");
}
