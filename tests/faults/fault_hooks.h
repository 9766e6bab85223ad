// Between the wrapped functions and the fault that is set.
#ifndef ZCB_TESTS_FAULTS_FAULT_HOOKS_H_
#define ZCB_TESTS_FAULTS_FAULT_HOOKS_H_

#include <cstdint>

#include "tests/faults/fault.h"

namespace zcb::faults {

bool IsArmed();
// Counts a call; the errno with which it is to fail, or 0.
int ErrorFor(Call call);
void NoteMapped(std::int64_t bytes);
void NoteBlocks(std::int64_t blocks);

}  // namespace zcb::faults

#endif  // ZCB_TESTS_FAULTS_FAULT_HOOKS_H_
