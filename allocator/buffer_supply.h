// Where buffers come from when a magazine is empty, and go when it is full.
#ifndef ZCB_ALLOCATOR_BUFFER_SUPPLY_H_
#define ZCB_ALLOCATOR_BUFFER_SUPPLY_H_

#include <atomic>
#include <cstdint>
#include <optional>
#include <span>

#include "allocator/allocator_options.h"
#include "allocator/buffer_place.h"
#include "allocator/depot.h"
#include "allocator/extent.h"
#include "allocator/private_tables.h"
#include "allocator/slab.h"
#include "allocator/status.h"
#include "allocator/thread_cache.h"
#include "allocator/touched_map.h"
#include "allocator/unit_table.h"
#include "allocator/wiped_object.h"

namespace zcb::alloc {

// The order in which memory is looked for is the whole policy of the slow path:
//
//   1 depot                      5 an abandoned unit, then a free one
//   2 free maps, then hints      6 the dead are reaped, by the layer above or
//   3 a new slab in our units      without it
//   4 the layer above gives      7 everything that lies about here (Gather),
//     back what it can; large      words whose hint was lost too; 1, 2, 3, 5
//     buffers kept at hand are
//     cut anew
//
// Thread-safe. No lock is held over a system call or over the hook.
class BufferSupply : public WipedObject<BufferSupply> {
 public:
  BufferSupply(Region& region, const AllocatorOptions& options);
  bool ok() const;

  // One buffer of the class, kCached and the caller's; more of them may go to
  // the thread's magazine.
  Result<std::uint32_t> Obtain(std::uint32_t size_class);
  Result<BufferRef> ObtainExtent(ExtentSize size);
  void FreeExtent(std::uint32_t line);
  // A kCached buffer of the caller's: into its magazine, or further down.
  void Store(std::uint32_t line, std::uint32_t size_class);

  // The buffer of ours that starts at a line, by the private tables alone.
  [[gnu::always_inline]] std::optional<BufferPlace> OwnPlace(
      std::uint32_t line) {
    const PrivateTables::Start start = tables_.StartAt(line);
    if (!start.ok()) [[unlikely]]
      return std::nullopt;
    if (start.slab.size_class == kExtentClass) [[unlikely]] {
      return OwnExtent(line);
    }
    return PlaceAt(shared_, start.slab, start.index);
  }
  // The buffer that starts at a line below line_count(): ours by the private
  // tables, others by the shared words.
  std::optional<BufferPlace> Locate(BufferRef ref) {
    // relaxed: one of our own, or OwnPlace() says no and so does the region
    if (tables_.code(ref.granule()).load(std::memory_order_relaxed) !=
        kNoCode) {
      return OwnPlace(ref.line());
    }
    return LocateBuffer(shared_, ref);
  }
  // See Allocator.
  void ComeBack(const BufferPlace& place);
  void Collect();
  std::uint64_t Trim(std::uint64_t keep_bytes);
  // The end: everything goes back, or is left for others to adopt.
  void Leave();
  // The same for a damaged region: touches nothing of it.
  void Forsake();

  LeaseId lease() const { return lease_; }
  std::byte* PointerTo(BufferRef ref) const {
    return shared_.region().data() + ref.offset_bytes();
  }
  const SharedTables& shared() const { return shared_; }
  const PrivateTables& tables() const { return tables_; }
  SlabTable& slabs() { return slabs_; }
  UnitTable& units() { return units_; }
  ExtentTable& extents() { return extents_; }
  ThreadCacheSet& caches() { return caches_; }
  TouchedMap& touched() { return touched_; }
  Depot& depot() { return depot_; }

  using Hook = bool (*)(void* context, bool last_resort);
  void SetHook(Hook hook, void* context);

 private:
  std::optional<BufferPlace> OwnExtent(std::uint32_t line);
  // A buffer of ours whose word is Free: home, if this thread wins it.
  bool TryBringHome(std::uint32_t line);
  std::uint32_t TakeBatch(std::uint32_t size_class,
                          std::span<std::uint32_t> out);
  bool MakeSlab(std::uint32_t size_class);
  Outcome AddUnit(UnitTable::Want want);
  bool AskHook(bool last_resort);
  // All that lies about. The words are looked at only now and then, unless
  // there is a reason.
  void Gather(ThreadCache* cache, bool scan_words);
  // Lets go of what others want or nobody needs. Under no lock; see UnitTable.
  void Settle();
  // Gives back whole units that hide in what we cache and in what nobody has
  // adopted yet.
  void GatherUnits(bool scan_words);
  void Absorb(std::uint32_t size_class, std::span<const std::uint32_t> lines);
  void EmptyDepot();
  std::uint32_t EmptyShelf(std::uint32_t size_class);
  void EmptyCache(ThreadCache& cache);
  static std::uint32_t EmptyMagazine(ThreadCache& cache,
                                     std::uint32_t size_class,
                                     std::span<std::uint32_t> out);
  // What free buffers above a granule lie in this thread's magazines and in the
  // depot goes home to their slabs. False: there were none.
  bool DissolveLarge(ThreadCache* cache);
  bool MayScanWords();

  SharedTables shared_;
  LeaseId lease_;
  PrivateTables tables_;
  UnitTable units_;
  SlabTable slabs_;
  ExtentTable extents_;
  TouchedMap touched_;
  Depot depot_;
  ThreadCacheSet caches_;
  std::atomic<Hook> hook_{nullptr};
  void* hook_context_ = nullptr;  // before hook_, and never again
  std::atomic<std::int64_t> next_word_scan_ns_{0};
};

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_BUFFER_SUPPLY_H_
