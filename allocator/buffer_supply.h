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
#include "allocator/unit_table.h"

namespace zcb::alloc {

// The order in which memory is looked for is the whole policy of the slow path:
//
//   1 depot                      4 the layer above gives back what it can
//   2 free maps, then hints      5 an abandoned unit, then a free one
//   3 a new slab in our units    6 everything that lies about here (Gather)
//
// Thread-safe. No lock is held over a system call or over the hook.
class BufferSupply {
 public:
  BufferSupply(Region& region, const AllocatorOptions& options);
  bool ok() const;

  // One buffer of the class, kCached and the caller's; more of them may go to
  // the thread's magazine.
  Result<std::uint32_t> Obtain(std::uint32_t size_class);
  Result<BufferRef> ObtainExtent(ExtentSize size);
  // A kCached buffer of the caller's: into its magazine, or further down.
  void Store(std::uint32_t line, std::uint32_t size_class);

  // The buffer of ours that starts at a line, by the private tables alone.
  std::optional<BufferPlace> OwnPlace(std::uint32_t line);
  // See Allocator.
  void ComeBack(const BufferPlace& place);
  void Collect();
  // The end: everything goes back, or is left for others to adopt.
  void Leave();

  const SharedTables& shared() const { return shared_; }
  const PrivateTables& tables() const { return tables_; }
  SlabTable& slabs() { return slabs_; }
  UnitTable& units() { return units_; }
  ExtentTable& extents() { return extents_; }
  ThreadCacheSet& caches() { return caches_; }

  using Hook = bool (*)(void* context, bool last_resort);
  void SetHook(Hook hook, void* context);

 private:
  // A buffer of ours whose word is Free: home, if this thread wins it.
  bool TryBringHome(std::uint32_t line);
  std::uint32_t TakeBatch(std::uint32_t size_class,
                          std::span<std::uint32_t> out);
  bool MakeSlab(std::uint32_t size_class);
  Outcome AddUnit(UnitTable::Want want);
  bool AskHook(bool last_resort);
  void Gather(ThreadCache* cache);
  void Absorb(std::uint32_t size_class, std::span<const std::uint32_t> lines);
  void EmptyDepot();
  void EmptyCache(ThreadCache& cache);
  bool MayScanWords();

  SharedTables shared_;
  LeaseId lease_;
  PrivateTables tables_;
  UnitTable units_;
  SlabTable slabs_;
  ExtentTable extents_;
  Depot depot_;
  ThreadCacheSet caches_;
  std::atomic<Hook> hook_{nullptr};
  void* hook_context_ = nullptr;  // before hook_, and never again
  std::atomic<std::int64_t> next_word_scan_ns_{0};
};

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_BUFFER_SUPPLY_H_
