// Boost.Interprocess managed_shared_memory: a process that allocates is
// killed.
#include <unistd.h>

#include <boost/interprocess/managed_shared_memory.hpp>
#include <cstddef>
#include <string>

#include "bench/peers/kill/trial.h"

namespace zcb::bench {
namespace {

namespace ipc = boost::interprocess;

constexpr std::size_t kSegmentBytes = 16 << 20;
constexpr std::size_t kBytes = 256;
constexpr std::size_t kHeld = 64;

class BoostMemory final : public KillCase {
 public:
  void SetUp(Children*) override {
    ipc::shared_memory_object::remove(name_.c_str());
    const ipc::managed_shared_memory segment(ipc::create_only, name_.c_str(),
                                             kSegmentBytes);
    free_bytes_ = segment.get_free_memory();
  }
  void TearDown(Children*) override {
    ipc::shared_memory_object::remove(name_.c_str());
  }
  void BeVictim(TrialBoard* board) override {
    ipc::managed_shared_memory segment(ipc::open_only, name_.c_str());
    void* held[kHeld] = {};
    for (std::size_t i = 0;; ++i) {
      void*& one = held[i % kHeld];
      if (one != nullptr) segment.deallocate(one);
      one = segment.allocate(kBytes);
      if (i == 1000) Set(&board->victim_is_busy);
    }
  }
  void BeSurvivor(TrialBoard* board) override {
    ipc::managed_shared_memory segment(ipc::open_only, name_.c_str());
    Set(&board->survivor_is_ready);
    AwaitFlag(board->victim_is_dead);
    segment.deallocate(segment.allocate(kBytes));
    const std::size_t lost = free_bytes_ - segment.get_free_memory();
    board->leaked_buffers = static_cast<std::int64_t>(lost / kBytes);
    Set(&board->survivor_goes_on);
  }

 private:
  const std::string name_ = "zcb-kill-memory-" + std::to_string(::getpid());
  std::size_t free_bytes_ = 0;
};

}  // namespace

std::unique_ptr<KillCase> MakeBoostMemory() {
  return std::make_unique<BoostMemory>();
}

}  // namespace zcb::bench
