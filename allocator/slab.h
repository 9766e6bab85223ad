// The slabs that this process owns: granules cut into buffers of one class.
#ifndef ZCB_ALLOCATOR_SLAB_H_
#define ZCB_ALLOCATOR_SLAB_H_

#include <cstdint>
#include <mutex>
#include <span>
#include <type_traits>

#include "allocator/private_mapping.h"
#include "allocator/private_tables.h"
#include "allocator/shared_tables.h"
#include "allocator/unit_table.h"
#include "allocator/zero_mutex.h"

namespace zcb::alloc {

struct BufferCounts {
  std::uint64_t live = 0, cached = 0, away = 0;
};

// Per class: all slabs in a ring, those with free buffers in a second ring, and
// per slab a map of the free buffers that are in no magazine and not in the
// depot. All of it private and gone with the process; what others may rely on
// are the granule words, written before the first buffer can leave.
//
// Thread-safe: one lock per class, held over no system call. A thread holding
// one may take the unit table's lock, never the other way round.
//
// word          written by           read by         edge
// granule word  us, the unit owner   LocateBuffer()  granule.publish
// hint byte     whoever turned the   us              hint.set
//               word Free; us (0)
class SlabTable {
 public:
  SlabTable(const SharedTables& shared, const PrivateTables& tables,
            UnitTable& units);
  bool ok() const { return memory_.ok() && maps_memory_.ok(); }

  // Cuts granules that nobody else has into a slab with every buffer free.
  // Its words must be committed.
  void Create(const SlabShape& slab);
  // A slab found in an adopted unit: the buffers whose word is Free are ours,
  // the others come back by their hint. Its words must be committed.
  void Adopt(const SlabShape& slab);

  // Moves up to out.size() free buffers to `out`; how many. When there are not
  // enough, looks through up to `hint_lines` lines of hints first.
  std::uint32_t Take(std::uint32_t size_class, std::span<std::uint32_t> out,
                     std::uint32_t hint_lines);
  // Buffers (kCached) of this class return to their slabs. Slabs that have
  // every buffer again are dissolved, all but a few.
  void Put(std::uint32_t size_class, std::span<const std::uint32_t> lines);

  // Takes what came back: by all hints, and with `words` by the words
  // themselves (a crash between word and hint loses a hint, never a buffer).
  // How many buffers.
  std::uint32_t Collect(std::uint32_t size_class, bool words);
  // Dissolves every slab of the class that has all its buffers; how many.
  std::uint32_t DissolveEmpty(std::uint32_t size_class);

  // Exact while nobody allocates. Reads every buffer's private byte.
  BufferCounts Count(std::uint32_t size_class);

  // For audits and debug builds: whether rings, maps, counts and states of a
  // class agree. Looks at so many slabs at most.
  bool IsConsistent(std::uint32_t size_class, std::uint32_t most_slabs);
  // For audits: calls visit(SlabShape, span of the map's words) for each slab,
  // with the class's lock held.
  template <typename Visit>
  void ForEachSlab(std::uint32_t size_class, Visit visit) {
    ClassState& state = classes_[size_class];
    const std::lock_guard lock(state.mutex);
    if (!state.first) return;
    std::uint32_t head = *state.first;
    for (std::uint32_t i = 0; i < shared_.granule_count(); ++i) {
      visit(SlabShape{size_class, head},
            std::span<const std::uint64_t>(map(head), kMapWords));
      head = slabs_[head].next;
      if (head == *state.first) break;
    }
  }

 private:
  static constexpr std::uint32_t kMapWords = kLinesPerGranule / 64;
  // A slab's head granule, or none, which is what fresh memory says.
  class Head {
   public:
    Head() = default;
    void Set(std::uint32_t head) { plus_one_ = head + 1; }
    void Clear() { plus_one_ = 0; }
    explicit operator bool() const { return plus_one_ != 0; }
    std::uint32_t operator*() const { return plus_one_ - 1; }
    bool Is(std::uint32_t head) const { return plus_one_ == head + 1; }

   private:
    std::uint32_t plus_one_;
  };
  // By head granule; links are head granules too.
  struct Slab {
    std::uint32_t next, previous;            // all slabs of the class
    std::uint32_t next_free, previous_free;  // those with free buffers
    std::uint32_t free_count;                // in the map
  };
  // Never constructed: it lies in a mapping, where those of classes that are
  // not used cost nothing. Trivial, and zero is what it starts with.
  struct ClassState {
    ZeroMutex mutex;
    Head first;                 // of all slabs
    Head first_free;            // of those with free buffers
    Head cursor;                // where the hint scan goes on
    std::uint32_t empty_count;  // slabs that have every buffer
  };
  static_assert(std::is_trivially_default_constructible_v<ClassState>);
  using Link = std::uint32_t Slab::*;

  // All with the class's lock held.
  void Insert(Head& first, std::uint32_t head, Link next, Link previous,
              bool at_front);
  void Unlink(Head& first, std::uint32_t head, Link next, Link previous);
  void Register(const SlabShape& slab);
  void PutOne(ClassState& state, const SlabShape& slab, std::uint32_t index);
  std::uint32_t TakeMapped(ClassState& state, std::uint32_t size_class,
                           std::span<std::uint32_t> out);
  std::uint32_t ScanHints(ClassState& state, const SlabShape& slab);
  std::uint32_t ScanWords(ClassState& state, const SlabShape& slab);
  void ScanFromCursor(ClassState& state, std::uint32_t size_class,
                      std::uint32_t wanted, std::uint32_t hint_lines);
  void Dissolve(ClassState& state, const SlabShape& slab);
  // slab_checks.cc
  bool IsSlabConsistent(const SlabShape& slab) const;
  bool IsClassConsistent(const ClassState& state, std::uint32_t size_class,
                         std::uint32_t most_slabs) const;
  // Paranoid builds: at the beginning and at the end of what changes a class.
  void CheckClass(const ClassState& state, std::uint32_t size_class) const;

  std::uint64_t* map(std::uint32_t head) const {
    return maps_ + std::size_t{head} * kMapWords;
  }

  const SharedTables& shared_;
  const PrivateTables& tables_;
  UnitTable& units_;
  PrivateMapping memory_;
  PrivateMapping maps_memory_;
  ClassState* classes_ = nullptr;  // in memory_
  Slab* slabs_ = nullptr;          // behind them
  std::uint64_t* maps_ = nullptr;
};

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_SLAB_H_
