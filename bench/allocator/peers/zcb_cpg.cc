// Peer: zcb's allocator through the C API of messages: cpg_zcb_alloc() and
// cpg_zcb_free().
#include <corosync/cpg_zcb.h>

#include "bench/allocator/pair.h"
#include "bench/allocator/suite.h"
#include "bench/failure.h"

namespace {

class CpgMalloc {
 public:
  struct Home {};
  using Buffer = void*;

  explicit CpgMalloc(Home&) {
    const cs_error_t error =
        cpg_model_initialize(&handle_, CPG_MODEL_ZCB, nullptr, nullptr);
    if (error != CS_OK) zcb::bench::Fail("initialize: error {}", +error);
  }
  ~CpgMalloc() { cpg_finalize(handle_); }
  CpgMalloc(const CpgMalloc&) = delete;
  CpgMalloc& operator=(const CpgMalloc&) = delete;

  void* Alloc(std::size_t bytes) {
    void* buffer = nullptr;
    const cs_error_t error = cpg_zcb_alloc(handle_, bytes, &buffer);
    if (error != CS_OK) zcb::bench::Fail("cpg_zcb_alloc: error {}", +error);
    return buffer;
  }
  void Free(void* buffer) {
    const cs_error_t error = cpg_zcb_free(handle_, buffer);
    if (error != CS_OK) zcb::bench::Fail("cpg_zcb_free: error {}", +error);
  }
  static void* Pointer(void* buffer) { return buffer; }

 private:
  cpg_handle_t handle_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  return zcb::bench::RunSuite(argc, argv, zcb::bench::RegisterPairs<CpgMalloc>);
}
