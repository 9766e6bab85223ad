// Boost.Interprocess message_queue: a sender is killed, another process
// receives.
#include <unistd.h>

#include <boost/date_time/posix_time/posix_time_types.hpp>
#include <boost/interprocess/ipc/message_queue.hpp>
#include <cstddef>
#include <string>

#include "bench/failure.h"
#include "bench/peers/kill/trial.h"

namespace zcb::bench {
namespace {

namespace ipc = boost::interprocess;

// Room enough that the sender sends, and does not wait.
constexpr std::size_t kMessages = 8192;
constexpr std::size_t kBytes = 1024;

class BoostQueue final : public KillCase {
 public:
  void SetUp(Children*) override {
    ipc::message_queue::remove(name_.c_str());
    const ipc::message_queue queue(ipc::create_only, name_.c_str(), kMessages,
                                   kBytes);
  }
  void TearDown(Children*) override {
    ipc::message_queue::remove(name_.c_str());
  }
  void BeVictim(TrialBoard* board) override {
    ipc::message_queue queue(ipc::open_only, name_.c_str());
    char message[kBytes] = {};
    for (int sent = 0;; ++sent) {
      queue.send(message, kBytes, 0);
      if (sent == 100) Set(&board->victim_is_busy);
    }
  }
  void BeSurvivor(TrialBoard* board) override {
    ipc::message_queue queue(ipc::open_only, name_.c_str());
    Set(&board->survivor_is_ready);
    while (!IsSet(board->victim_is_dead)) Receive(&queue);
    while (Receive(&queue)) {
    }
    char message[kBytes] = {};
    if (!queue.try_send(message, kBytes, 0) || !Receive(&queue)) {
      Fail("an empty queue has no room, or a full one no message");
    }
    Set(&board->survivor_goes_on);
  }

 private:
  // False: none has come for a while.
  static bool Receive(ipc::message_queue* queue) {
    char message[kBytes];
    ipc::message_queue::size_type bytes = 0;
    unsigned priority = 0;
    return queue->timed_receive(
        message, kBytes, bytes, priority,
        boost::posix_time::microsec_clock::universal_time() +
            boost::posix_time::milliseconds(10));
  }
  const std::string name_ = "zcb-kill-queue-" + std::to_string(::getpid());
};

}  // namespace

std::unique_ptr<KillCase> MakeBoostQueue() {
  return std::make_unique<BoostQueue>();
}

}  // namespace zcb::bench
