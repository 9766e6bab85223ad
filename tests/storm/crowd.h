// The processes of one region, while it lasts: starts them, stops them, kills
// them, and notices when one of them hangs.
#ifndef ZCB_TESTS_STORM_CROWD_H_
#define ZCB_TESTS_STORM_CROWD_H_

#include <signal.h>
#include <sys/types.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/order/dice.h"
#include "tests/order/journal.h"
#include "tests/order/worker.h"
#include "tests/storm/board.h"
#include "tests/storm/round.h"

namespace zcb::storm {

struct CrowdOptions {
  std::uint64_t seed = 0;
  order::GroupPlan plan;
  std::uint32_t most_alive = 0;  // the witness and idlers not counted
};

// One witness, which reads in some groups from first to last, and lives that
// come and go. The calls that answer a bool say false when something hangs;
// the report then says what.
class Crowd {
 public:
  Crowd(const CrowdOptions& options, Board* board, order::Journal* journal,
        order::Dice* dice, RoundReport* report);
  ~Crowd();
  Crowd(const Crowd&) = delete;
  Crowd& operator=(const Crowd&) = delete;

  bool Start();
  // Until so many of the round have been killed.
  bool KillUntil(std::uint64_t kills);
  bool KillAllButTheWitness();
  // The witness, too: the region belongs to the dead then.
  bool KillAll();
  // All lives end by themselves.
  bool FinishAll();
  // No life is left: the witness finds itself alone, and another process finds
  // nothing lost.
  bool Audit();
  // The witness ends as well.
  bool End();
  // Kills whatever is left.
  void GiveUp();

 private:
  using Clock = std::chrono::steady_clock;
  // A life that is not over, as the driver sees it.
  struct Alive {
    pid_t pid = 0;
    bool is_stopped = false;
    std::uint64_t goes_on_at = 0;  // an action's number
    bool dies_stopped = false;
    bool is_killed = false;
    // Of its threads, at the last look for hangs; and when that had changed.
    std::array<std::uint64_t, Life::kThreads> seen{~0ULL, ~0ULL, ~0ULL, ~0ULL};
    std::array<Clock::time_point, Life::kThreads> moved_at{};
  };

  // --- starting
  LifeOrders RollOrders();
  void StartLife();
  void StartWitness();
  pid_t Fork();

  // --- watching
  void FindNewLives();
  void TakeEnded();
  void TakeEnd(pid_t pid, int status);
  // Kills them, or else only those that never end by themselves.
  bool WaitForNoLife(bool kills);
  // All lives that run have done something: none would be killed that hangs.
  bool CallTheRoll();
  bool WaitForWitness(const char* what);
  bool NothingHangs();
  bool Report(const std::string& what, std::optional<std::uint32_t> life);

  // --- killing
  void Act();
  void WaitForNextAction();
  std::optional<std::uint32_t> PickVictim();
  void Kill(std::uint32_t life);
  bool KillLives();
  void Stop(std::uint32_t life);
  void WakeStopped(bool all);
  void StopWitness();
  void Pause(std::uint32_t most_us);
  std::uint32_t CountBusy() const;

  const CrowdOptions options_;
  Board* const board_;
  order::Journal* const journal_;
  order::Dice* const dice_;
  RoundReport* const report_;
  sigset_t child_signal_;
  sigset_t old_mask_;

  std::map<std::uint32_t, Alive> alive_;  // by life
  std::uint32_t next_life_ = 0;           // below: known
  std::vector<std::uint32_t> unborn_;     // that have no process yet
  std::uint64_t actions_ = 0;
  Clock::time_point next_action_{};
  Clock::time_point next_look_{};
  pid_t witness_ = 0;
  bool witness_may_die_ = false;
  std::uint64_t witness_goes_on_at_ = 0;  // an action's number; 0: it runs
  int to_witness_ = -1;
  int from_witness_ = -1;
};

}  // namespace zcb::storm

#endif  // ZCB_TESTS_STORM_CROWD_H_
