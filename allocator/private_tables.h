// What this process knows about its own memory: a byte per line of the region
// and a byte per granule. The fast paths look nowhere else.
#ifndef ZCB_ALLOCATOR_PRIVATE_TABLES_H_
#define ZCB_ALLOCATOR_PRIVATE_TABLES_H_

#include <atomic>
#include <cstdint>

#include "allocator/abi.h"
#include "allocator/buffer_ref.h"
#include "allocator/buffer_word.h"
#include "allocator/private_mapping.h"
#include "allocator/region_header.h"
#include "allocator/shared_tables.h"
#include "allocator/size_classes.h"

namespace zcb::alloc {

// Where a buffer is, as this process sees it; kept at its first line.
//
//             ┌───────── Free ─────────┐        ┌── CancelSend ──┐
//   kAway ─► kJudged ─► kCached ─ Alloc ─► kLive ─ BeginSend ─► kLeaving
//    ▲ ▲                                                      Give │
//    │ └──────────────────── CommitSend ───────────────────────────┘
//    └─ Free, Give ── kTaken ◄─ Take ── kAway, of somebody else's unit
enum class BufferState : std::uint8_t {
  kAway = 0,      // out, or not a buffer of ours
  kCached = 1,    // free: in a magazine, the depot or its slab's free map
  kLive = 2,      // handed out by Alloc
  kTaken = 3,     // handed out by Take: its word names us
  kLeaving = 4,   // between BeginSend and CommitSend, and inside Give
  kJudged = 5,    // a thread is looking whether it has come back: a few
                  // instructions, and nobody else may write the byte meanwhile
  kPoisoned = 6,  // kCached, and filled when it was freed
};

// What a granule of ours is cut into. Zero, "not ours", is what fresh memory
// and a forked child see.
using GranuleCode = std::uint8_t;
inline constexpr GranuleCode kNoCode = 0;
inline constexpr GranuleCode kInteriorCode = kClassCount + 1;  // of run, extent
constexpr GranuleCode CodeOf(std::uint32_t size_class) {
  return static_cast<GranuleCode>(size_class + 1);
}
constexpr std::uint32_t ClassOf(GranuleCode code) { return code - 1U; }
inline constexpr std::uint32_t kCodeCount = kClassCount + 1;  // 0..72

// word        written by                        read by    edge
// state byte  owner of the buffer (kCached ->   any of our slab.retire,
//             kLive -> ...): plain stores;      threads    buffer.leave
//             kAway -> kJudged: whoever wins
// code byte   slab and extent makers, under     any of our slab.create
//             their lock                        threads
class PrivateTables {
 public:
  explicit PrivateTables(const Geometry& geometry);
  bool ok() const { return states_memory_.ok() && codes_memory_.ok(); }

  std::uint32_t line_count() const { return line_count_; }
  std::atomic<BufferState>* states() const { return states_; }
  std::atomic<GranuleCode>* codes() const { return codes_; }
  std::atomic<BufferState>& state(std::uint32_t line) const {
    return states_[line];
  }
  std::atomic<GranuleCode>& code(std::uint32_t granule) const {
    return codes_[granule];
  }

  // The buffer of ours that starts at a line (any line below line_count()).
  struct Start {
    SlabShape slab;  // an extent: class kExtentClass, head its first granule
    std::uint32_t index = SlabShape::kNoStart;  // kNoStart: none, or not ours
    bool ok() const { return index != SlabShape::kNoStart; }
  };
  Start StartAt(std::uint32_t line) const {
    // acquire <- slab.create: what the code says is true of the states too.
    const GranuleCode code =
        codes_[line / kLinesPerGranule].load(std::memory_order_acquire);
    if (code == kNoCode || code == kInteriorCode) return {};
    const std::uint32_t size_class = ClassOf(code);
    if (size_class >= kFirstRunClass) {  // of which only the head has the code
      return {{size_class, line / std::uint32_t{kLinesPerGranule}},
              line % kLinesPerGranule == 0 ? 0 : SlabShape::kNoStart};
    }
    const SlabShape slab = SlabAround(line, size_class);
    return {slab, slab.IndexOfStart(line)};
  }
  // The slab of ours around a line, whose class is below kExtentClass.
  static SlabShape SlabAround(std::uint32_t line, std::uint32_t size_class) {
    const std::uint32_t granule = line / std::uint32_t{kLinesPerGranule};
    if (size_class >= kFirstRunClass) return {size_class, granule};
    // 1, 8 or 32: slabs are aligned to their own size.
    const std::uint32_t granules = kSizeClasses[size_class].granules;
    return {size_class, granule & ~(granules - 1)};
  }

