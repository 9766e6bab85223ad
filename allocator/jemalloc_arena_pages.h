// Page runs for an arena, cut from chunks that are buffers of the allocator.
// Knows nothing of jemalloc.
#ifndef ZCB_ALLOCATOR_JEMALLOC_ARENA_PAGES_H_
#define ZCB_ALLOCATOR_JEMALLOC_ARENA_PAGES_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>

#include "allocator/allocator.h"
#include "allocator/buffer_ref.h"
#include "allocator/private_mapping.h"

namespace zcb::alloc {

// Why chunks, and not a buffer for each extent: jemalloc splits the extents
// that it has and gives the parts back one by one, and a buffer can only be
// freed whole. (To refuse a split does not help: jemalloc 5.3 then loses the
// extent for good.) Here a run is any number of pages of one chunk, taken and
// given back in any portions; a chunk without taken pages goes back to the
// region at once.
//
// All that is known about the pages is private to the process: one bit for
// each page of the region, and a list of the chunks. Neither calls malloc()
// after construction: this is what malloc() itself calls.
//
// Thread-safe: one lock, held over no call to anything else. In a child of
// fork(2) everything is refused, without touching the lock.
//
// Death: the chunks are extents of the process's lease; whoever reaps it frees
// them.
class ArenaPages {
 public:
  static constexpr std::uint64_t kPageBytes = 4096;

  // Chunks of `chunk_bytes`; bigger ones for runs that are bigger, and smaller
  // ones where the region has no room for that. The allocator must live longer.
  ArenaPages(Allocator& allocator, std::uint64_t chunk_bytes);
  // Every chunk goes back, whatever is taken of it.
  ~ArenaPages();
  ArenaPages(const ArenaPages&) = delete;
  ArenaPages& operator=(const ArenaPages&) = delete;
  bool ok() const { return taken_memory_.ok() && chunks_memory_.ok(); }

  // `bytes` (a multiple of the page, not 0) at a multiple of `alignment` (a
  // power of two, at least the page). Backed by memory; what is in it is not
  // defined. nullptr: the region has no room. May call the kernel.
  std::byte* Take(std::uint64_t bytes, std::uint64_t alignment);
  // Takes pages back, any portion of what Take() gave. False: not all of them
  // are taken pages of one chunk; nothing has changed.
  bool Give(const void* address, std::uint64_t bytes);
  // From now on Take() and Give() refuse, and the chunks are left alone; the
  // allocator may go. No other thread may be in a call.
  void Close() {
    // relaxed: nobody else is here
    is_closed_.store(true, std::memory_order_relaxed);
  }

  // The offset in the data file of a byte in a taken page; nullopt for any
  // other. Lock-free: a few instructions.
  std::optional<std::uint64_t> OffsetOf(const void* address) const {
    const std::uint64_t offset = reinterpret_cast<std::uintptr_t>(address) -
                                 reinterpret_cast<std::uintptr_t>(data_);
    if (offset >= data_bytes_) return std::nullopt;
    const std::uint64_t page = offset / kPageBytes;
    // relaxed: set before the address could be known
    if ((taken_[page / 64].load(std::memory_order_relaxed) >> (page % 64) &
         1) == 0) {
      return std::nullopt;
    }
    return offset;
  }
  // True if one chunk holds both addresses.
  bool AreInOneChunk(const void* a, const void* b);

  struct Counts {
    std::uint64_t chunks = 0;
    std::uint64_t chunk_bytes = 0;  // of the region, held
    std::uint64_t taken_bytes = 0;  // of these, taken
  };
  Counts Count();

 private:
  // Pages count from the start of the data file.
  struct Chunk {
    std::uint32_t first;
    std::uint32_t pages;
    std::uint32_t taken;
    std::uint32_t longest;  // run of free pages
    BufferRef ref;
  };
  struct Request {
    std::uint32_t pages;
    std::uint32_t alignment_pages;
  };

  // All with the lock held.
  std::optional<std::uint32_t> TakeFromChunks(const Request& request);
  std::optional<std::uint32_t> TakeFrom(Chunk& chunk, const Request& request);
  std::uint32_t FirstAligned(std::uint32_t page, const Request& request) const;
  // The first page in [page, end) that is taken (or is not); `end`: none.
  std::uint32_t NextPage(std::uint32_t page, std::uint32_t end,
                         bool is_taken) const;
  // The chunk's longest run of free pages, and the one around [page, page +
  // pages).
  std::uint32_t LongestRun(const Chunk& chunk) const;
  std::uint32_t FreeAround(const Chunk& chunk, std::uint32_t page,
                           std::uint32_t pages) const;
  void Mark(std::uint32_t page, std::uint32_t pages, bool is_taken);
  Chunk* ChunkOf(std::uint32_t page);
  Chunk* Insert(const Chunk& chunk);
  void Remove(Chunk* chunk);

  // Without it.
  bool MayUse() const {
    // relaxed: as in Close()
    return !is_closed_.load(std::memory_order_relaxed) &&
           allocator_.region().IsOurs();
  }
  std::optional<std::uint32_t> TakeFromNewChunk(std::uint64_t chunk_bytes,
                                                const Request& request);

  Allocator& allocator_;
  const std::uint64_t chunk_bytes_;
  std::byte* const data_;
  const std::uint64_t data_bytes_;
  PrivateMapping taken_memory_;
  PrivateMapping chunks_memory_;
  std::atomic<std::uint64_t>* const taken_;  // a bit per page; under the lock
  Chunk* const chunks_;                      // by address

  std::atomic<bool> is_closed_{false};

  std::mutex mutex_;  // guards what is below, and what the two above point to
  std::uint32_t chunk_count_ = 0;
};

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_JEMALLOC_ARENA_PAGES_H_
