// Peer: an AF_UNIX SOCK_SEQPACKET pair, the usual way without shared memory.
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <span>
#include <utility>

#include "bench/failure.h"
#include "bench/pair_questions.h"
#include "bench/peers/peer.h"
#include "bench/peers/private_buffer.h"

namespace zcb::bench {
namespace {

// Room for several of the largest messages; root may exceed wmem_max.
constexpr int kSocketBufferBytes = 8 << 20;

void WidenBuffer(int socket, int forced_option, int option) {
  const int bytes = kSocketBufferBytes;
  if (::setsockopt(socket, SOL_SOCKET, forced_option, &bytes, sizeof(bytes)) ==
      0) {
    return;
  }
  ::setsockopt(socket, SOL_SOCKET, option, &bytes, sizeof(bytes));
}

class SeqpacketPeer {
 public:
  static constexpr std::array kVariants = {
      Variant{"seqpacket", Wait::kBusy, "AF_UNIX SOCK_SEQPACKET, non-blocking"},
      Variant{"seqpacket", Wait::kSleep, "AF_UNIX SOCK_SEQPACKET, blocking"},
  };

  explicit SeqpacketPeer(const PeerSetup& setup)
      : largest_bytes_(setup.largest_bytes) {
    const int type = SOCK_SEQPACKET | SOCK_CLOEXEC |
                     (setup.variant.wait == Wait::kBusy ? SOCK_NONBLOCK : 0);
    if (::socketpair(AF_UNIX, type, 0, ends_.data()) != 0) {
      Fail("socketpair: {}", std::strerror(errno));
    }
    for (const int end : ends_) {
      WidenBuffer(end, SO_SNDBUFFORCE, SO_SNDBUF);
      WidenBuffer(end, SO_RCVBUFFORCE, SO_RCVBUF);
    }
  }
  ~SeqpacketPeer() {
    for (const int end : ends_) {
      if (end >= 0) ::close(end);
    }
  }
  SeqpacketPeer(const SeqpacketPeer&) = delete;
  SeqpacketPeer& operator=(const SeqpacketPeer&) = delete;

  void Connect(Side side) {
    const std::size_t index = side == Side::kFirst ? 0 : 1;
    mine_ = ends_[index];
    ::close(std::exchange(ends_[1 - index], -1));
    out_ = PrivateBuffer(largest_bytes_);
    in_ = PrivateBuffer(largest_bytes_);
  }

  std::span<std::byte> Prepare(std::size_t length_bytes) {
    prepared_bytes_ = length_bytes;
    return {out_.data(), length_bytes};
  }

  bool Send() {
    for (;;) {
      const ssize_t sent =
          ::send(mine_, out_.data(), prepared_bytes_, MSG_NOSIGNAL);
      if (sent >= 0) return true;
      if (errno == EAGAIN || errno == ENOBUFS) return false;
      if (errno != EINTR) Fail("send: {}", std::strerror(errno));
    }
  }

  bool Receive(const auto& reader) {
    for (;;) {
      const ssize_t got = ::recv(mine_, in_.data(), largest_bytes_, 0);
      if (got > 0) {
        reader(std::span(in_.data(), static_cast<std::size_t>(got)));
        return true;
      }
      if (got == 0) Fail("the other side has gone");
      if (errno == EAGAIN) return false;
      if (errno != EINTR) Fail("recv: {}", std::strerror(errno));
    }
  }

  void Service() {}

 private:
  std::size_t largest_bytes_;
  std::size_t prepared_bytes_ = 0;
  std::array<int, 2> ends_{-1, -1};
  int mine_ = -1;
  PrivateBuffer out_;
  PrivateBuffer in_;
};

}  // namespace
}  // namespace zcb::bench

int main(int argc, char** argv) {
  return zcb::bench::RunPeerProgram<zcb::bench::SeqpacketPeer>(argc, argv,
                                                               "seqpacket");
}
