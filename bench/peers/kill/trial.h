// One process is killed at work, at a random instant: do the others go on?
#ifndef ZCB_BENCH_PEERS_KILL_TRIAL_H_
#define ZCB_BENCH_PEERS_KILL_TRIAL_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "bench/processes/children.h"

namespace zcb::bench {

// What the processes of a trial tell each other; not part of what is tried.
struct TrialBoard {
  std::atomic<std::uint32_t> survivor_is_ready;
  std::atomic<std::uint32_t> victim_is_busy;
  std::atomic<std::uint32_t> victim_is_dead;
  std::atomic<std::uint32_t> survivor_goes_on;  // its last word
  std::atomic<std::int64_t> leaked_buffers;     // before that; -1: not counted
};

// Something that processes share. Made anew for each kill; its functions run
// in processes of their own and throw Failed. What they wait for may never
// come: they are killed then, and that is the result.
class KillCase {
 public:
  KillCase() = default;
  virtual ~KillCase() = default;
  KillCase(const KillCase&) = delete;
  KillCase& operator=(const KillCase&) = delete;

  // In the trying process, before and after all others live.
  virtual void SetUp(Children* /*children*/) {}
  virtual void TearDown(Children* /*children*/) {}
  // Works with the others, sets victim_is_busy once it does, and never ends.
  virtual void BeVictim(TrialBoard* board) = 0;
  // Works until victim_is_dead, then sees whether it can still do everything,
  // sets leaked_buffers and survivor_goes_on, and ends.
  virtual void BeSurvivor(TrialBoard* board) = 0;
  // How long it is left alone after the death: whoever cleans up notices then.
  virtual unsigned settle_s() const { return 0; }
  // Started after the death, if the survivor needs somebody to go on with.
  virtual void BeSuccessor(TrialBoard* /*board*/) {}
};

struct KillResult {
  bool is_blocked = false;
  std::int64_t leaked_buffers = -1;
};

// Kills the victim some time after it is busy (up to `most_us` later), and
// gives the survivor `patience_s`. Throws Failed if it does not come so far.
KillResult TryKill(KillCase* kill_case, std::mt19937* random, unsigned most_us,
                   unsigned patience_s);

// Until the flag is set, whoever has to set it.
void AwaitFlag(const std::atomic<std::uint32_t>& flag);
bool IsSet(const std::atomic<std::uint32_t>& flag);
void Set(std::atomic<std::uint32_t>* flag);

struct KillPeer {
  const char* name;
  const char* what;
  std::unique_ptr<KillCase> (*make)();
  // Why it cannot be tried here.
  std::optional<std::string> (*why_not)();
};
std::vector<KillPeer> KillPeers();

std::unique_ptr<KillCase> MakeBoostQueue();
std::unique_ptr<KillCase> MakeBoostMemory();
std::unique_ptr<KillCase> MakeIceoryx();
std::optional<std::string> WhyNoIceoryx();
std::unique_ptr<KillCase> MakeZcbGroup();
std::unique_ptr<KillCase> MakeZcbMemory();

}  // namespace zcb::bench

#endif  // ZCB_BENCH_PEERS_KILL_TRIAL_H_
