// Putting right and giving back: what the dead left, what all have read, who
// waits for either. And the figures that people ask for.
#include "ipc/attachment.h"

#include <algorithm>

#include "allocator/cancel_shield.h"
#include "allocator/unit_word.h"
#include "ipc/bell_ringer.h"
#include "ipc/entry_word.h"
#include "ipc/reaper.h"
#include "ipc/reclaim.h"
#include "ipc/ring.h"

namespace zcb::ipc {
namespace {

using alloc::LeaseId;
using alloc::LeaseWord;

// Buffers of the whole region whose words are not Free. Slow: looks at every
// line of every unit in use.
std::uint64_t CountOut(const alloc::Allocator& allocator) {
  const alloc::Region& region = allocator.region();
  const auto* units =
      region.meta<std::atomic<std::uint64_t>>(region.geometry().units_offset);
  const std::uint32_t lines_per_unit = region.geometry().lines_per_unit();
  std::uint64_t out = 0;
  for (std::uint32_t unit = 0; unit < region.geometry().unit_count; ++unit) {
    // acquire <- unit.claim: its granule words are written
    const alloc::UnitWord word(units[unit].load(std::memory_order_acquire));
    if (word.kind() == alloc::UnitWord::Kind::kFree) continue;
    for (std::uint32_t line = 0; line < lines_per_unit; ++line) {
      const auto place =
          allocator.Locate(alloc::BufferRef(unit * lines_per_unit + line));
      // acquire <- word.free: a figure for people
      if (place &&
          !alloc::BufferWord(place->word->load(std::memory_order_acquire))
               .is_free()) {
        ++out;
      }
    }
  }
  return out;
}

}  // namespace

void Attachment::ReapIfGone(LeaseId lease) {
  if (lease == region_->lease()) return;
  if (region_->MarkDeadIfGone(lease)) (void)Reap(this, lease);
}

bool Attachment::ReapIfDead(std::uint16_t lease_slot) {
  const alloc::CancelShield shield;  // a reaping is not left half-way
  // acquire <- lease.attach: who it is
  const LeaseWord word(
      region_->lease_word(lease_slot).load(std::memory_order_acquire));
  const LeaseId lease{lease_slot, word.generation()};
  const bool has_gone =
      word.phase() == LeaseWord::Phase::kDead ||
      (word.phase() == LeaseWord::Phase::kAlive && lease != region_->lease() &&
       region_->MarkDeadIfGone(lease));
  return has_gone && Reap(this, lease);
}

bool Attachment::ReapAllDead() {
  bool reaped = false;
  const std::uint16_t high = region_->LeaseHighWater();
  for (std::uint16_t slot = 0; slot < high; ++slot) {
    if (ReapIfDead(slot)) reaped = true;
  }
  return reaped;
}

// Whoever is in the group and dead, so that the joiner's first view holds none
// of them; and some of the others, in turn: those that nobody watches, since
// they were alone or in no group. A look is a system call that goes through the
// locks of every process attached, so looking at all of them would make a join
// in a region of many processes as slow as the square of their number. Under
// memory pressure, and when a process attaches, everybody is looked at.
void Attachment::ReapBeforeJoin(const GroupView& group) {
  constexpr std::uint16_t kLooks = 16;
  const std::uint16_t high = region_->LeaseHighWater();
  const std::uint32_t entries = group.EntryHigh();
  for (std::uint32_t i = 0; i < entries; ++i) {
    // acquire <- member.claim: whose process it is
    const EntryWord word(group.entry(i).word.load(std::memory_order_acquire));
    if (word.gates() && word.lease().slot < high) ReapIfDead(word.lease().slot);
  }
  for (std::uint16_t i = 0; i < std::min(kLooks, high); ++i) {
    next_look_ = next_look_ + 1 < high ? next_look_ + 1 : 0;
    ReapIfDead(next_look_);
  }
}

bool Attachment::ReapLaggards(const GroupView& group) {
  const alloc::CancelShield shield;  // a reaping is not left half-way
  bool reaped = false;
  // acquire <- ring.reclaim: who stands here holds everybody back
  const std::uint64_t base =
      group.header().reclaimed.load(std::memory_order_acquire);
  const std::uint32_t high = group.EntryHigh();
  for (std::uint32_t i = 0; i < high; ++i) {
    EntryState& entry = group.entry(i);
    // acquire <- member.claim: whose cursor it is
    const EntryWord word(entry.word.load(std::memory_order_acquire));
    if (!word.gates() || word.lease() == region_->lease() ||
        word.lease().slot >= region_->geometry().lease_count ||
        // acquire <- ring.consume: where it stands
        entry.cursor.load(std::memory_order_acquire) > base) {
      continue;
    }
    if (region_->MarkDeadIfGone(word.lease())) {
      (void)Reap(this, word.lease());
      reaped = true;  // it gates no more, at any rate
    }
  }
  return reaped;
}

std::uint64_t Attachment::ReclaimGroup(const GroupView& group,
                                       std::uint64_t most, OwnFirst* own) {
  if (SomebodyWaitsForRoom(group)) MeetOthers(group);
  const std::uint64_t moved =
      Reclaim(group, allocator_.get(), *keeps_, most, own);
  if (SomebodyMaySleep(group)) ringer_->RingSleepers(group);
  if (SomebodyWaitsForRoom(group)) RingForRoom(group, moved != 0);
  return moved;
}

std::atomic<std::uint64_t>& Attachment::MemoryWait() const {
  return region_->meta<IpcHeader>(geometry_.header_offset)->memory_wait;
}

void Attachment::RaiseMemoryWait() {
  // relaxed: a thread that frees just now is too early, as if it had been. Set
  // for good: who took it back could take back what was set meanwhile.
  memory_waited_for_.store(true, std::memory_order_relaxed);
  RaiseMaybe(&MemoryWait());
  // Whoever reads in any group may be the one whose reading gives back.
  directory_->ForEachGroup(
      [](const GroupView& group) { RaiseMaybe(&group.header().room); });
}

void Attachment::RingForRoom(const GroupView& group, bool memory_came_back) {
  // acquire <- room.wait: whether memory is waited for anywhere
  const bool maybe_memory =
      GroupSleepWord(MemoryWait().load(std::memory_order_acquire)).maybe();
  ringer_->RingForRoom(group, memory_came_back, maybe_memory);
  if (maybe_memory && memory_came_back) RingForMemory();
}

void Attachment::RingForMemory() {
  // seq_cst <-> room.wait: read before the waiters are looked at
  std::uint64_t before = MemoryWait().load(std::memory_order_seq_cst);
  if (!GroupSleepWord(before).maybe()) return;
  bool somebody_waits = false;
  directory_->ForEachGroup([&](const GroupView& group) {
    somebody_waits = ringer_->RingForRoom(group, true, true) || somebody_waits;
  });
  if (somebody_waits) return;
  // seq_cst <-> room.wait: from exactly what we read first; failure relaxed: a
  // waiter came meanwhile
  MemoryWait().compare_exchange_strong(
      before, GroupSleepWord(before).NobodySleeps().raw(),
      std::memory_order_seq_cst, std::memory_order_relaxed);
}

std::uint64_t Attachment::ReclaimAllGroups() {
  std::uint64_t moved = 0;
  directory_->ForEachGroup([&](const GroupView& group) {
    moved += ReclaimGroup(group, kReclaimAll);
  });
  return moved;
}

std::uint64_t Attachment::ReclaimOwn() {
  std::uint64_t came_back = 0;
  joined_.ForEach([&](std::uint32_t slot) {
    OwnFirst own;
    if (const auto group = directory_->At(slot)) {
      came_back += ReclaimGroup(*group, kReclaimAll, &own);
    }
  });
  return came_back;
}

bool Attachment::RelievePressure() {
  std::uint64_t moved = ReclaimAllGroups();
  bool reaped = false;
  directory_->ForEachGroup([&](const GroupView& group) {
    if (ApproxUsed(group) != 0 && ReapLaggards(group)) reaped = true;
  });
  if (ReapAllDead()) reaped = true;
  if (reaped) moved += ReclaimAllGroups();  // whom the dead held back
  return moved != 0 || reaped;
}

Attachment::Stats Attachment::ReadStats() {
  Stats stats;
  directory_->ForEachGroup(
      [&](const GroupView& group) { stats.unreclaimed += ApproxUsed(group); });
  const KeepTable::Usage kept = keeps_->ReadUsage();
  stats.kept_messages = kept.messages;
  stats.kept_bytes = kept.bytes;
  const std::uint16_t high = region_->LeaseHighWater();
  for (std::uint16_t slot = 0; slot < high; ++slot) {
    // acquire <- lease.attach: a figure for people
    const LeaseWord word(
        region_->lease_word(slot).load(std::memory_order_acquire));
    if (word.phase() == LeaseWord::Phase::kAlive) ++stats.live_leases;
  }
  allocator_->Collect();
  stats.allocator = allocator_->Stats();
  stats.region_out_buffers = CountOut(*allocator_);
  return stats;
}

}  // namespace zcb::ipc
