// One process of the storm, from its start to its end.
#ifndef ZCB_TESTS_STORM_LIFE_H_
#define ZCB_TESTS_STORM_LIFE_H_

#include <cstddef>
#include <cstdint>

#include "tests/order/journal.h"
#include "tests/storm/board.h"

namespace zcb::storm {

inline constexpr std::size_t kMostMemberships = 1 << 19;
inline constexpr std::size_t kLogBytes = std::size_t{2} << 30;  // of addresses

// What the life's orders say. Returns the exit code, unless it ends otherwise.
int RunLife(Board* board, order::Journal* journal, std::uint32_t life);

// Executes the program anew, in this process, to run that life.
[[noreturn]] void ExecuteLife(Board* board, order::Journal* journal,
                              std::uint32_t life);

// If `words` are what ExecuteLife() gives, runs the life and ends the process.
void RunLifeIfAsked(int count, char** words);

}  // namespace zcb::storm

#endif  // ZCB_TESTS_STORM_LIFE_H_
