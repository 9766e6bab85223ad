// The processes of a run: who is killed, who is told, who looks on.
#ifndef ZCB_BENCH_RECOVERY_ROLES_H_
#define ZCB_BENCH_RECOVERY_ROLES_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "bench/recovery/board.h"

namespace zcb::bench {

// What everybody maps, and what the victim has in it.
struct VictimPlan {
  std::uint64_t touched_bytes = 0;  // payload written by the victim
  std::uint64_t buffers_out = 0;    // of 64 bytes, given, and taken by nobody
};

// Each runs in a process of its own until it is killed; throws Failed. A
// region is made in the directory by whoever is first there.

// A member of the group that sleeps in cpg_dispatch().
void BeMember(Board* board, const std::string& directory, std::size_t index,
              bool on_descriptor);
// Sleeps in poll(2) on the pidfd of each victim that it is told of.
void BeBareWaiter(Board* board, std::size_t index);
// Attached, and no member: tells when the victim's record lock was free, and
// when its lease was, which is the last step of reaping. Looks every 20 us.
void BeObserver(Board* board, const std::string& directory);
// Attaches, joins, touches, and waits to be killed.
void BeVictim(Board* board, const std::string& directory,
              const VictimPlan& plan);

}  // namespace zcb::bench

#endif  // ZCB_BENCH_RECOVERY_ROLES_H_
