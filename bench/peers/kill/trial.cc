#include "bench/peers/kill/trial.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <new>

#include "bench/clock.h"
#include "bench/failure.h"

namespace zcb::bench {
namespace {

constexpr std::uint64_t kNsPerS = 1'000'000'000;
constexpr std::uint64_t kStartNs = 30 * kNsPerS;
constexpr useconds_t kLookUs = 200;

class SharedBoard {
 public:
  SharedBoard() {
    void* const memory =
        ::mmap(nullptr, sizeof(TrialBoard), PROT_READ | PROT_WRITE,
               MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) Fail("no memory for the board");
    board_ = new (memory) TrialBoard{};
    board_->leaked_buffers = -1;
  }
  ~SharedBoard() { ::munmap(board_, sizeof(TrialBoard)); }
  SharedBoard(const SharedBoard&) = delete;
  SharedBoard& operator=(const SharedBoard&) = delete;
  TrialBoard* get() { return board_; }

 private:
  TrialBoard* board_ = nullptr;
};

bool AwaitFlagFor(const std::atomic<std::uint32_t>& flag, std::uint64_t ns) {
  const std::uint64_t end_ns = MonotonicNs() + ns;
  while (!IsSet(flag)) {
    if (MonotonicNs() > end_ns) return false;
    ::usleep(kLookUs);
  }
  return true;
}

}  // namespace

void AwaitFlag(const std::atomic<std::uint32_t>& flag) {
  while (!IsSet(flag)) ::usleep(kLookUs);
}
bool IsSet(const std::atomic<std::uint32_t>& flag) {
  return flag.load(std::memory_order_acquire) != 0;
}
void Set(std::atomic<std::uint32_t>* flag) {
  flag->store(1, std::memory_order_release);
}

KillResult TryKill(KillCase* kill_case, std::mt19937* random, unsigned most_us,
                   unsigned patience_s) {
  SharedBoard shared;
  TrialBoard* const board = shared.get();
  KillResult result;
  Children children;  // whoever is left at the end is killed
  kill_case->SetUp(&children);
  try {
    children.Start([&] { kill_case->BeSurvivor(board); });
    if (!AwaitFlagFor(board->survivor_is_ready, kStartNs)) {
      Fail("the survivor does not start");
    }
    const pid_t victim = children.Start([&] { kill_case->BeVictim(board); });
    if (!AwaitFlagFor(board->victim_is_busy, kStartNs)) {
      Fail("the victim does not start");
    }
    ::usleep(static_cast<useconds_t>((*random)() % most_us));
    ::kill(victim, SIGKILL);
    children.Collect(victim);
    ::sleep(kill_case->settle_s());
    Set(&board->victim_is_dead);
    children.Start([&] { kill_case->BeSuccessor(board); });
    result.is_blocked =
        !AwaitFlagFor(board->survivor_goes_on, patience_s * kNsPerS);
    result.leaked_buffers = board->leaked_buffers;
  } catch (...) {
    kill_case->TearDown(&children);
    throw;
  }
  kill_case->TearDown(&children);
  return result;
}

}  // namespace zcb::bench
