// Peer: iceoryx 2.0 with its daemon, a topic for each direction. Nothing is
// lost: a publisher waits for a full queue.
#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iceoryx_hoofs/log/logmanager.hpp>
#include <iceoryx_posh/popo/untyped_publisher.hpp>
#include <iceoryx_posh/popo/untyped_subscriber.hpp>
#include <iceoryx_posh/popo/wait_set.hpp>
#include <iceoryx_posh/runtime/posh_runtime.hpp>
#include <optional>
#include <span>
#include <string>

#include "bench/failure.h"
#include "bench/pair_questions.h"
#include "bench/peers/peer.h"
#include "bench/peers/roudi.h"

namespace zcb::bench {
namespace {

constexpr std::size_t kLineBytes = 64;
constexpr std::size_t kQueuedBytes = 16 << 20;
constexpr std::size_t kLeastQueued = 8;
constexpr std::size_t kMostQueued = 256;  // as many as it can
// Chunks in hands at a time, beside those that are queued.
constexpr std::size_t kInHands = 8;

class IceoryxPeer {
 public:
  static constexpr std::array kVariants = {
      Variant{"iceoryx", Wait::kBusy, "loan, publish; take in a loop"},
      Variant{"iceoryx", Wait::kSleep, "loan, publish; WaitSet, take"},
  };

  explicit IceoryxPeer(const PeerSetup& setup)
      : wait_(setup.variant.wait),
        queued_(std::clamp(kQueuedBytes / setup.largest_bytes, kLeastQueued,
                           kMostQueued)),
        // A payload that is aligned to a line begins a line or two later.
        roudi_(setup.largest_bytes + 2 * kLineBytes, 2 * (queued_ + kInHands)) {
  }

  pid_t Daemon() const { return roudi_.pid(); }

  void Connect(Side side) {
    iox::log::LogManager::GetLogManager().SetDefaultLogLevel(
        iox::log::LogLevel::kError, iox::log::LogLevelOutput::kHideLogLevel);
    const bool is_first = side == Side::kFirst;
    iox::runtime::PoshRuntime::initRuntime(
        iox::RuntimeName_t(iox::cxx::TruncateToCapacity,
                           fmt::format("zcb-bench-{}", ::getpid()).c_str()));
    const iox::capro::ServiceDescription there{"zcb", "bench", "there"};
    const iox::capro::ServiceDescription back{"zcb", "bench", "back"};
    iox::popo::PublisherOptions publishing;
    publishing.historyCapacity = 0;
    publishing.subscriberTooSlowPolicy =
        iox::popo::ConsumerTooSlowPolicy::WAIT_FOR_CONSUMER;
    iox::popo::SubscriberOptions subscribing;
    subscribing.queueCapacity = queued_;
    subscribing.historyRequest = 0;
    subscribing.queueFullPolicy = iox::popo::QueueFullPolicy::BLOCK_PRODUCER;
    publisher_.emplace(is_first ? there : back, publishing);
    subscriber_.emplace(is_first ? back : there, subscribing);
    while (!publisher_->hasSubscribers() ||
           subscriber_->getSubscriptionState() !=
               iox::SubscribeState::SUBSCRIBED) {
      ::sched_yield();  // the daemon may need this CPU
    }
    if (wait_ == Wait::kBusy) return;
    wait_set_.emplace();
    wait_set_->attachState(*subscriber_, iox::popo::SubscriberState::HAS_DATA)
        .or_else([](auto&) { Fail("WaitSet"); });
  }

  std::span<std::byte> Prepare(std::size_t length_bytes) {
    void* loaned = nullptr;
    publisher_->loan(static_cast<std::uint32_t>(length_bytes), kLineBytes)
        .and_then([&](auto& chunk) { loaned = chunk; })
        .or_else([](auto& error) {
          if (error != iox::popo::AllocationError::RUNNING_OUT_OF_CHUNKS) {
            Fail("loan: {}", static_cast<int>(error));
          }
        });
    if (loaned == nullptr) return {};
    prepared_ = {static_cast<std::byte*>(loaned), length_bytes};
    return prepared_;
  }

  // Waits, spinning, while the queue is full.
  bool Send() {
    publisher_->publish(prepared_.data());
    return true;
  }

  bool Receive(const auto& reader) {
    if (wait_ == Wait::kSleep && !subscriber_->hasData()) wait_set_->wait();
    bool is_there = false;
    subscriber_->take().and_then([&](const void* payload) {
      const auto* header = iox::mepoo::ChunkHeader::fromUserPayload(payload);
      reader(std::span(static_cast<const std::byte*>(payload),
                       header->userPayloadSize()));
      subscriber_->release(payload);
      is_there = true;
    });
    return is_there;
  }

  void Service() {}

 private:
  Wait wait_;
  std::size_t queued_;
  Roudi roudi_;
  std::optional<iox::popo::UntypedPublisher> publisher_;
  std::optional<iox::popo::UntypedSubscriber> subscriber_;
  std::optional<iox::popo::WaitSet<>> wait_set_;
  std::span<std::byte> prepared_;
};

}  // namespace
}  // namespace zcb::bench

int main(int argc, char** argv) {
  zcb::bench::TakePlacesForRoudi();
  return zcb::bench::RunPeerProgram<zcb::bench::IceoryxPeer>(argc, argv,
                                                             "iceoryx");
}
