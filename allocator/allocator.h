// The allocator of one process in one region.
//
// What has not left the process is owned through the memory it lies in: a
// process owns 2 MiB units by one word each, and a buffer inside that was never
// sent needs no record, because after its owner's death it does not matter
// whether it was free or in use. Only a buffer that is out (sent, given,
// retained) has a word that names who answers for it.
//
//   Alloc   pop from this thread's magazine, one private byte      no shared
//   Free    one private byte, push to this thread's magazine       line, no RMW
//   slow    depot -> free maps and hint bytes of our slabs -> a new slab in our
//           units -> the layer above -> adoption -> a free unit -> whatever
//           lies about (empty slabs, other magazines, all words) -> kNoMemory
//
// START READING AT magazine.h; then buffer_supply.h, slab.h, unit_table.h,
// extent.h.
#ifndef ZCB_ALLOCATOR_ALLOCATOR_H_
#define ZCB_ALLOCATOR_ALLOCATOR_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>

#include "allocator/allocator_options.h"
#include "allocator/buffer_place.h"
#include "allocator/buffer_ref.h"
#include "allocator/buffer_word.h"
#include "allocator/private_tables.h"
#include "allocator/region.h"
#include "allocator/size_classes.h"
#include "allocator/status.h"
#include "allocator/thread_cache.h"

namespace zcb::alloc {

class BufferSupply;

struct AllocatorStats {
  std::uint64_t live_buffers = 0;    // handed out by Alloc, not freed, not sent
  std::uint64_t cached_buffers = 0;  // in magazines and depot
  std::uint64_t out_buffers = 0;     // of our units, sent or kept, not yet back
  std::uint64_t owned_units = 0;
  std::uint64_t owned_extent_units = 0;
};

// Thread-safe. Lives as long as the region's attachment.
class Allocator {
 public:
  static Result<std::unique_ptr<Allocator>> Create(
      std::shared_ptr<Region> region, const AllocatorOptions& options = {});
  // Flushes every thread's magazine, gives whole units back; units with
  // buffers still out become Abandoned.
  ~Allocator();

  // A buffer of at least `bytes` (0 counts as 1), 64-byte aligned.
  // kTooBig: more than the region could ever hold. kNoMemory: not now;
  // nothing is lost, and it works again after frees.
  // Threads: any. Signals: not async-signal-safe (slow path may lock a private
  // mutex). Progress: wait-free on the fast path; never waits for a process.
  // Death: the unit's next owner finds the buffer free.
  Result<BufferRef> Alloc(std::uint64_t bytes) {
    const std::uint32_t size_class = SizeClassOf(bytes);
    const ThreadCacheAnchor& anchor = thread_cache_anchor;
    if (anchor.owner_id == cache_id_) [[likely]] {
      ThreadCache& cache = *anchor.cache;
      Magazine& magazine = cache.OfClass(size_class);
      if (!magazine.is_empty()) [[likely]] {
        const std::uint32_t line = magazine.Pop(cache.lines);
        // relaxed: the buffer is this thread's alone
        states_[line].store(BufferState::kLive, std::memory_order_relaxed);
        return BufferRef(line);
      }
    }
    return AllocSlow(size_class, bytes);
  }

  // kInvalidParam: no live buffer of this process starts there (foreign,
  // double, misaligned, inside a buffer, outside); the reason says which.
  Outcome Free(BufferRef ref) {
    const std::uint32_t line = ref.line();
    const ThreadCacheAnchor& anchor = thread_cache_anchor;
    // relaxed: handed to this thread with the buffer, or wrong
    if (anchor.owner_id == cache_id_ && line < line_count_ &&
        states_[line].load(std::memory_order_relaxed) == BufferState::kLive)
        [[likely]] {
      ThreadCache& cache = *anchor.cache;
      // relaxed: does not change while a buffer is live
      Magazine& magazine = cache.OfCode(
          codes_[line / kLinesPerGranule].load(std::memory_order_relaxed));
      if (!magazine.is_full()) [[likely]] {
        // relaxed: the buffer is this thread's alone
        states_[line].store(BufferState::kCached, std::memory_order_relaxed);
        magazine.Push(cache.lines, line);
        return {};
      }
    }
    return FreeSlow(ref);
  }

