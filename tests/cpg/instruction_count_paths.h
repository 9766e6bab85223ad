// The functions whose instructions instruction_count_test counts, one per row
// of its table, each no more than a call of the API.
//
// They lie in a source of their own, so that nothing of the caller is folded
// into them, and have C names, as callgrind then prints them.
#ifndef ZCB_TESTS_CPG_INSTRUCTION_COUNT_PATHS_H_
#define ZCB_TESTS_CPG_INSTRUCTION_COUNT_PATHS_H_

#include <corosync/cpg.h>

extern "C" {

bool counted_context_get(cpg_handle_t handle);
bool counted_empty_dispatch(cpg_handle_t handle);
bool counted_local_get(cpg_handle_t handle);

}  // extern "C"

#endif  // ZCB_TESTS_CPG_INSTRUCTION_COUNT_PATHS_H_
