// What one more subscriber costs in iceoryx 2.0. Nothing is lost: a publisher
// waits for a full queue.
#include <fmt/format.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iceoryx_hoofs/log/logmanager.hpp>
#include <iceoryx_posh/popo/untyped_publisher.hpp>
#include <iceoryx_posh/popo/untyped_subscriber.hpp>
#include <iceoryx_posh/popo/wait_set.hpp>
#include <iceoryx_posh/runtime/posh_runtime.hpp>
#include <memory>
#include <optional>
#include <thread>

#include "bench/crowd/fan_out_peer.h"
#include "bench/failure.h"
#include "bench/peers/roudi.h"
#include "bench/processes/shared_count.h"

namespace zcb::bench {
namespace {

constexpr std::size_t kLineBytes = 64;
constexpr std::size_t kQueued = 256;  // as many as a subscriber can
// Chunks of the publisher's own; each subscriber has one in hands, too.
constexpr std::size_t kInHands = 8;

const iox::capro::ServiceDescription kTopic{"zcb", "bench", "fan_out"};

// Ends after iceoryx's own static, which takes leave of it.
void StartRoudi(std::size_t receivers) {
  // A payload that is aligned to a line begins a line or two later.
  static const Roudi roudi(FanOutPeer::kMessageBytes + 2 * kLineBytes,
                           kQueued + kInHands + receivers);
}

// Its threads are to take no signal that this one waits for (RunPair does).
void StartRuntime() {
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  iox::log::LogManager::GetLogManager().SetDefaultLogLevel(
      iox::log::LogLevel::kError, iox::log::LogLevelOutput::kHideLogLevel);
  iox::runtime::PoshRuntime::initRuntime(
      iox::RuntimeName_t(iox::cxx::TruncateToCapacity,
                         fmt::format("zcb-bench-{}", ::getpid()).c_str()));
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

class Iceoryx final : public FanOutPeer {
 public:
  void SetUp(std::size_t receivers, Children*) override {
    receivers_ = static_cast<std::uint32_t>(receivers);
    StartRoudi(receivers);
  }
  void AwaitReceivers(std::size_t) override {
    StartRuntime();
    iox::popo::PublisherOptions options;
    options.historyCapacity = 0;
    options.subscriberTooSlowPolicy =
        iox::popo::ConsumerTooSlowPolicy::WAIT_FOR_CONSUMER;
    publisher_.emplace(kTopic, options);
    // The publisher itself only knows whether there is any.
    subscribed_->WaitFor(receivers_, "subscribed");
  }
  void Attach(std::size_t, bool blocks) override {
    StartRuntime();
    iox::popo::SubscriberOptions options;
    options.queueCapacity = kQueued;
    options.historyRequest = 0;
    options.queueFullPolicy = iox::popo::QueueFullPolicy::BLOCK_PRODUCER;
    subscriber_.emplace(kTopic, options);
    // That is once the publisher is there, which waits for us to be. It has
    // ended before a message comes.
    std::thread([this] {
      while (subscriber_->getSubscriptionState() !=
             iox::SubscribeState::SUBSCRIBED) {
        ::usleep(1000);
      }
      subscribed_->Add(receivers_);
    }).detach();
    if (!blocks) return;
    wait_set_.emplace();
    wait_set_->attachState(*subscriber_, iox::popo::SubscriberState::HAS_DATA)
        .or_else([](auto&) { Fail("WaitSet"); });
  }

  // Waits, spinning, while a queue is full.
  bool TrySend(std::uint64_t number) override {
    void* loaned = nullptr;
    publisher_->loan(kMessageBytes, kLineBytes)
        .and_then([&](auto& chunk) { loaned = chunk; })
        .or_else([](auto& error) {
          if (error != iox::popo::AllocationError::RUNNING_OUT_OF_CHUNKS) {
            Fail("loan: {}", static_cast<int>(error));
          }
        });
    if (loaned == nullptr) return false;
    std::memcpy(loaned, &number, sizeof(number));
    publisher_->publish(loaned);
    return true;
  }
  std::size_t room() const override { return kQueued; }

  std::optional<std::uint64_t> TryReceive() override {
    std::optional<std::uint64_t> number;
    subscriber_->take().and_then([&](const void* payload) {
      std::memcpy(&number.emplace(), payload, sizeof(std::uint64_t));
      subscriber_->release(payload);
    });
    return number;
  }
  std::uint64_t Await() override {
    for (;;) {
      if (const auto number = TryReceive()) return *number;
      wait_set_->wait();
    }
  }

 private:
  std::uint32_t receivers_ = 0;
  SharedCount* const subscribed_ = MakeShared<SharedCount>();
  std::optional<iox::popo::UntypedPublisher> publisher_;
  std::optional<iox::popo::UntypedSubscriber> subscriber_;
  std::optional<iox::popo::WaitSet<>> wait_set_;
};

}  // namespace
}  // namespace zcb::bench

int main(int argc, char** argv) {
  using namespace zcb::bench;
  TakePlacesForRoudi();
  ::unsetenv("ZCB_DIR");  // is not there any more, and not needed
  return FanOutMain(argc, argv,
                    {{"iceoryx", [] { return std::make_unique<Iceoryx>(); }}});
}
