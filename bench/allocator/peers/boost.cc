// Peer: Boost.Interprocess managed_shared_memory, as it is by default: one
// best-fit tree in the segment, under one mutex.
#include <unistd.h>

#include <boost/interprocess/managed_shared_memory.hpp>
#include <string>

#include "bench/allocator/processes.h"
#include "bench/allocator/suite.h"

namespace {

namespace ipc = boost::interprocess;

class BoostMalloc {
 public:
  // The name of a segment.
  class Home {
   public:
    Home() { ipc::shared_memory_object::remove(name_.c_str()); }
    ~Home() { ipc::shared_memory_object::remove(name_.c_str()); }
    Home(const Home&) = delete;
    Home& operator=(const Home&) = delete;
    const char* name() const { return name_.c_str(); }

   private:
    const std::string name_ = "zcb-bench-" + std::to_string(getpid());
  };
  using Buffer = void*;
  using Ticket = ipc::managed_shared_memory::handle_t;

  explicit BoostMalloc(Home& home)
      : segment_(ipc::open_or_create, home.name(), kSegmentBytes) {}

  void* Alloc(std::size_t bytes) { return segment_.allocate(bytes); }
  void Free(void* buffer) { segment_.deallocate(buffer); }
  static void* Pointer(void* buffer) { return buffer; }

  Ticket Give(void* buffer) { return segment_.get_handle_from_address(buffer); }
  void* Take(Ticket ticket) { return segment_.get_address_from_handle(ticket); }
  void Settle() {
    if (!segment_.all_memory_deallocated()) zcb::bench::Fail("a leak");
  }

 private:
  // Sparse: only what is touched becomes memory.
  static constexpr std::size_t kSegmentBytes = std::size_t{1} << 30;
  ipc::managed_shared_memory segment_;
};

}  // namespace

int main(int argc, char** argv) {
  return zcb::bench::RunSuite(argc, argv, [] {
    zcb::bench::RegisterAll<BoostMalloc>();
    zcb::bench::RegisterProcesses<BoostMalloc>();
  });
}
