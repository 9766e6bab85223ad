// A process that attaches when all others are dead or do nothing, and looks
// whether anything is lost.
#ifndef ZCB_TESTS_STORM_AUDITOR_H_
#define ZCB_TESTS_STORM_AUDITOR_H_

#include <cstdint>

#include "tests/order/journal.h"
#include "tests/storm/board.h"

namespace zcb::storm {

// `living` processes besides this one are attached to the groups' region, and
// are at rest: members that have read everything, and keep nothing. Attaching
// must put right all that the dead have left: complaints go to `journal`.
// Returns an exit code.
int RunAuditor(const Board& board, order::Journal* journal,
               std::uint32_t living);

}  // namespace zcb::storm

#endif  // ZCB_TESTS_STORM_AUDITOR_H_
