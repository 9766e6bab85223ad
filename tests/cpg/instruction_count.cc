// Calls each function of instruction_count_paths.h often, on a joined handle
// that has read everything. instruction_count_test runs this under callgrind.
#include <cstdio>

#include "tests/cpg/client.h"
#include "tests/cpg/instruction_count_paths.h"

namespace zcb::cpg::testing {
namespace {

const RegionOfThisTest region_of_this_test;

constexpr int kCalls = 1000;

// What --config=opt gives, and nothing that adds instructions of its own.
constexpr bool IsBuiltAsShipped() {
#if defined(__OPTIMIZE__) && defined(NDEBUG) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  return true;
#else
  return false;
#endif
}

bool CallAll() {
  cpg_handle_t handle = 0;
  const cpg_name group = Named("counted");
  bool good = cpg_initialize(&handle, nullptr) == CS_OK &&
              cpg_join(handle, &group) == CS_OK &&
              cpg_dispatch(handle, CS_DISPATCH_ALL) == CS_OK;
  for (int i = 0; i < kCalls && good; ++i) {
    good = counted_context_get(handle) && counted_empty_dispatch(handle) &&
           counted_local_get(handle);
  }
  return good && cpg_finalize(handle) == CS_OK;
}

int Main() {
  if (!IsBuiltAsShipped()) {
    std::fputs(
        "instructions are counted in an optimised build only: "
        "bazel test --config=opt, or tools/dev test\n",
        stderr);
    return 2;
  }
  if (!CallAll()) {
    std::fputs("a call failed\n", stderr);
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace zcb::cpg::testing

int main() { return zcb::cpg::testing::Main(); }
