// A jemalloc arena whose memory lies in the region, for existing malloc-style
// code: it puts its large values (strings, blobs) there and publishes them by
// reference, and other processes read them in place.
//
//   auto arena = JemallocArena::Create(allocator);
//   void* blob = *(*arena)->Allocate(bytes);              // fill it in, then
//   Tell(*(*arena)->OffsetOf(blob), bytes);               // the others:
//   const std::byte* seen = region.data() + offset;       // after a check
//
// Limits. Everything that jemalloc knows about the arena is private memory of
// this process, so
//   - only this process allocates and frees; the others read (or write bytes);
//   - it dies with its process: whoever reaps that lease frees the memory as a
//     whole, and what was published is void. A reader must know that the owner
//     lives, or hold a copy. What shall outlive its owner goes into buffers of
//     the Allocator, sent or given away;
//   - a child of fork(2) must not use it: what goes through this class is
//     refused there, but a bare mallocx() may get what is the parent's;
//   - when a value may be freed or changed while others read it is for the
//     program to arrange.
// Linking jemalloc also replaces malloc() in the program; that stays private.
#ifndef ZCB_ALLOCATOR_JEMALLOC_ARENA_H_
#define ZCB_ALLOCATOR_JEMALLOC_ARENA_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <new>
#include <optional>
#include <type_traits>

#include "allocator/allocator.h"
#include "allocator/status.h"

namespace zcb::alloc {

struct JemallocArenaOptions {
  // What is taken from the region at a time; more where a value needs it.
  // Bigger chunks save no time and hold more memory. Measured with 1024 values
  // of 4 KiB to 1 MiB (log-uniform) that are replaced at random, then freed but
  // for a random tenth; region bytes held per live byte:
  //
  //   chunk   time per replacement   while full   a tenth left
  //   2 MiB                 775 ns         1.26            7.4
  //   4 MiB                 740 ns         1.30           10.4
  //   8 MiB                 775 ns         1.32           12.9
  std::uint64_t chunk_bytes = kUnitBytes;
  // How long jemalloc may keep what was freed before the region has it back; 0:
  // not at all, -1: for ever. To give it back makes no system call here, unlike
  // in private memory: 10 s instead of 0 save 36 % of the time above, and hold
  // 33 % more memory.
  std::int64_t keep_freed_ms = 0;
};

struct JemallocArenaStats {
  std::uint64_t live_bytes = 0;    // allocated and not freed
  std::uint64_t extent_bytes = 0;  // with jemalloc, live and kept
  std::uint64_t region_bytes = 0;  // of the region, held for all that
};

// Thread-safe. Several arenas may share an allocator.
class JemallocArena {
 public:
  // kBadHandle: the region was inherited over fork. kInvalidParam: a
  // keep_freed_ms that jemalloc refuses. kNoMemory: no private memory.
  // kNoResources: jemalloc has no arena left (there are about 4000).
  // kNotSupported: the program runs with a jemalloc older than 5.3.
  // The allocator must live longer than the arena.
  static Result<std::unique_ptr<JemallocArena>> Create(
      Allocator& allocator, const JemallocArenaOptions& options = {});
  // Frees all that is still allocated. No other thread may use the arena, nor
  // be bound to it by mallctl("thread.arena").
  ~JemallocArena();
  JemallocArena(const JemallocArena&) = delete;
  JemallocArena& operator=(const JemallocArena&) = delete;

  // At least `bytes` (0 counts as 1), at a multiple of `alignment` (a power of
  // two) and of 16. In other processes alignments above 2 MiB need not hold.
  // jemalloc rounds up to its classes, by a fifth at most above 16 KiB, and
  // adds a page there.
  // kInvalidParam: no power of two. kTooBig: more than the region could ever
  // hold. kNoMemory: not now, and nothing is lost. kBadHandle: after fork.
  // kNotSupported: called from the allocator's pressure hook.
  // Threads: any. Signals: not async-signal-safe. Progress: as malloc(3); never
  // waits for a process. Death: the memory goes back when the lease is reaped.
  Result<void*> Allocate(std::size_t bytes, std::size_t alignment = 1);
  // nullptr is fine. kInvalidParam: not memory of this arena. That of a block
  // of the arena the start is given, and once, is the caller's word, as with
  // free(3). kBadHandle: after fork.
  Outcome Deallocate(void* block);
  // The block with its contents, grown or shrunk, perhaps elsewhere; nullptr:
  // a new one. Errors as above; the block is as it was then.
  Result<void*> Reallocate(void* block, std::size_t bytes,
                           std::size_t alignment = 1);
  // What the block has room for; 0: not memory of this arena.
  std::size_t UsableBytes(const void* block) const;

  // Where a byte lies in the region's data file, which is what other processes
  // need: they find it at their own Region::data() plus that, after a check
  // against Geometry::region_bytes. nullopt: not memory of this arena, such as
  // the inside of a short std::string. Lock-free, a few instructions.
  std::optional<std::uint64_t> OffsetOf(const void* address) const;

  // For mallocx(3), rallocx, sallocx and dallocx of <jemalloc/jemalloc.h>: this
  // arena, no thread cache. Always pass them, to dallocx too: without them (or
  // by plain free) the block lands in the thread's own cache, and the next
  // malloc() of private memory may get it.
  int mallocx_flags() const { return flags_; }

  // Gives back to the region what jemalloc keeps of the freed blocks. For those
  // who keep some; else it is needed only to be sure: of two threads that free
  // at the same moment, one leaves it to the next free to give its block back.
  void Trim();

  // Slow: makes jemalloc count.
  JemallocArenaStats Stats() const;
  Allocator& allocator() const { return allocator_; }

 private:
  struct Extents;
  JemallocArena(Allocator& allocator, std::unique_ptr<Extents> extents,
                unsigned index);
  Outcome Check(std::size_t bytes, std::size_t alignment) const;
  template <typename Make>
  Result<void*> Try(std::size_t bytes, Make make);

  Allocator& allocator_;
  std::unique_ptr<Extents> extents_;
  const unsigned index_;
  const int flags_;
};

// For containers: std::vector<std::byte, ArenaAllocator<std::byte>>. Throws
// std::bad_alloc, as the standard wants it. The arena must live longer.
//
// What a container stores are raw pointers: other processes can read the bytes
// of its elements by OffsetOf(), never walk the container.
template <typename T>
class ArenaAllocator {
 public:
  using value_type = T;
  using propagate_on_container_move_assignment = std::true_type;
  using propagate_on_container_swap = std::true_type;

  explicit ArenaAllocator(JemallocArena& arena) : arena_(&arena) {}
  template <typename U>
  ArenaAllocator(const ArenaAllocator<U>& other)  // NOLINT: as the standard
      : arena_(&other.arena()) {}

  T* allocate(std::size_t count) {
    if (count > std::numeric_limits<std::size_t>::max() / sizeof(T)) {
      throw std::bad_array_new_length();
    }
    const Result<void*> block = arena_->Allocate(count * sizeof(T), alignof(T));
    if (!block) throw std::bad_alloc();
    return static_cast<T*>(*block);
  }
  void deallocate(T* block, std::size_t /*count*/) {
    (void)arena_->Deallocate(block);
  }

  JemallocArena& arena() const { return *arena_; }
  template <typename U>
  bool operator==(const ArenaAllocator<U>& other) const {
    return arena_ == &other.arena();
  }

 private:
  JemallocArena* arena_;
};

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_JEMALLOC_ARENA_H_
