// Peer: two POSIX message queues, mq_overview(7).
#include <fcntl.h>
#include <fmt/format.h>
#include <mqueue.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <fstream>
#include <span>
#include <string>

#include "bench/failure.h"
#include "bench/pair_questions.h"
#include "bench/peers/peer.h"
#include "bench/peers/private_buffer.h"

namespace zcb::bench {
namespace {

// As many messages as the kernel lets anybody have who is not root.
constexpr long kMessages = 10;
constexpr std::size_t kRootLargestBytes = 16 << 20;  // HARD_MSGSIZEMAX

class PosixMqPeer {
 public:
  static constexpr std::array kVariants = {
      Variant{"posix_mq", Wait::kBusy, "mq_send(3), O_NONBLOCK"},
      Variant{"posix_mq", Wait::kSleep, "mq_send(3), blocking"},
  };

  // Beyond the limit of the system with a capability that root need not have.
  static std::size_t LargestBytes(const Variant&) {
    LiftLimit();
    mq_attr attributes{};
    attributes.mq_maxmsg = kMessages;
    attributes.mq_msgsize = static_cast<long>(kRootLargestBytes);
    const std::string name = fmt::format("/zcb-bench-{}-probe", ::getpid());
    const mqd_t probe =
        ::mq_open(name.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600, &attributes);
    if (probe != static_cast<mqd_t>(-1)) {
      ::mq_close(probe);
      ::mq_unlink(name.c_str());
      return kRootLargestBytes;
    }
    std::size_t largest = 8192;
    std::ifstream("/proc/sys/fs/mqueue/msgsize_max") >> largest;
    return largest;
  }

  explicit PosixMqPeer(const PeerSetup& setup)
      : largest_bytes_(setup.largest_bytes) {
    LiftLimit();
    const int flags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC |
                      (setup.variant.wait == Wait::kBusy ? O_NONBLOCK : 0);
    for (std::size_t i = 0; i < queues_.size(); ++i) {
      mq_attr attributes{};
      attributes.mq_maxmsg = kMessages;
      attributes.mq_msgsize = static_cast<long>(largest_bytes_);
      const std::string name = fmt::format("/zcb-bench-{}-{}", ::getpid(), i);
      queues_[i] = ::mq_open(name.c_str(), flags, 0600, &attributes);
      if (queues_[i] == static_cast<mqd_t>(-1)) {
        Fail("mq_open: {}", std::strerror(errno));
      }
      ::mq_unlink(name.c_str());
    }
  }
  ~PosixMqPeer() {
    for (const mqd_t queue : queues_) ::mq_close(queue);
  }
  PosixMqPeer(const PosixMqPeer&) = delete;
  PosixMqPeer& operator=(const PosixMqPeer&) = delete;

  void Connect(Side side) {
    const std::size_t index = side == Side::kFirst ? 0 : 1;
    out_queue_ = queues_[index];
    in_queue_ = queues_[1 - index];
    out_ = PrivateBuffer(largest_bytes_);
    in_ = PrivateBuffer(largest_bytes_);
  }

  std::span<std::byte> Prepare(std::size_t length_bytes) {
    prepared_bytes_ = length_bytes;
    return {out_.data(), length_bytes};
  }

  bool Send() {
    for (;;) {
      if (::mq_send(out_queue_, reinterpret_cast<const char*>(out_.data()),
                    prepared_bytes_, 0) == 0) {
        return true;
      }
      if (errno == EAGAIN) return false;
      if (errno != EINTR) Fail("mq_send: {}", std::strerror(errno));
    }
  }

  bool Receive(const auto& reader) {
    for (;;) {
      const ssize_t got =
          ::mq_receive(in_queue_, reinterpret_cast<char*>(in_.data()),
                       largest_bytes_, nullptr);
      if (got >= 0) {
        reader(std::span(in_.data(), static_cast<std::size_t>(got)));
        return true;
      }
      if (errno == EAGAIN) return false;
      if (errno != EINTR) Fail("mq_receive: {}", std::strerror(errno));
    }
  }

  void Service() {}

 private:
  static void LiftLimit() {
    const rlimit no_limit{RLIM_INFINITY, RLIM_INFINITY};
    ::setrlimit(RLIMIT_MSGQUEUE, &no_limit);  // if it may
  }

  std::size_t largest_bytes_;
  std::size_t prepared_bytes_ = 0;
  std::array<mqd_t, 2> queues_{};
  mqd_t out_queue_ = -1;
  mqd_t in_queue_ = -1;
  PrivateBuffer out_;
  PrivateBuffer in_;
};

}  // namespace
}  // namespace zcb::bench

int main(int argc, char** argv) {
  return zcb::bench::RunPeerProgram<zcb::bench::PosixMqPeer>(argc, argv,
                                                             "posix_mq");
}
