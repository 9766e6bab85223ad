// zcb's allocator through the C API: cpg_zcb_alloc() and cpg_zcb_free().
#include <corosync/cpg_zcb.h>

#include "bench/alloc_pair.h"
#include "bench/failure.h"
#include "bench/process_pair.h"

namespace {

cpg_handle_t cpg_handle = 0;

struct CpgMalloc {
  using Buffer = void*;
  static void* Alloc(std::size_t bytes) {
    void* buffer = nullptr;
    const cs_error_t error = cpg_zcb_alloc(cpg_handle, bytes, &buffer);
    if (error != CS_OK) zcb::bench::Fail("cpg_zcb_alloc: error {}", +error);
    return buffer;
  }
  static void Free(void* buffer) {
    const cs_error_t error = cpg_zcb_free(cpg_handle, buffer);
    if (error != CS_OK) zcb::bench::Fail("cpg_zcb_free: error {}", +error);
  }
};

}  // namespace

int main(int argc, char** argv) {
  try {
    const zcb::bench::PrivateRegion directory;
    const cs_error_t error =
        cpg_model_initialize(&cpg_handle, CPG_MODEL_ZCB, nullptr, nullptr);
    if (error != CS_OK) zcb::bench::Fail("initialize: error {}", +error);
    const int status = zcb::bench::RunAllocPairs<CpgMalloc>(argc, argv);
    cpg_finalize(cpg_handle);
    return status;
  } catch (const std::exception& error) {
    fmt::print(stderr, "alloc_pair_cpg: {}\n", error.what());
    return 1;
  }
}
