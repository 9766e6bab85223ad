// Peer: two pipes, a length before each message.
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "bench/failure.h"
#include "bench/pair_questions.h"
#include "bench/peers/peer.h"
#include "bench/peers/private_buffer.h"

namespace zcb::bench {
namespace {

constexpr int kPipeBytes = 1 << 20;  // as much as anybody may have
using Length = std::uint64_t;
constexpr std::size_t kHeaderBytes = 64;  // so the payload is on a line's start

class PipePeer {
 public:
  static constexpr std::array kVariants = {
      Variant{"pipe", Wait::kBusy, "two pipes, non-blocking"},
      Variant{"pipe", Wait::kSleep, "two pipes, blocking"},
  };

  explicit PipePeer(const PeerSetup& setup)
      : largest_bytes_(setup.largest_bytes) {
    const int flags =
        O_CLOEXEC | (setup.variant.wait == Wait::kBusy ? O_NONBLOCK : 0);
    for (auto& pipe : pipes_) {
      if (::pipe2(pipe.data(), flags) != 0) {
        Fail("pipe: {}", std::strerror(errno));
      }
      ::fcntl(pipe[1], F_SETPIPE_SZ, kPipeBytes);  // if it may
    }
  }
  ~PipePeer() {
    for (const auto& pipe : pipes_) {
      for (const int end : pipe) ::close(end);
    }
  }
  PipePeer(const PipePeer&) = delete;
  PipePeer& operator=(const PipePeer&) = delete;

  void Connect(Side side) {
    const std::size_t index = side == Side::kFirst ? 0 : 1;
    out_end_ = pipes_[index][1];
    in_end_ = pipes_[1 - index][0];
    out_ = PrivateBuffer(kHeaderBytes + largest_bytes_);
    in_ = PrivateBuffer(kHeaderBytes + largest_bytes_);
  }

  // The length lies right before the payload, so one write has both.
  std::span<std::byte> Prepare(std::size_t length_bytes) {
    const Length length = length_bytes;
    std::memcpy(out_.data() + kHeaderBytes - sizeof(length), &length,
                sizeof(length));
    to_write_ = sizeof(length) + length_bytes;
    return {out_.data() + kHeaderBytes, length_bytes};
  }

  bool Send() {
    const std::byte* begin = out_.data() + kHeaderBytes - sizeof(Length);
    while (written_ < to_write_) {
      const ssize_t wrote =
          ::write(out_end_, begin + written_, to_write_ - written_);
      if (wrote >= 0) {
        written_ += static_cast<std::size_t>(wrote);
      } else if (errno == EAGAIN) {
        return false;
      } else if (errno != EINTR) {
        Fail("write: {}", std::strerror(errno));
      }
    }
    written_ = 0;
    return true;
  }

  bool Receive(const auto& reader) {
    std::byte* begin = in_.data() + kHeaderBytes - sizeof(Length);
    if (read_ < sizeof(Length) && !ReadUpTo(begin, sizeof(Length))) {
      return false;
    }
    Length length = 0;
    std::memcpy(&length, begin, sizeof(length));
    if (length > largest_bytes_) Fail("a length of {}", length);
    if (!ReadUpTo(begin, sizeof(Length) + length)) return false;
    read_ = 0;
    reader(std::span(in_.data() + kHeaderBytes, length));
    return true;
  }

  void Service() {}

 private:
  // False: not all is there yet.
  bool ReadUpTo(std::byte* begin, std::size_t end) {
    while (read_ < end) {
      const ssize_t got = ::read(in_end_, begin + read_, end - read_);
      if (got == 0) Fail("the other side has gone");
      if (got > 0) {
        read_ += static_cast<std::size_t>(got);
      } else if (errno == EAGAIN) {
        return false;
      } else if (errno != EINTR) {
        Fail("read: {}", std::strerror(errno));
      }
    }
    return true;
  }

  std::size_t largest_bytes_;
  std::array<std::array<int, 2>, 2> pipes_{};
  int out_end_ = -1;
  int in_end_ = -1;
  PrivateBuffer out_;
  PrivateBuffer in_;
  std::size_t to_write_ = 0;
  std::size_t written_ = 0;  // of the prepared message
  std::size_t read_ = 0;     // of the next one
};

}  // namespace
}  // namespace zcb::bench

int main(int argc, char** argv) {
  return zcb::bench::RunPeerProgram<zcb::bench::PipePeer>(argc, argv, "pipe");
}
