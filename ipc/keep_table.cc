#include "ipc/keep_table.h"

#include <algorithm>

#include "allocator/buffer_word.h"
#include "ipc/entry_word.h"
#include "ipc/group_view.h"

namespace zcb::ipc {

using alloc::BufferRef;
using alloc::BufferWord;

Result<std::unique_ptr<KeepTable>> KeepTable::Make(
    std::shared_ptr<alloc::Region> region, const IpcGeometry& geometry) {
  std::unique_ptr<KeepTable> table(new KeepTable);
  table->region_ = std::move(region);
  table->geometry_ = geometry;
  // They grow as records are used, and cannot fail then.
  table->payloads_ = alloc::ReservedList<const std::byte*>(geometry.keep_count);
  table->kept_ = alloc::ReservedList<Kept>(geometry.keep_count);
  table->free_records_ =
      alloc::ReservedList<std::uint32_t>(geometry.keep_count);
  if (!table->payloads_.ok() || !table->kept_.ok() ||
      !table->free_records_.ok()) {
    return Failure{Status::kNoMemory, "no private memory"};
  }
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

// --- private books -----------------------------------------------------------

std::uint32_t KeepTable::IndexOf(const void* payload) const {
  if (payload == nullptr) return kNone;
  const auto found = std::ranges::find(payloads_, payload);
  return found == payloads_.end()
             ? kNone
             : static_cast<std::uint32_t>(found - payloads_.begin());
}

Outcome KeepTable::CheckLimits(std::uint64_t length_bytes) const {
  if (usage_.messages >= geometry_.keep_count) {
    return {Status::kNoResources, "every keep record is in use"};
  }
  if (byte_limit_ != 0 && (usage_.bytes > byte_limit_ ||
                           length_bytes > byte_limit_ - usage_.bytes)) {
    return {Status::kNoResources, "too many bytes are kept"};
  }
  return {};
}

void KeepTable::Account(std::uint64_t length_bytes) {
  ++usage_.messages;
  usage_.bytes += length_bytes;
}

Outcome KeepTable::CountAgain(std::uint32_t index) {
  Kept& kept = kept_[index];
  const Outcome fits = CheckLimits(kept.length_bytes);
  if (!fits) return fits;
  ++kept.count;
  Account(kept.length_bytes);
  return {};
}

Result<std::uint32_t> KeepTable::TakeRecord() {
  // Borrowed ones do not use up records, so there is one within the limits. A
  // new one only when none is free: what others look through stays short.
  const bool is_new = free_records_.empty();
  const auto index = is_new ? static_cast<std::uint32_t>(payloads_.size())
                            : free_records_.back();
  const std::uint16_t slot = region_->lease().slot;
  auto& high = region_->lease_record(slot).client_word;
  if (high.load(std::memory_order_relaxed) <= index) {  // our own word
    const Outcome committed = region_->CommitMeta(
        geometry_.keeps_offset + geometry_.keep_bytes_per_lease * slot,
        (std::uint64_t{index} + 1) * sizeof(std::uint64_t));
    if (!committed) return committed.failure();
    // seq_cst <-> keep.high: readers look at the record from now on
    high.store(index + 1, std::memory_order_seq_cst);
  }
  if (is_new) {
    payloads_.push_back(nullptr);
    kept_.push_back({});
  } else {
    free_records_.pop_back();
  }
  return index;
}

KeepTable::Usage KeepTable::ReadUsage() {
  const std::lock_guard lock(mutex_);
  return usage_;
}

void KeepTable::SetByteLimit(std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  byte_limit_ = bytes;
}

std::uint64_t KeepTable::ByteLimit() {
  const std::lock_guard lock(mutex_);
  return byte_limit_;
}

// --- keep --------------------------------------------------------------------

namespace {

constexpr Failure kEvicted{Status::kLibrary,
                           "evicted: it may be another message by now"};

}  // namespace

Outcome KeepTable::Keep(alloc::Allocator* allocator,
                        const BegunMessage& message) {
  const auto place = allocator->Locate(message.buffer);
  if (!place && !StillGates(message)) return kEvicted;  // it is gone for good
  if (!place) return {Status::kInvalidParam, "no buffer starts there"};
  std::uint32_t index = 0;
  {
    const std::lock_guard lock(mutex_);
    if (const std::uint32_t again = IndexOf(message.payload); again != kNone) {
      return CountAgain(again);
    }
    if (const Outcome fits = CheckLimits(message.length_bytes); !fits) {
      return fits;
    }
    const auto taken = TakeRecord();
    if (!taken) return taken.failure();
    index = *taken;
    kept_[index] = {message.buffer, 1, message.length_bytes};
    Account(message.length_bytes);
  }
  const alloc::LeaseId lease = region_->lease();
  // seq_cst <-> keep.dekker: the record stands before the word says kept
  Records(lease.slot)[index].store(
      KeepRecord::Hold(lease.generation, message.buffer).raw(),
      std::memory_order_seq_cst);
  for (;;) {
    // seq_cst <-> keep.dekker: the message is still in the ring
    std::uint64_t raw = place->word->load(std::memory_order_seq_cst);
    const BufferWord word(raw);
    if (!word.IsSentAs(message.group_slot, message.position)) {
      // As if kept and let go: somebody may have counted on our record.
      DropRecord(allocator, index);
      return {Status::kLibrary, "the message left the ring under its reader"};
    }
    if (word.kept()) break;
    // seq_cst <-> keep.dekker: a reclaimer sees kept, or we fail. Only other
    // receivers that keep it can make this fail, each of them once.
    if (place->word->compare_exchange_strong(raw, word.Keep().raw(),
                                             std::memory_order_seq_cst,
                                             std::memory_order_seq_cst)) {
      break;
    }
  }
  if (!StillGates(message)) {
    DropRecord(allocator, index);
    return kEvicted;
  }
  if (region_->IsDamaged()) {
    DropRecord(allocator, index);
    return alloc::Region::kTruncated;
  }
  const std::lock_guard lock(mutex_);
  payloads_[index] = message.payload;
  return {};
}

// The buffer's word has 16 bits of the position: they name one message only as
// long as our cursor is in the way of the ring. If it still is now, it was when
// the word became kept.
bool KeepTable::StillGates(const BegunMessage& message) const {
  if (message.entry >= geometry_.entry_count ||
      message.group_slot >= geometry_.group_count) {
    return false;
  }
  const EntryState& entry =
      GroupView(*region_, geometry_, message.group_slot).entry(message.entry);
  // seq_cst <-> member.evict: not evicted, hence nothing was given back that we
  // gate; also acquire <- member.claim: the cursor is of this membership
  const EntryWord word(entry.word.load(std::memory_order_seq_cst));
  // relaxed: of our process; a later membership of it, in the same entry, began
  // behind the message
  return word.phase() == EntryWord::Phase::kMember &&
         word.lease() == region_->lease() &&
         entry.cursor.load(std::memory_order_relaxed) <= message.position;
}

Outcome KeepTable::KeepAgain(const void* payload) {
  const std::lock_guard lock(mutex_);
  const std::uint32_t index = IndexOf(payload);
  if (index == kNone) {
    return {Status::kInvalidParam, "this process keeps no such message"};
  }
  return CountAgain(index);
}

Result<std::uint64_t> KeepTable::Borrow(const void* payload) {
  const std::lock_guard lock(mutex_);
  const std::uint32_t index = IndexOf(payload);
  if (index == kNone) {
    return {Status::kInvalidParam, "this process keeps no such message"};
  }
  ++kept_[index].count;
  Account(kept_[index].length_bytes);
  return kept_[index].length_bytes;
}

// --- let go ------------------------------------------------------------------

Outcome KeepTable::LetGo(alloc::Allocator* allocator, const void* payload) {
  std::uint32_t index = 0;
  {
    const std::lock_guard lock(mutex_);
    index = IndexOf(payload);
    if (index == kNone) {
      return {Status::kInvalidParam, "this process keeps no such message"};
    }
    if (kept_[index].count > 1) {
      --kept_[index].count;
      --usage_.messages;
      usage_.bytes -= kept_[index].length_bytes;
      return {};
    }
    // Taken out first: two threads that let the same keep go find it once, and
    // who keeps it again comes before this, or makes a record of its own.
    payloads_[index] = nullptr;
  }
  DropRecord(allocator, index);
  return {};
}

void KeepTable::DropRecord(alloc::Allocator* allocator, std::uint32_t index) {
  const alloc::LeaseId lease = region_->lease();
  // Ours alone to change.
  const BufferRef ref = kept_[index].buffer;
  std::atomic<std::uint64_t>& record = Records(lease.slot)[index];
  // Damaged: who else holds it is not to be seen; our reaper will see it.
  if (region_->IsDamaged()) return ForgetRecord(index);
  // seq_cst <-> keep.dekker: stops holding before we look who still holds
  record.store(KeepRecord::Hold(lease.generation, ref).LetGo().raw(),
               std::memory_order_seq_cst);
  FreeIfLast(allocator, ref);
  // release -> keep.dekker: the record is free
  record.store(0, std::memory_order_release);
  ForgetRecord(index);
}

void KeepTable::ForgetRecord(std::uint32_t index) {
  const std::lock_guard lock(mutex_);
  --usage_.messages;
  usage_.bytes -= kept_[index].length_bytes;
  kept_[index] = {};
  free_records_.push_back(index);
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

bool KeepTable::ReapKeeps(alloc::Allocator* allocator, alloc::LeaseId dead) {
  const std::uint32_t high = ReadableRecords(dead.slot);
  if (high != RecordHigh(dead.slot)) return false;
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
  return true;
}

void KeepTable::LetAllGo(alloc::Allocator* allocator) {
  for (;;) {
    const std::byte* payload = nullptr;
    {
      const std::lock_guard lock(mutex_);
      const auto kept = std::ranges::find_if(
          payloads_, [](const std::byte* p) { return p != nullptr; });
      if (kept == payloads_.end()) return;
      payload = *kept;
    }
    (void)LetGo(allocator, payload);  // another thread may be first: as good
  }
}

}  // namespace zcb::ipc
