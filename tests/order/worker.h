// One process of a run: threads that each own some handles, and do with them
// what their dice say.
#ifndef ZCB_TESTS_ORDER_WORKER_H_
#define ZCB_TESTS_ORDER_WORKER_H_

#include <cstdint>

#include "tests/order/dice.h"
#include "tests/order/journal.h"
#include "tests/order/participant.h"

namespace zcb::order {

// The first `witnessed` groups have a member from first to last; the others may
// be left by everybody, and no process joins one of them twice (see
// group_order.h).
struct GroupPlan {
  static constexpr std::uint32_t kMost = 16;
  std::uint32_t first = 0;  // their numbers count from here
  std::uint32_t witnessed = 3;
  std::uint32_t count = 5;  // at most kMost
  std::uint32_t end() const { return first + count; }
  bool IsWitnessed(std::uint32_t group) const {
    return group < first + witnessed;
  }
};

// What else the threads of a worker do; called in each of them.
class SideWork {
 public:
  virtual ~SideWork() = default;
  // After each step of a thread, with one of its handles. False: it is to end,
  // as if it had done all its steps.
  virtual bool Step(std::uint32_t thread, Participant* who, Dice* dice) = 0;
  // The thread will not step any more.
  virtual void Ended(std::uint32_t thread) = 0;
};

struct WorkerOrders {
  enum class Fate : std::uint8_t {
    kFinishes,            // leaves, finalizes and exits
    kVanishes,            // exits in the middle, with everything open
    kIsKilled,            // from outside, some time after it announced it
    kKillsItself,         // right after a send returned CS_OK
    kKillsItselfHearing,  // inside a callback
  };
  std::uint64_t seed = 0;
  std::uint64_t stream = 0;  // which of the run's workers
  Fate fate = Fate::kFinishes;
  std::uint32_t after = 0;  // steps, sends or events until that
  std::uint32_t threads = 1;
  std::uint32_t handles_per_thread = 1;
  std::uint32_t steps_per_thread = 0;
  std::uint32_t sends_from_outside = 0;  // of the thread that only sends
  int announce_to = -1;  // descriptor; a byte when the kill may come
  GroupPlan plan;
  Habits habits;
};

// Returns the process's exit code; does not return if it is killed.
int RunWorker(Journal* journal, const WorkerOrders& orders,
              SideWork* side_work = nullptr);

// A member of every witnessed group, until a byte comes from `stop_from`: then
// all other processes have ended. Exit code.
struct WitnessOrders {
  // A byte that means: all others have ended, but more will come. The witness
  // reads until it is alone everywhere, lets go of what it keeps, says so with
  // a byte, and does nothing until the next byte.
  static constexpr char kBeAlone = 'a';
  std::uint64_t seed = 0;
  int ready_to = -1;  // a byte when it is a member everywhere
  int stop_from = -1;
  GroupPlan plan;
};
int RunWitness(Journal* journal, const WitnessOrders& orders);

}  // namespace zcb::order

#endif  // ZCB_TESTS_ORDER_WORKER_H_
