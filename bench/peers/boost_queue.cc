// Peer: two Boost.Interprocess message_queues.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/interprocess/ipc/message_queue.hpp>
#include <cstddef>
#include <optional>
#include <span>
#include <string>

#include "bench/failure.h"
#include "bench/pair_questions.h"
#include "bench/peers/peer.h"
#include "bench/peers/private_buffer.h"

namespace zcb::bench {
namespace {

using Queue = boost::interprocess::message_queue;

constexpr std::size_t kRoomBytes = 4 << 20;
constexpr std::size_t kLeastMessages = 4;
constexpr std::size_t kMostMessages = 256;

class BoostQueuePeer {
 public:
  static constexpr std::array kVariants = {
      Variant{"boost_queue", Wait::kBusy, "try_send(), try_receive()"},
      Variant{"boost_queue", Wait::kSleep, "send(), receive()"},
  };

  explicit BoostQueuePeer(const PeerSetup& setup)
      : wait_(setup.variant.wait), largest_bytes_(setup.largest_bytes) {
    const std::size_t messages =
        std::clamp(kRoomBytes / largest_bytes_, kLeastMessages, kMostMessages);
    for (std::size_t i = 0; i < queues_.size(); ++i) {
      const std::string name = fmt::format("zcb-bench-{}-{}", ::getpid(), i);
      queues_[i].emplace(boost::interprocess::create_only, name.c_str(),
                         messages, largest_bytes_);
      Queue::remove(name.c_str());  // the mapping stays
    }
  }

  void Connect(Side side) {
    const std::size_t index = side == Side::kFirst ? 0 : 1;
    out_queue_ = &*queues_[index];
    in_queue_ = &*queues_[1 - index];
    out_ = PrivateBuffer(largest_bytes_);
    in_ = PrivateBuffer(largest_bytes_);
  }

  std::span<std::byte> Prepare(std::size_t length_bytes) {
    prepared_bytes_ = length_bytes;
    return {out_.data(), length_bytes};
  }

  bool Send() {
    if (wait_ == Wait::kBusy) {
      return out_queue_->try_send(out_.data(), prepared_bytes_, 0);
    }
    out_queue_->send(out_.data(), prepared_bytes_, 0);
    return true;
  }

  bool Receive(const auto& reader) {
    Queue::size_type got = 0;
    unsigned priority = 0;
    if (wait_ == Wait::kSleep) {
      in_queue_->receive(in_.data(), largest_bytes_, got, priority);
    } else if (!in_queue_->try_receive(in_.data(), largest_bytes_, got,
                                       priority)) {
      return false;
    }
    reader(std::span(in_.data(), got));
    return true;
  }

  void Service() {}

 private:
  Wait wait_;
  std::size_t largest_bytes_;
  std::size_t prepared_bytes_ = 0;
  std::array<std::optional<Queue>, 2> queues_;
  Queue* out_queue_ = nullptr;
  Queue* in_queue_ = nullptr;
  PrivateBuffer out_;
  PrivateBuffer in_;
};

}  // namespace
}  // namespace zcb::bench

int main(int argc, char** argv) {
  return zcb::bench::RunPeerProgram<zcb::bench::BoostQueuePeer>(argc, argv,
                                                                "boost_queue");
}
