#include "bench/peers/seqpacket.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "bench/failure.h"

namespace zcb::bench {
namespace {

constexpr std::size_t kLineBytes = 64;
// Room for several of the largest messages; root may exceed wmem_max.
constexpr int kSocketBufferBytes = 8 << 20;

void WidenBuffer(int socket, int forced_option, int option) {
  const int bytes = kSocketBufferBytes;
  if (setsockopt(socket, SOL_SOCKET, forced_option, &bytes, sizeof(bytes)) == 0)
    return;
  setsockopt(socket, SOL_SOCKET, option, &bytes, sizeof(bytes));
}

}  // namespace

static_assert(Peer<SeqpacketPeer>);

void SeqpacketPeer::AlignedFree::operator()(std::byte* memory) const {
  std::free(memory);
}

SeqpacketPeer::Buffer SeqpacketPeer::MakeBuffer(std::size_t bytes) {
  const std::size_t lines = (bytes + kLineBytes - 1) / kLineBytes;
  void* memory = std::aligned_alloc(kLineBytes, lines * kLineBytes);
  if (memory == nullptr) Fail("no memory for a socket buffer");
  std::memset(memory, 0, lines * kLineBytes);
  return Buffer(static_cast<std::byte*>(memory));
}

SeqpacketPeer::SeqpacketPeer(Wait wait, std::size_t largest_bytes)
    : largest_bytes_(largest_bytes) {
  const int type =
      SOCK_SEQPACKET | SOCK_CLOEXEC | (wait == Wait::kSpin ? SOCK_NONBLOCK : 0);
  if (socketpair(AF_UNIX, type, 0, ends_.data()) != 0) {
    Fail("socketpair: {}", std::strerror(errno));
  }
  for (const int end : ends_) {
    WidenBuffer(end, SO_SNDBUFFORCE, SO_SNDBUF);
    WidenBuffer(end, SO_RCVBUFFORCE, SO_RCVBUF);
  }
}

SeqpacketPeer::~SeqpacketPeer() {
  for (const int end : ends_) {
    if (end >= 0) close(end);
  }
}

void SeqpacketPeer::Connect(Side side) {
  const std::size_t index = side == Side::kFirst ? 0 : 1;
  mine_ = ends_[index];
  close(std::exchange(ends_[1 - index], -1));
  out_ = MakeBuffer(largest_bytes_);
  in_ = MakeBuffer(largest_bytes_);
}

bool SeqpacketPeer::Send() {
  for (;;) {
    const ssize_t sent = send(mine_, out_.get(), prepared_bytes_, MSG_NOSIGNAL);
    if (sent >= 0) return true;
    if (errno == EAGAIN || errno == ENOBUFS) return false;
    if (errno != EINTR) Fail("send: {}", std::strerror(errno));
  }
}

bool SeqpacketPeer::Receive(const Reader& reader) {
  for (;;) {
    const ssize_t got = recv(mine_, in_.get(), largest_bytes_, 0);
    if (got > 0) {
      reader({in_.get(), static_cast<std::size_t>(got)});
      return true;
    }
    if (got == 0) Fail("the other side has gone");
    if (errno == EAGAIN) return false;
    if (errno != EINTR) Fail("recv: {}", std::strerror(errno));
  }
}

}  // namespace zcb::bench
