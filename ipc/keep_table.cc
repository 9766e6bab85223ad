#include "ipc/keep_table.h"

#include <algorithm>

#include "allocator/buffer_word.h"

namespace zcb::ipc {

using alloc::BufferRef;
using alloc::BufferWord;

Result<std::unique_ptr<KeepTable>> KeepTable::Make(
    std::shared_ptr<alloc::Region> region, const IpcGeometry& geometry) {
  std::unique_ptr<KeepTable> table(new KeepTable);
  table->region_ = std::move(region);
  table->geometry_ = geometry;
  table->refs_.resize(geometry.keep_count, 0);
  return table;
}

std::atomic<std::uint64_t>* KeepTable::Records(std::uint16_t slot) const {
  return region_->meta<std::atomic<std::uint64_t>>(
      geometry_.keeps_offset + geometry_.keep_bytes_per_lease * slot);
}

std::uint32_t KeepTable::RecordHigh(std::uint16_t slot) const {
  // seq_cst <-> keep.high: raised before the record it covers is written
  const std::uint64_t high =
      region_->lease_record(slot).client_word.load(std::memory_order_seq_cst);
  return static_cast<std::uint32_t>(
      std::min<std::uint64_t>(high, geometry_.keep_count));
}

// The number is somebody else's: never touch a page that is not there.
std::uint32_t KeepTable::ReadableRecords(std::uint16_t slot) const {
  const std::uint32_t high = RecordHigh(slot);
  const Outcome backed = region_->CommitMeta(
      geometry_.keeps_offset + geometry_.keep_bytes_per_lease * slot,
      std::uint64_t{high} * sizeof(std::uint64_t));
  return backed ? high : 0;
}

bool KeepTable::HasRecord(std::uint16_t slot, KeepRecord record) const {
  const std::uint32_t high = ReadableRecords(slot);
  for (std::uint32_t i = 0; i < high; ++i) {
    // seq_cst <-> keep.dekker: as AnyoneHolds()
    if (Records(slot)[i].load(std::memory_order_seq_cst) == record.raw()) {
      return true;
    }
  }
  return false;
}

Outcome KeepTable::Keep(const alloc::Allocator& allocator, BufferRef ref,
                        std::uint32_t group_slot, std::uint64_t position) {
  const auto place = allocator.Locate(ref);
  if (!place) return {Status::kInvalidParam, "no buffer starts there"};
  const alloc::LeaseId lease = region_->lease();
  std::uint32_t index = 0;
  {
    const std::lock_guard lock(mutex_);
    if (in_use_ == geometry_.keep_count) {
      return {Status::kNoResources, "every keep record is in use"};
    }
    while (refs_[index] != 0) ++index;
    auto& high = region_->lease_record(lease.slot).client_word;
    if (high.load(std::memory_order_relaxed) <= index) {  // our own word
      const Outcome committed = region_->CommitMeta(
          geometry_.keeps_offset + geometry_.keep_bytes_per_lease * lease.slot,
          (std::uint64_t{index} + 1) * sizeof(std::uint64_t));
      if (!committed) return committed;
      // seq_cst <-> keep.high: readers look at the record from now on
      high.store(index + 1, std::memory_order_seq_cst);
    }
    refs_[index] = ref.line() + 1;
    ++in_use_;
  }
  std::atomic<std::uint64_t>& record = Records(lease.slot)[index];
  // seq_cst <-> keep.dekker: the record stands before the word says kept
  record.store(KeepRecord::Hold(lease.generation, ref).raw(),
               std::memory_order_seq_cst);
  for (;;) {
    // seq_cst <-> keep.dekker: the message is still in the ring
    std::uint64_t raw = place->word->load(std::memory_order_seq_cst);
    const BufferWord word(raw);
    if (!word.IsSentAs(group_slot, position)) break;
    if (word.kept()) return {};
    // seq_cst <-> keep.dekker: a reclaimer sees kept, or we fail. Only other
    // receivers that keep it can make this fail, each of them once.
    if (place->word->compare_exchange_strong(raw, word.Keep().raw(),
                                             std::memory_order_seq_cst,
                                             std::memory_order_seq_cst)) {
      return {};
    }
  }
  // release -> keep.dekker: held nothing after all
  record.store(0, std::memory_order_release);
  const std::lock_guard lock(mutex_);
  refs_[index] = 0;
  --in_use_;
  return {Status::kLibrary, "the message left the ring under its reader"};
}

Outcome KeepTable::LetGo(alloc::Allocator* allocator, BufferRef ref) {
  std::uint32_t index = 0;
  {
    // Taken out first: two threads that let the same keep go find it once.
    const std::lock_guard lock(mutex_);
    const auto found = std::ranges::find(refs_, ref.line() + 1);
    if (found == refs_.end()) {
      return {Status::kInvalidParam, "this process keeps no such message"};
    }
    index = static_cast<std::uint32_t>(found - refs_.begin());
    *found = kLetting;
  }
  const alloc::LeaseId lease = region_->lease();
  std::atomic<std::uint64_t>& record = Records(lease.slot)[index];
  // seq_cst <-> keep.dekker: stops holding before we look who still holds
  record.store(KeepRecord::Hold(lease.generation, ref).LetGo().raw(),
               std::memory_order_seq_cst);
  FreeIfLast(allocator, ref);
  // release -> keep.dekker: the record is free
  record.store(0, std::memory_order_release);
  const std::lock_guard lock(mutex_);
  refs_[index] = 0;
  --in_use_;
  return {};
}

void KeepTable::FreeIfLast(alloc::Allocator* allocator, BufferRef ref) const {
  const auto place = allocator->Locate(ref);
  if (!place) return;
  // seq_cst <-> keep.dekker: Sent means that whoever reclaims will look at the
  // records after us
  std::uint64_t raw = place->word->load(std::memory_order_seq_cst);
  const BufferWord word(raw);
  if (word.state() != BufferWord::State::kRetained || AnyoneHolds(ref)) return;
  // seq_cst <-> keep.dekker, release -> word.free: the payload was read to
  // its end; failure relaxed: another one freed it
  if (place->word->compare_exchange_strong(raw, word.Free().raw(),
                                           std::memory_order_seq_cst,
                                           std::memory_order_relaxed)) {
    allocator->ComeBack(*place);
  }
}

bool KeepTable::AnyoneHolds(BufferRef ref) const {
  const std::uint16_t leases = region_->LeaseHighWater();
  for (std::uint16_t slot = 0; slot < leases; ++slot) {
    const std::uint32_t high = RecordHigh(slot);
    if (high == 0) continue;
    // The number is somebody else's: never touch a page that is not there.
    if (!region_->CommitMeta(
            geometry_.keeps_offset + geometry_.keep_bytes_per_lease * slot,
            std::uint64_t{high} * sizeof(std::uint64_t))) {
      return true;  // cannot tell: rather keep than free
    }
    const std::atomic<std::uint64_t>* records = Records(slot);
    for (std::uint32_t i = 0; i < high; ++i) {
      // seq_cst <-> keep.dekker: who keeps wrote this before the word
      if (KeepRecord(records[i].load(std::memory_order_seq_cst)).holds(ref)) {
        return true;
      }
    }
  }
  return false;
}

void KeepTable::ReapKeeps(alloc::Allocator* allocator, alloc::LeaseId dead) {
  const std::uint32_t high = RecordHigh(dead.slot);
  if (high == 0 ||
      !region_->CommitMeta(
          geometry_.keeps_offset + geometry_.keep_bytes_per_lease * dead.slot,
          std::uint64_t{high} * sizeof(std::uint64_t))) {
    return;
  }
  std::atomic<std::uint64_t>* records = Records(dead.slot);
  for (std::uint32_t i = 0; i < high; ++i) {
    // seq_cst <-> keep.dekker: as the dead process left it
    std::uint64_t raw = records[i].load(std::memory_order_seq_cst);
    const KeepRecord record(raw);
    // A newer generation is a new process's: none of our business.
    if (record.is_empty() || record.lease_generation() != dead.generation) {
      continue;
    }
    const KeepRecord letting = record.LetGo();
    // seq_cst <-> keep.dekker: holding -> letting, as its process would have;
    // failure: another reaper did it, which is as good
    records[i].compare_exchange_strong(raw, letting.raw(),
                                       std::memory_order_seq_cst,
                                       std::memory_order_seq_cst);
    FreeIfLast(allocator, record.ref());
    raw = letting.raw();
    // release -> keep.dekker: only from the dead process's own value
    records[i].compare_exchange_strong(raw, 0, std::memory_order_release,
                                       std::memory_order_relaxed);
  }
}

void KeepTable::LetAllGo(alloc::Allocator* allocator) {
  for (;;) {
    BufferRef ref;
    {
      const std::lock_guard lock(mutex_);
      const auto kept = std::ranges::find_if(refs_, [](std::uint32_t line) {
        return line != 0 && line != kLetting;
      });
      if (kept == refs_.end()) return;
      ref = BufferRef(*kept - 1);
    }
    (void)LetGo(allocator, ref);  // another thread may be first: as good
  }
}

std::uint64_t KeepTable::KeptByThisProcess() {
  const std::lock_guard lock(mutex_);
  return in_use_;
}

}  // namespace zcb::ipc
