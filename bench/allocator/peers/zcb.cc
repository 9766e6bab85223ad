// Peer: zcb's allocator through its C++ interface, in a region of its own.
#include <sys/stat.h>

#include <memory>
#include <string>
#include <utility>

#include "allocator/allocator.h"
#include "allocator/buffer_ref.h"
#include "allocator/buffer_ticket.h"
#include "allocator/region.h"
#include "allocator/region_options.h"
#include "bench/allocator/processes.h"
#include "bench/allocator/suite.h"
#include "bench/failure.h"

namespace {

namespace alloc = zcb::alloc;
using zcb::bench::Fail;

class ZcbMalloc {
 public:
  struct Home {};  // the environment says where the region is
  using Buffer = alloc::BufferRef;
  using Ticket = alloc::BufferTicket;

  explicit ZcbMalloc(Home&) {
    const auto options = alloc::RegionOptions::FromEnvironment();
    if (!options.ok()) Fail("environment: {}", options.reason());
    auto region = alloc::Region::Open(*options);
    if (!region.ok()) Fail("region: {}", region.reason());
    auto allocator = alloc::Allocator::Create(*region);
    if (!allocator.ok()) Fail("allocator: {}", allocator.reason());
    allocator_ = std::move(*allocator);
  }

  // Whether the allocator's own functions are inlined is for the compiler to
  // say, as in any program; these here do not stand in between.
  [[gnu::always_inline]] Buffer Alloc(std::size_t bytes) {
    const auto got = allocator_->Alloc(bytes);
    if (!got.ok()) [[unlikely]]
      Failed("alloc", got.reason());
    return *got;
  }
  [[gnu::always_inline]] void Free(Buffer buffer) {
    const auto freed = allocator_->Free(buffer);
    if (!freed.ok()) [[unlikely]]
      Failed("free", freed.reason());
  }
  std::byte* Pointer(Buffer buffer) { return allocator_->Pointer(buffer); }

  Ticket Give(Buffer buffer) {
    const auto ticket = allocator_->Give(buffer);
    if (!ticket.ok()) [[unlikely]]
      Failed("give", ticket.reason());
    return *ticket;
  }
  Buffer Take(Ticket ticket) {
    const auto buffer = allocator_->Take(ticket);
    if (!buffer.ok()) [[unlikely]]
      Failed("take", buffer.reason());
    return *buffer;
  }
  void Settle() {
    allocator_->Collect();
    const alloc::AllocatorStats stats = allocator_->Stats();
    if (stats.live_buffers + stats.out_buffers != 0) {
      Fail("a leak: {} live, {} out", stats.live_buffers, stats.out_buffers);
    }
  }

  std::uint64_t FileBytes() const {
    const alloc::Region& region = allocator_->region();
    const std::string meta = region.file_stem() + ".meta";
    struct stat facts{};
    if (fstatat(region.directory_fd(), meta.c_str(), &facts, 0) != 0) {
      Fail("cannot look at {}", meta);
    }
    constexpr std::uint64_t kBlockBytes = 512;
    return region.ReportPages().committed_bytes +
           static_cast<std::uint64_t>(facts.st_blocks) * kBlockBytes;
  }

 private:
  [[noreturn, gnu::cold]] static void Failed(const char* what,
                                             const char* reason) {
    Fail("{}: {}", what, reason);
  }

  std::unique_ptr<alloc::Allocator> allocator_;
};

}  // namespace

int main(int argc, char** argv) {
  return zcb::bench::RunSuite(argc, argv, [] {
    zcb::bench::RegisterAll<ZcbMalloc>();
    zcb::bench::RegisterProcesses<ZcbMalloc>();
  });
}