  // Whether any of these granules is part of a slab or an extent of ours.
  bool UsesAny(std::uint32_t first_granule, std::uint32_t granules) const;

  // A buffer whose word has become Free comes home: kAway -> kCached. Exactly
  // one of our threads wins it; no thread wins a buffer that is still out, or
  // of which class and word are no longer what the caller thinks. A buffer of
  // that class would start at `line`, and `word` would be its word.
  //
  // Between "the word is Free" and "the byte is ours" another thread may have
  // taken the buffer, sent it again, even given its slab away. So the byte is
  // won first, and the word and the code are judged after:
  // - The word must still hold the very same export. A send raises its
  //   generation, also one that is cancelled.
  // - The code must still be that of the class: then a buffer starts here.
  //   Whoever retires a slab clears the codes before the states; whoever makes
  //   one wins each state before it sets the codes, and leaves to us what he
  //   does not win.
  // While it is kJudged the byte is ours alone: makers of slabs leave it, and a
  // send that is cancelled waits these few instructions.
  bool TryTake(std::uint32_t line, std::uint32_t size_class,
               SharedTables::Word& word) const {
    // acquire <- word.free: the last reader has finished with the bytes.
    return TryTake(line, size_class, word,
                   BufferWord(word.load(std::memory_order_acquire)));
  }
  // The same for who has just read `seen` there, acquired, or written it.
  [[gnu::always_inline]] bool TryTake(std::uint32_t line,
                                      std::uint32_t size_class,
                                      SharedTables::Word& word,
                                      BufferWord seen) const {
    if (!seen.is_free()) return false;
    BufferState away = BufferState::kAway;
    // acquire <- buffer.leave, slab.retire: whatever made it kAway is visible
    // to the two loads below. relaxed on failure: nothing was learnt.
    if (!states_[line].compare_exchange_strong(away, BufferState::kJudged,
                                               std::memory_order_acquire,
                                               std::memory_order_relaxed)) {
      return false;
    }
    // acquire <- word.free: as above.
    const BufferWord again(word.load(std::memory_order_acquire));
    // acquire <- slab.create: what the code says is true of the states too.
    const GranuleCode code =
        codes_[line / kLinesPerGranule].load(std::memory_order_acquire);
    if (again == seen && code == CodeOf(size_class)) [[likely]] {
      // relaxed: the buffer is this thread's alone
      states_[line].store(BufferState::kCached, std::memory_order_relaxed);
      return true;
    }
    // release -> buffer.leave, slab.retire: hands on what we have acquired.
    states_[line].store(BufferState::kAway, std::memory_order_release);
    return false;
  }
  // kAway -> kLive (or kTaken), for a buffer that nobody else can be about to
  // take; waits for threads of ours that are just finding that out, or that are
  // just giving it away. False: it is not away, so the word that said so was
  // forged.
  bool Recall(std::uint32_t line, BufferState to = BufferState::kLive) const;

 private:
  PrivateMapping states_memory_;
  PrivateMapping codes_memory_;
  std::atomic<BufferState>* states_ = nullptr;
  std::atomic<GranuleCode>* codes_ = nullptr;
  std::uint32_t line_count_ = 0;
};
static_assert(std::atomic<BufferState>::is_always_lock_free);
static_assert(sizeof(std::atomic<BufferState>) == 1);

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_PRIVATE_TABLES_H_
