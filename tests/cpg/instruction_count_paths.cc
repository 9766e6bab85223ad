#include "tests/cpg/instruction_count_paths.h"

bool counted_context_get(cpg_handle_t handle) {
  void* context = nullptr;
  return cpg_context_get(handle, &context) == CS_OK;
}

bool counted_empty_dispatch(cpg_handle_t handle) {
  return cpg_dispatch(handle, CS_DISPATCH_ALL) == CS_OK;
}

bool counted_local_get(cpg_handle_t handle) {
  unsigned node_id = 0;
  return cpg_local_get(handle, &node_id) == CS_OK;
}
