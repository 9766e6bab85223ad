// Keep records: which processes hold which received buffers beyond the ring.
//
// word         written by                  read by       edge
// record       its process; after its      everybody     keep.dekker
//              death its reapers (CAS)
// client_word  its process (grows only):   everybody     keep.high
//              records below it were used
//
// All of a pair "record, then buffer word" and "buffer word, then records" is
// seq_cst, on both sides and between two that let go: of a process that keeps
// and one that reclaims at least one sees the other.
#ifndef ZCB_IPC_KEEP_TABLE_H_
#define ZCB_IPC_KEEP_TABLE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "allocator/allocator.h"
#include "allocator/buffer_ref.h"
#include "allocator/region.h"
#include "allocator/status.h"
#include "ipc/ipc_layout.h"
#include "ipc/keep_record.h"

namespace zcb::ipc {

// Thread-safe; one per process and region. The mutex is private to the process
// and held for a few instructions; nothing here waits for another process.
class KeepTable {
 public:
  static Result<std::unique_ptr<KeepTable>> Make(
      std::shared_ptr<alloc::Region> region, const IpcGeometry& geometry);

  // Keeps the buffer of message `position` of a group, whose slot the caller's
  // cursor still gates. kNoResources: every record is in use. kLibrary: the
  // message is not there any more (evicted). kInvalidParam: no such buffer.
  Outcome Keep(const alloc::Allocator& allocator, alloc::BufferRef ref,
               std::uint32_t group_slot, std::uint64_t position);
  // Lets one keep of `ref` by this process go. kInvalidParam: it keeps none.
  Outcome LetGo(alloc::Allocator* allocator, alloc::BufferRef ref);
  // Lets go of everything that this process keeps: it detaches.
  void LetAllGo(alloc::Allocator* allocator);
  // Lets go whatever a Dead lease kept. Idempotent, by any number of reapers.
  void ReapKeeps(alloc::Allocator* allocator, alloc::LeaseId dead);

  // True if a living (or not yet reaped) process holds the buffer.
  bool AnyoneHolds(alloc::BufferRef ref) const;
  std::uint64_t KeptByThisProcess();

  // For audits: calls visit(lease slot, record) for each record in use.
  template <typename Visit>
  void ForEachRecord(Visit visit) const {
    const std::uint16_t leases = region_->LeaseHighWater();
    for (std::uint16_t slot = 0; slot < leases; ++slot) {
      const std::uint32_t high = ReadableRecords(slot);
      for (std::uint32_t i = 0; i < high; ++i) {
        // seq_cst <-> keep.dekker: as AnyoneHolds()
        const KeepRecord record(
            Records(slot)[i].load(std::memory_order_seq_cst));
        if (!record.is_empty()) visit(slot, record);
      }
    }
  }
  // Whether a lease has exactly that record.
  bool HasRecord(std::uint16_t lease_slot, KeepRecord record) const;

 private:
  KeepTable() = default;
  std::atomic<std::uint64_t>* Records(std::uint16_t lease_slot) const;
  std::uint32_t RecordHigh(std::uint16_t lease_slot) const;
  // The same, made sure to be backed by memory; 0: they cannot be.
  std::uint32_t ReadableRecords(std::uint16_t lease_slot) const;
  // What letting go and reaping share: a record already marked as letting.
  void FreeIfLast(alloc::Allocator* allocator, alloc::BufferRef ref) const;

  std::shared_ptr<alloc::Region> region_;
  IpcGeometry geometry_;
  std::mutex mutex_;  // guards the two below
  static constexpr std::uint32_t kLetting = ~std::uint32_t{0};
  // line + 1 of record i; 0 = free, kLetting = just being let go
  std::vector<std::uint32_t> refs_;
  std::uint32_t in_use_ = 0;
};

}  // namespace zcb::ipc

#endif  // ZCB_IPC_KEEP_TABLE_H_
