// Peer: the memory manager of iceoryx 2.0 (MePoo), alone: no daemon, no ports,
// which would add their lists. Pools of powers of two from 64 B to 1 MiB, so
// that it can take part in every workload; what it needs per byte is that
// choice's doing.
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iceoryx_hoofs/internal/posix_wrapper/shared_memory_object/allocator.hpp>
#include <iceoryx_hoofs/internal/relocatable_pointer/base_relative_pointer.hpp>
#include <iceoryx_posh/internal/mepoo/memory_manager.hpp>
#include <iceoryx_posh/internal/mepoo/shm_safe_unmanaged_chunk.hpp>
#include <iceoryx_posh/mepoo/mepoo_config.hpp>
#include <new>

#include "bench/allocator/processes.h"
#include "bench/allocator/suite.h"
#include "bench/failure.h"

namespace {

namespace mepoo = iox::mepoo;
using iox::rp::BaseRelativePointer;

mepoo::MePooConfig Pools() {
  constexpr std::uint32_t kMostChunks = 1 << 15;
  constexpr std::uint32_t kPoolBytes = 128 << 20;
  mepoo::MePooConfig pools;
  for (std::uint32_t bytes = 64; bytes <= 1 << 20; bytes *= 2) {
    pools.addMemPool({bytes, std::min(kMostChunks, kPoolBytes / bytes)});
  }
  return pools;
}

// The manager, its tables and the chunks, in memory that children share; they
// see it at the same address, which iceoryx does not need.
class MePooHome {
 public:
  MePooHome() {
    const mepoo::MePooConfig pools = Pools();
    const std::uint64_t pool_bytes =
        mepoo::MemoryManager::requiredFullMemorySize(pools);
    length_bytes_ = kManagerBytes + pool_bytes;
    memory_ = mmap(nullptr, length_bytes_, PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory_ == MAP_FAILED) {
      zcb::bench::Fail("mmap: {}", std::strerror(errno));
    }
    // Its pointers are relative to a registered segment.
    segment_id_ = BaseRelativePointer::registerPtr(memory_, length_bytes_);
    manager_ = new (memory_) mepoo::MemoryManager;
    iox::posix::Allocator rest(static_cast<char*>(memory_) + kManagerBytes,
                               pool_bytes);
    manager_->configureMemoryManager(pools, rest, rest);
  }
  ~MePooHome() {
    manager_->~MemoryManager();
    BaseRelativePointer::unregisterPtr(segment_id_);
    munmap(memory_, length_bytes_);
  }
  MePooHome(const MePooHome&) = delete;
  MePooHome& operator=(const MePooHome&) = delete;

  mepoo::MemoryManager& manager() { return *manager_; }

 private:
  static constexpr std::size_t kManagerBytes = 16 * 1024;
  static_assert(sizeof(mepoo::MemoryManager) <= kManagerBytes);
  std::size_t length_bytes_ = 0;
  void* memory_ = nullptr;
  BaseRelativePointer::id_t segment_id_ = 0;
  mepoo::MemoryManager* manager_ = nullptr;
};

class MePooMalloc {
 public:
  using Home = MePooHome;
  using Buffer = mepoo::ChunkManagement*;
  // What iceoryx itself puts into the queues between processes.
  using Ticket = mepoo::ShmSafeUnmanagedChunk;

  explicit MePooMalloc(Home& home) : manager_(home.manager()) {}

  // The same calls as those of a publisher that loans a chunk.
  Buffer Alloc(std::size_t bytes) {
    const auto settings =
        mepoo::ChunkSettings::create(static_cast<std::uint32_t>(bytes));
    if (settings.has_error()) zcb::bench::Fail("iceoryx: bad settings");
    auto chunk = manager_.getChunk(settings.value());
    if (chunk.has_error()) zcb::bench::Fail("iceoryx: no chunk");
    return chunk.value().release();
  }
  // The chunk goes home when the last SharedChunk of it ends.
  static void Free(Buffer buffer) { mepoo::SharedChunk last(buffer); }
  static void* Pointer(Buffer buffer) {
    return buffer->m_chunkHeader->userPayload();
  }

  static Ticket Give(Buffer buffer) {
    return Ticket(mepoo::SharedChunk(buffer));
  }
  static Buffer Take(Ticket ticket) {
    return ticket.releaseToSharedChunk().release();
  }
  void Settle() {
    for (std::uint32_t i = 0; i < manager_.getNumberOfMemPools(); ++i) {
      if (manager_.getMemPoolInfo(i).m_usedChunks != 0) {
        zcb::bench::Fail("a leak");
      }
    }
  }

 private:
  mepoo::MemoryManager& manager_;
};

}  // namespace

int main(int argc, char** argv) {
  return zcb::bench::RunSuite(argc, argv, [] {
    zcb::bench::RegisterAll<MePooMalloc>();
    zcb::bench::RegisterProcesses<MePooMalloc>();
  });
}