  std::byte* Pointer(BufferRef ref) const { return data_ + ref.offset_bytes(); }
  // The reference of a pointer into the data mapping, line-aligned; nullopt
  // for anything else. Does not say that a buffer starts there.
  std::optional<BufferRef> RefOf(const void* pointer) const {
    const Result<BufferRef> ref = CheckPointer(pointer);
    return ref ? std::optional(*ref) : std::nullopt;
  }
  // The same; kInvalidParam says whether it is outside or misaligned.
  Result<BufferRef> CheckPointer(const void* pointer) const {
    const std::uint64_t offset = reinterpret_cast<std::uintptr_t>(pointer) -
                                 reinterpret_cast<std::uintptr_t>(data_);
    if (offset >= std::uint64_t{line_count_} * kLineBytes) {
      return Failure{Status::kInvalidParam, "outside the region"};
    }
    if (offset % kLineBytes != 0) {
      return Failure{Status::kInvalidParam, "not aligned as a buffer is"};
    }
    return BufferRef(static_cast<std::uint32_t>(offset >> kLineShift));
  }
  // True if a live buffer (allocated, not freed, not sent) starts at ref.
  bool IsLive(BufferRef ref) const {
    // relaxed: whoever holds the buffer has the answer that matters
    return ref.line() < line_count_ &&
           states_[ref.line()].load(std::memory_order_relaxed) ==
               BufferState::kLive;
  }
  // Usable bytes of a live buffer of ours; 0 if it is none.
  std::uint64_t UsableBytes(BufferRef ref) const;

  // Checks an untrusted reference against the granule descriptors. nullopt: no
  // buffer starts there.
  std::optional<BufferPlace> Locate(BufferRef ref) const;

  // --- leaving the process: the layer above sends -------------------------
  // Takes a live buffer out of circulation: of two threads that try, one wins.
  // kInvalidParam as Free(). The place is of our own unit and trusted.
  Result<BufferPlace> BeginSend(BufferRef ref);
  // Last step before publication, after the word was stored as out. A send
  // that tries several places in a ring may call it again, without effect.
  void CommitSend(const BufferPlace& place);
  // Publication failed for good: the word becomes Free again (same
  // generation), the buffer live. Legal after BeginSend and after CommitSend,
  // by the same thread, while nobody else can have seen the reference.
  void CancelSend(const BufferPlace& place);
  // The caller turned the word Free by compare-and-swap: brings the buffer
  // back. Ours: into this thread's magazine. Somebody else's: a hint byte.
  void ComeBack(const BufferPlace& place);

  // --- repair --------------------------------------------------------------
  // Turns what a Dead lease owned over to the living: extents half done are
  // rolled, units become Abandoned. `sent_is_published` answers for a Sent
  // word found in the dead one's units whether the message is in its ring
  // (then it stays); nullptr: no message layer, nothing is. Idempotent, any
  // number of reapers at once. Does not free the lease.
  using SentJudge = bool (*)(void* context, BufferRef ref, BufferWord word);
  void ReapUnits(LeaseId dead, SentJudge sent_is_published, void* context);

  // Called before exhaustion is reported, and when a free hint was missed: the
  // layer above reclaims its rings here. True: try again. Set once.
  // `last_resort` false: before a unit is claimed, often: only what is quick
  // and makes no system call. True: before kNoMemory: everything, the dead
  // included.
  using PressureHook = bool (*)(void* context, bool last_resort);
  void SetPressureHook(PressureHook hook, void* context);

  // Takes back what others freed: all hints of our slabs. Slow path; also lets
  // a process that only sends see its memory come home before it measures.
  void Collect();
  AllocatorStats Stats();

  // --- memory ahead of time, and after it ----------------------------------
  // Gives memory of the region back to the system: takes home and dissolves
  // what this process has lying about (not what other threads' magazines
  // hold), adopts and empties what the dead left, and punches holes into free
  // units until no more than `keep_bytes` of free memory are committed, highest
  // first. The bytes given back. Live buffers stay as they are.
  // kBadHandle: inherited over fork.
  // Threads: any. Signals: no. Progress: makes system calls, waits for no
  // process; units at which it works look owned to others for that moment.
  // Death: they are adopted like any others.
  Result<std::uint64_t> Trim(std::uint64_t keep_bytes);

  // Commits free units of the region, lowest first, maps them here, and makes
  // their pages huge where that is done afterwards (1 to 2 ms a unit), until
  // `bytes` of free memory are so or none is left: how many bytes are.
  // Allocations take such units first, this process's and others'.
  // kNoMemory: the file system is full; what was done stays. kBadHandle:
  // inherited over fork. Threads, signals, progress, death: as Trim().
  Result<std::uint64_t> Prefault(std::uint64_t bytes);

  Region& region() const { return *region_; }

 private:
  Allocator(std::shared_ptr<Region> region, const AllocatorOptions& options);
  Result<BufferRef> AllocSlow(std::uint32_t size_class, std::uint64_t bytes);
  Outcome FreeSlow(BufferRef ref);
  Failure WhyNotLive(BufferRef ref) const;

  // Copies for the fast path, constant from Create() on.
  std::uint64_t cache_id_ = ThreadCacheSet::kNoId;
  std::atomic<BufferState>* states_ = nullptr;
  std::atomic<GranuleCode>* codes_ = nullptr;
  std::byte* data_ = nullptr;
  std::uint32_t line_count_ = 0;

  std::shared_ptr<Region> region_;
  std::unique_ptr<BufferSupply> supply_;
};

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_ALLOCATOR_H_
