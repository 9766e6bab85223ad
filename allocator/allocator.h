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
//           units -> the layer above -> adoption -> a free unit -> the dead ->
//           whatever lies about (empty slabs, all words) -> kNoMemory
//
// START READING AT magazine.h; then buffer_supply.h, slab.h, unit_table.h,
// extent.h; handover.h for what goes from process to process.
#ifndef ZCB_ALLOCATOR_ALLOCATOR_H_
#define ZCB_ALLOCATOR_ALLOCATOR_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>

#include "allocator/allocator_options.h"
#include "allocator/audit_report.h"
#include "allocator/buffer_place.h"
#include "allocator/buffer_ref.h"
#include "allocator/buffer_ticket.h"
#include "allocator/buffer_word.h"
#include "allocator/own_buffer.h"
#include "allocator/prefetch.h"
#include "allocator/private_tables.h"
#include "allocator/region.h"
#include "allocator/shared_tables.h"
#include "allocator/size_classes.h"
#include "allocator/status.h"
#include "allocator/thread_cache.h"

namespace zcb::alloc {

class BufferSupply;
class Handover;

struct AllocatorStats {
  std::uint64_t live_buffers = 0;    // handed out by Alloc, not freed, not sent
  std::uint64_t cached_buffers = 0;  // in magazines and depot
  std::uint64_t out_buffers = 0;     // of our units: sent, given, not yet back
  std::uint64_t taken_buffers = 0;   // of others' units, by Take, not freed
  std::uint64_t poison_damage = 0;   // written to after they were freed
  std::uint64_t owned_units = 0;
  std::uint64_t owned_extent_units = 0;
};

// Thread-safe. Lives as long as the region's attachment. What is given and
// taken is accounted to the process's lease: one allocator per process and
// region.
class Allocator {
 public:
  static Result<std::unique_ptr<Allocator>> Create(
      std::shared_ptr<Region> region, const AllocatorOptions& options = {});
  // Frees what was taken, withdraws what was given and nobody took; flushes
  // every thread's magazine, gives whole units back; units with buffers still
  // out become Abandoned.
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
    if (HasCache(anchor)) [[likely]] {
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

  // A hint: fetches the first two lines, to be written, of a buffer like this
  // one that this thread will soon be given by Alloc(). Its last readers have
  // them.
  [[gnu::always_inline]] void PrefetchForAlloc(const BufferPlace& like) const {
    const ThreadCacheAnchor& anchor = thread_cache_anchor;
    if (!HasCache(anchor)) return;
    const ThreadCache& cache = *anchor.cache;
    const Magazine& magazine = cache.OfClass(like.size_class);
    if (magazine.count() <= kPrefetchAhead) return;
    const std::byte* const buffer =
        Pointer(BufferRef(magazine.Peek(cache.lines, kPrefetchAhead)));
    PrefetchToWrite(buffer);
    PrefetchToWrite(buffer + kLineBytes);
  }

  // A buffer of at least `bytes` that begins at a multiple of
  // `alignment_bytes`, a power of two up to 2 MiB. Up to 64 as Alloc(); up to
  // 256 KiB (64 KiB in a region of small units) the smallest class whose
  // buffers all begin at such places; above that whole units. Freed as any
  // other. Errors of Alloc(), and
  // kInvalidParam: no such alignment; kNotSupported: larger than this region's
  // units. Threads, signals, progress, death: as Alloc()'s slow path.
  Result<BufferRef> AllocAligned(std::uint64_t bytes,
                                 std::uint64_t alignment_bytes);

  // Frees a live buffer, allocated or taken.
  // kInvalidParam: no live buffer of this process starts there; the reason says
  // why (outside, inside a buffer, free already, given, sent, somebody
  // else's). kLibrary: a taken one, and its word was damaged.
  // Threads, signals, progress: as Alloc(). Death in the middle: it is free, or
  // it is still this process's and freed by whoever reaps it.
  Outcome Free(BufferRef ref) {
    const std::uint32_t line = ref.line();
    const ThreadCacheAnchor& anchor = thread_cache_anchor;
    // relaxed: handed to this thread with the buffer, or wrong
    if (HasCache(anchor) && line < line_count_ &&
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

  // The same by the address of the first byte; also "outside the region" and
  // "not aligned as a buffer is".
  Outcome FreePointer(const void* pointer) {
    const Result<BufferRef> ref = CheckPointer(pointer);
    return ref ? Free(*ref) : ref.failure();
  }

  std::byte* Pointer(BufferRef ref) const { return data_ + ref.offset_bytes(); }
  // The reference of a pointer into the data mapping, line-aligned; nullopt
  // for anything else. Does not say that a buffer starts there.
  std::optional<BufferRef> RefOf(const void* pointer) const {
    const std::uint64_t offset = reinterpret_cast<std::uintptr_t>(pointer) -
                                 reinterpret_cast<std::uintptr_t>(data_);
    if (offset >= std::uint64_t{line_count_} * kLineBytes ||
        offset % kLineBytes != 0) {
      return std::nullopt;
    }
    return BufferRef(static_cast<std::uint32_t>(offset >> kLineShift));
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
  // True if a live buffer (allocated or taken; not freed, sent or given) starts
  // at ref.
  bool IsLive(BufferRef ref) const {
    if (ref.line() >= line_count_) return false;
    // relaxed: whoever holds the buffer has the answer that matters
    const BufferState state =
        states_[ref.line()].load(std::memory_order_relaxed);
    return state == BufferState::kLive || state == BufferState::kTaken;
  }
  // Usable bytes of a live buffer; 0 if there is none.
  std::uint64_t UsableBytes(BufferRef ref) const;

  // Checks an untrusted reference against the granule descriptors. nullopt: no
  // buffer starts there.
  std::optional<BufferPlace> Locate(BufferRef ref) const;
  // The same for who only reads it: its usable bytes, or 0.
  [[gnu::always_inline]] std::uint64_t LocateBytes(BufferRef ref) const {
    if (ref.line() >= line_count_) [[unlikely]]
      return 0;
    // acquire <- slab.create: as in OwnSlab()
    const GranuleCode code =
        codes_[ref.granule()].load(std::memory_order_acquire);
    if (code == kNoCode) return alloc::LocateBytes(*shared_, ref);
    if (ClassOf(code) >= kFirstRunClass) [[unlikely]]
      return LocateLargeBytes(ref);
    const SlabShape slab = PrivateTables::SlabAround(ref.line(), ClassOf(code));
    return slab.IndexOfStart(ref.line()) == SlabShape::kNoStart
               ? 0
               : slab.cut().bytes();
  }
  // Whether it lies in a slab or an extent of ours.
  [[gnu::always_inline]] bool IsOwn(BufferRef ref) const {
    // acquire <- slab.create: as in OwnSlab()
    return ref.line() < line_count_ &&
           codes_[ref.line() / kLinesPerGranule].load(
               std::memory_order_acquire) != kNoCode;
  }
  // Where the word is of a buffer that starts there, in a slab of ours; else
  // not ok().
  [[gnu::always_inline]] OwnBuffer FindOwn(BufferRef ref) const {
    const SlabShape slab = OwnSlab(ref);
    if (!slab.ok()) return {};
    const std::uint32_t index = slab.IndexOfStart(ref.line());
    if (index == SlabShape::kNoStart) return {};
    return {ref.line(), slab.size_class, shared_->words(slab) + index};
  }

  // --- from process to process, by ticket ----------------------------------
  // Gives a live buffer (also a taken one) away: nobody of this process may
  // touch it again, and whoever brings the ticket to Take() first, in any
  // process, has it. (Two threads that give or free one buffer at the very same
  // moment may both be believed, as with Free().)
  // kInvalidParam: as Free(). kLibrary: a taken one, and its word was damaged.
  // Threads: any. Signals: not async-signal-safe. Progress: wait-free.
  // Death of the giver, or the end of its allocator: a buffer that nobody has
  // taken yet is free, and its ticket worthless.
  Result<BufferTicket> Give(BufferRef ref);
  // Takes what a ticket names: the buffer is live here, with the bytes that the
  // giver left in it. A ticket may come from anywhere and is checked.
  // kNotExist: it was used, withdrawn (the giver has gone) or never given.
  // kInvalidParam: no place of this region. kNoMemory: the file system is full;
  // the ticket is still good. kLibrary: damaged region.
  // Threads: any; of two that bring the same ticket one wins. Signals: not
  // async-signal-safe. Progress: lock-free; a lock private to the process at
  // the first buffer out of each 64 KiB of foreign memory.
  // Death of the taker: the buffer is free once the taker is reaped.
  Result<BufferRef> Take(BufferTicket ticket);

  // --- leaving the process: the layer above sends -------------------------
  // Before it sends anything it sets uses_client in its process's lease record:
  // then only processes that have that layer too, and can judge what is in its
  // rings, reap this one.
  // Takes a live buffer out of circulation: of two threads that try, one wins.
  // kInvalidParam as Free(), and for one that was taken: a copy of it must be
  // sent. The place is of our own unit and trusted.
  [[gnu::always_inline]] Outcome BeginSend(BufferRef ref, BufferPlace* place) {
    if (ref.line() >= line_count_) return WhyNotLive(ref);
    BufferState live = BufferState::kLive;
    // relaxed: decides between threads of ours, hands nothing on
    if (!states_[ref.line()].compare_exchange_strong(
            live, BufferState::kLeaving, std::memory_order_relaxed,
            std::memory_order_relaxed)) {
      return WhyNotLive(ref);
    }
    const SlabShape slab = OwnSlab(ref);
    if (slab.ok()) [[likely]] {
      const std::uint32_t index = slab.IndexOfStart(ref.line());
      if (index != SlabShape::kNoStart) [[likely]] {
        *place = PlaceAt(*shared_, slab, index);
        return {};
      }
    }
    // By value: what has no address lives in registers.
    const Result<BufferPlace> found = BeginSendSlow(ref);
    if (!found) return found.failure();
    *place = *found;
    return {};
  }
  // The same for who is in no hurry.
  Result<BufferPlace> BeginSend(BufferRef ref);
  // Last step before publication, after the word was stored as out. A send
  // that tries several places in a ring may call it again, without effect.
  void CommitSend(const BufferPlace& place) {
    std::atomic<BufferState>& state = states_[place.ref.line()];
    // Once per send: from then on a collecting thread may be looking at it.
    // relaxed: this thread wrote it
    if (state.load(std::memory_order_relaxed) != BufferState::kLeaving) return;
    // release -> buffer.leave: the word, which says that the buffer is out.
    state.store(BufferState::kAway, std::memory_order_release);
  }
  // Publication failed for good: the word becomes Free again (same
  // generation), the buffer live. Legal after BeginSend and after CommitSend,
  // by the same thread, while nobody else can have seen the reference.
  void CancelSend(BufferPlace place);
  // The caller turned the word Free by compare-and-swap: brings the buffer
  // back. Ours: into this thread's magazine. Somebody else's: a hint byte.
  void ComeBack(const BufferPlace& place);
  // The same for one that FindOwn() has found, in the same step, and that is
  // `free` now.
  [[gnu::always_inline]] void ComeBack(const OwnBuffer& own, BufferWord free) {
    const std::uint32_t size_class = own.size_class();
    if (!tables_->TryTake(own.line(), size_class, own.word(), free))
        [[unlikely]] {
      return ComeBackSlow(BufferRef(own.line()));
    }
    const ThreadCacheAnchor& anchor = thread_cache_anchor;
    if (!HasCache(anchor) || anchor.cache->OfClass(size_class).is_full())
        [[unlikely]] {
      return StoreSlow(own);
    }
    anchor.cache->OfClass(size_class).Push(anchor.cache->lines, own.line());
  }

  // --- repair --------------------------------------------------------------
  // Turns what a Dead lease owned over to the living: extents half done are
  // rolled, units become Abandoned. `sent_is_published` answers for a Sent
  // word found in the dead one's units whether the message is in its ring
  // (then it stays); nullptr: no message layer, nothing is. Idempotent, any
  // number of reapers at once. Does not free the lease. False: for want of
  // memory not all could be looked at, and the lease is to stay Dead.
  using SentJudge = bool (*)(void* context, BufferRef ref, BufferWord word);
  bool ReapUnits(LeaseId dead, SentJudge sent_is_published, void* context);

  // For processes without a layer above: reaps every process that has gone and
  // never used that layer, and frees its lease. How many. Create() does it, and
  // so does every allocation that would fail, unless there is a hook.
  // Threads: any. Makes a system call per process that lives; waits for none.
  std::uint32_t ReapDead();

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

  // Whether every buffer of ours is in exactly one place: see
  // audit_private.h. No other thread may use the allocator meanwhile.
  Result<OwnAuditReport> AuditOwn();
  Region& region() const { return *region_; }

 private:
  // How many buffers later the one that is fetched ahead is allocated: about as
  // many as are sent while a line comes from another processor.
  static constexpr std::uint32_t kPrefetchAhead = 2;

  Allocator(std::shared_ptr<Region> region, const AllocatorOptions& options);
  Result<BufferRef> AllocSlow(std::uint32_t size_class, std::uint64_t bytes);
  Outcome FreeAfterChecks(BufferRef ref);
  Result<BufferPlace> BeginSendSlow(BufferRef ref);
  void ComeBackSlow(BufferRef ref);
  void StoreSlow(const OwnBuffer& own);
  std::uint64_t LocateLargeBytes(BufferRef ref) const;
  // The slab of ours around a buffer's first line. Not ok(): it is none, or
  // that of runs, of extents, or somebody else's.
  [[gnu::always_inline]] SlabShape OwnSlab(BufferRef ref) const {
    if (ref.line() >= line_count_) [[unlikely]]
      return {};
    // acquire <- slab.create: what the code says is true of the states too
    const std::uint32_t size_class = ClassOf(
        codes_[ref.line() / kLinesPerGranule].load(std::memory_order_acquire));
    if (size_class >= kFirstRunClass) return {};  // kNoCode: wraps round
    return PrivateTables::SlabAround(ref.line(), size_class);
  }
  Result<BufferRef> AllocExtent(std::uint64_t bytes);
  // A buffer of a class below kExtentClass.
  Result<BufferRef> AllocOfClass(std::uint32_t size_class);
  Outcome FreeSlow(BufferRef ref);
  Failure WhyNotLive(BufferRef ref) const;
  // kLibrary: the region is damaged, and the answer is worth nothing.
  template <typename Answer>
  Answer Checked(Answer answer) const;
  bool HasCache(const ThreadCacheAnchor& anchor) const {
    // relaxed: a number that is compared
    return anchor.owner_id == cache_id_.load(std::memory_order_relaxed);
  }

  // Copies for the fast path, constant from Create() on. With poisoning on, and
  // in a damaged region, the id is no thread's (DamageMark::kTripped), and
  // everything goes through the slow path.
  std::atomic<std::uint64_t> cache_id_{ThreadCacheSet::kNoId};
  std::atomic<BufferState>* states_ = nullptr;
  std::atomic<GranuleCode>* codes_ = nullptr;
  std::byte* data_ = nullptr;
  std::uint32_t line_count_ = 0;
  const SharedTables* shared_ = nullptr;
  const PrivateTables* tables_ = nullptr;

  std::shared_ptr<Region> region_;
  std::unique_ptr<BufferSupply> supply_;
  std::unique_ptr<Handover> handover_;
  bool poisons_ = false;
  std::atomic<std::uint64_t> poison_damage_{0};
};

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_ALLOCATOR_H_
