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
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>

#include "allocator/allocator.h"
#include "allocator/buffer_ref.h"
#include "allocator/region.h"
#include "allocator/reserved_list.h"
#include "allocator/status.h"
#include "allocator/wiped_object.h"
#include "ipc/begun_message.h"
#include "ipc/ipc_layout.h"
#include "ipc/keep_record.h"

namespace zcb::ipc {

// Thread-safe; one per process and region. The mutex is private to the process
// and held for a few instructions; nothing here waits for another process.
//
// However often a process keeps a message, it has one record, and counts in
// private memory. A second record would have to be written while the first is
// given up, perhaps, and who looks through the records in between could find
// neither.
class KeepTable : public alloc::WipedObject<KeepTable> {
 public:
  static Result<std::unique_ptr<KeepTable>> Make(
      std::shared_ptr<alloc::Region> region, const IpcGeometry& geometry);

  // Keeps a message that a cursor of this process still gates, or that this
  // process keeps already. kNoResources: too many keeps, or too many bytes.
  // kLibrary: the message is not there any more (evicted, or long since read).
  // kInvalidParam: no such buffer.
  Outcome Keep(alloc::Allocator* allocator, const BegunMessage& message);
  // Keeps once more what this process keeps. kInvalidParam: it does not.
  Outcome KeepAgain(const void* payload);
  // The same for a moment, beyond any limit; ends with LetGo(). The message's
  // length in bytes, or kInvalidParam.
  Result<std::uint64_t> Borrow(const void* payload);
  // Lets one keep by this process go. kInvalidParam: it keeps no message whose
  // payload starts there.
  Outcome LetGo(alloc::Allocator* allocator, const void* payload);
  // Lets go of everything that this process keeps: it detaches.
  void LetAllGo(alloc::Allocator* allocator);
  // Lets go whatever a Dead lease kept. Idempotent, by any number of reapers.
  // False: not all, for want of memory.
  bool ReapKeeps(alloc::Allocator* allocator, alloc::LeaseId dead);

  // True if a living (or not yet reaped) process holds the buffer.
  bool AnyoneHolds(alloc::BufferRef ref) const;

  // What this process keeps; a message that it keeps twice counts twice.
  struct Usage {
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;  // of payload
  };
  Usage ReadUsage();
  // Most bytes of payload that Keep() and KeepAgain() let this process keep; 0:
  // no such limit. What is kept stays.
  void SetByteLimit(std::uint64_t bytes);
  std::uint64_t ByteLimit();

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
  // Whether its reader was a member, and had not read on, until now.
  bool StillGates(const BegunMessage& message) const;
  // What letting go and reaping share: a record already marked as letting.
  void FreeIfLast(alloc::Allocator* allocator, alloc::BufferRef ref) const;

  // Under the mutex, these five. The index of a kept message, or kNone.
  std::uint32_t IndexOf(const void* payload) const;
  Outcome CheckLimits(std::uint64_t length_bytes) const;
  Outcome CountAgain(std::uint32_t index);
  // A record of our own, backed by memory and empty.
  Result<std::uint32_t> TakeRecord();
  void Account(std::uint64_t length_bytes);

  // Lets go of a record of our own that nobody else can find any more.
  void DropRecord(alloc::Allocator* allocator, std::uint32_t index);
  void ForgetRecord(std::uint32_t index);  // in the private books

  static constexpr std::uint32_t kNone = ~std::uint32_t{0};
  struct Kept {
    alloc::BufferRef buffer;
    std::uint32_t count = 0;
    std::uint64_t length_bytes = 0;
  };

  std::shared_ptr<alloc::Region> region_;
  IpcGeometry geometry_;
  std::mutex mutex_;  // guards what follows
  // By record. A payload is there while its message is kept: not while the
  // record is being made or let go.
  alloc::ReservedList<const std::byte*> payloads_;
  alloc::ReservedList<Kept> kept_;
  alloc::ReservedList<std::uint32_t> free_records_;
  Usage usage_;
  std::uint64_t byte_limit_ = 0;
};

}  // namespace zcb::ipc

#endif  // ZCB_IPC_KEEP_TABLE_H_
