// One process of a run: threads that each own some handles, and do with them
// what their dice say.
#ifndef ZCB_TESTS_ORDER_WORKER_H_
#define ZCB_TESTS_ORDER_WORKER_H_

#include <cstdint>

#include "tests/order/journal.h"

namespace zcb::order {

// Groups 0 .. kWitnessed - 1 have a member from first to last; the others may
// be left by everybody, and no process joins one of them twice (see
// group_order.h).
inline constexpr std::uint32_t kWitnessed = 3;
inline constexpr std::uint32_t kGroups = 5;

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
};

// Returns the process's exit code; does not return if it is killed.
int RunWorker(Journal* journal, const WorkerOrders& orders);

// A member of every witnessed group, until a byte comes from `stop_from`: then
// all other processes have ended. Exit code.
struct WitnessOrders {
  std::uint64_t seed = 0;
  int ready_to = -1;  // a byte when it is a member everywhere
  int stop_from = -1;
};
int RunWitness(Journal* journal, const WitnessOrders& orders);

}  // namespace zcb::order

#endif  // ZCB_TESTS_ORDER_WORKER_H_
