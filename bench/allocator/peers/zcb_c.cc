// Peer: zcb's allocator through its C interface: one call for each of
// zcb_alloc() and zcb_free(), and pointers instead of references.
#include "allocator/zcb_allocator.h"
#include "bench/allocator/processes.h"
#include "bench/allocator/suite.h"
#include "bench/failure.h"

namespace {

class ZcbCMalloc {
 public:
  struct Home {};  // the environment says where the region is
  using Buffer = void*;
  using Ticket = zcb_ticket;

  explicit ZcbCMalloc(Home&) {
    Check("open", zcb_allocator_open(nullptr, &allocator_));
  }
  ~ZcbCMalloc() { zcb_allocator_close(allocator_); }
  ZcbCMalloc(const ZcbCMalloc&) = delete;
  ZcbCMalloc& operator=(const ZcbCMalloc&) = delete;

  void* Alloc(std::size_t bytes) {
    void* buffer = nullptr;
    Check("alloc", zcb_alloc(allocator_, bytes, &buffer));
    return buffer;
  }
  void Free(void* buffer) { Check("free", zcb_free(allocator_, buffer)); }
  static void* Pointer(void* buffer) { return buffer; }

  Ticket Give(void* buffer) {
    Ticket ticket = 0;
    Check("give", zcb_give(allocator_, buffer, &ticket));
    return ticket;
  }
  void* Take(Ticket ticket) {
    void* buffer = nullptr;
    Check("take", zcb_take(allocator_, ticket, &buffer));
    return buffer;
  }
  void Settle() {
    Check("collect", zcb_collect(allocator_));
    zcb_allocator_stats stats{};
    stats.size = sizeof(stats);
    Check("stats", zcb_stats(allocator_, &stats));
    if (stats.live_buffers + stats.out_buffers != 0) {
      zcb::bench::Fail("a leak: {} live, {} out", stats.live_buffers,
                       stats.out_buffers);
    }
  }

 private:
  static void Check(const char* what, zcb_status status) {
    if (status != ZCB_OK) [[unlikely]]
      Failed(what);
  }
  [[noreturn, gnu::cold]] static void Failed(const char* what) {
    zcb::bench::Fail("{}: {}", what, zcb_last_reason());
  }

  zcb_allocator* allocator_ = nullptr;
};

}  // namespace

// The memory of a mixed load is that of the C++ interface.
int main(int argc, char** argv) {
  return zcb::bench::RunSuite(argc, argv, [] {
    zcb::bench::RegisterPairs<ZcbCMalloc>();
    zcb::bench::RegisterThreads<ZcbCMalloc>();
    zcb::bench::RegisterProcesses<ZcbCMalloc>();
    zcb::bench::RegisterChurn<ZcbCMalloc>();
  });
}
