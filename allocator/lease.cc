#include "allocator/lease.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <string>
#include <string_view>

#include "allocator/proc_file.h"
#include "allocator/record_lock.h"

namespace zcb::alloc {
namespace {

// Field 22 of /proc/self/stat. The second field, in brackets, may hold
// anything: counting starts behind its last bracket.
std::uint64_t OwnStartTime() {
  std::uint64_t start_time = 0;
  ForEachLine("/proc/self/stat", [&](std::string_view line) {
    const std::size_t bracket = line.rfind(')');
    if (bracket == std::string_view::npos) return;
    std::string_view rest = line.substr(bracket + 1);
    for (int field = 2; field < 22; ++field) {
      const std::size_t space = rest.find(' ');
      if (space == std::string_view::npos) return;
      rest.remove_prefix(space + 1);
    }
    std::from_chars(rest.data(), rest.data() + rest.size(), start_time);
  });
  return start_time;
}

}  // namespace

std::uint64_t OwnPidNamespace() {
  struct stat facts = {};
  if (::stat("/proc/self/ns/pid", &facts) != 0) return 0;
  return static_cast<std::uint64_t>(facts.st_ino);
}

ProcessFacts ProcessFacts::OfSelf() {
  return {OwnPidNamespace(), OwnStartTime()};
}

LeaseTable::LeaseTable(RegionHeader* header, const Geometry& geometry,
                       int lock_fd, FileId lock_id)
    : header_(header),
      records_(reinterpret_cast<LeaseRecord*>(
          reinterpret_cast<std::byte*>(header) + geometry.leases_offset)),
      count_(geometry.lease_count),
      lock_fd_(lock_fd),
      lock_id_(lock_id) {}

LeaseWord LeaseTable::Load(std::uint16_t slot) const {
  // seq_cst <-> region.close: a remover must see who attached before Closing.
  return LeaseWord(records_[slot].word.load(std::memory_order_seq_cst));
}

Result<LeaseId> LeaseTable::Take(const ProcessFacts& facts) {
  for (std::uint32_t i = 0; i < count_; ++i) {
    const auto slot = static_cast<std::uint16_t>(i);
    if (Load(slot).phase() != LeaseWord::Phase::kFree) continue;
    switch (TryLockByte(lock_fd_, slot)) {
      case LockAttempt::kTaken:
        break;
      case LockAttempt::kHeldByAnother:
        continue;
      case LockAttempt::kFailed:
        return {Status::kNoResources, "no record lock for a lease"};
    }
    // While we got here somebody may have had the slot and died in it. His
    // lease is for reapers; ours must not look like his.
    const LeaseWord found = Load(slot);
    if (found.phase() != LeaseWord::Phase::kFree) {
      UnlockByte(lock_fd_, slot);
      continue;
    }
    LeaseRecord& mine = records_[slot];
    // relaxed, all five: published by the word below (lease.attach).
    mine.pid_namespace.store(facts.pid_namespace, std::memory_order_relaxed);
    mine.start_time.store(facts.start_time, std::memory_order_relaxed);
    mine.uses_client.store(0, std::memory_order_relaxed);
    mine.bell_count.store(0, std::memory_order_relaxed);
    mine.client_word.store(0, std::memory_order_relaxed);
    RaiseHighWater(i + 1);
    const LeaseWord alive = found.Attach(static_cast<std::int32_t>(::getpid()));
    std::uint64_t expected = found.raw();
    // release -> lease.attach: the record is whole before the word is Alive.
    // acquire <- lease.free: what the slot's last owner gave back is back.
    // seq_cst <-> region.close: Alive first, then the region's state is read.
    if (mine.word.compare_exchange_strong(expected, alive.raw(),
                                          std::memory_order_seq_cst,
                                          std::memory_order_seq_cst)) {
      own_slot_ = slot;
      return LeaseId{slot, alive.generation()};
    }
    UnlockByte(lock_fd_, slot);  // somebody scribbles on the table
  }
  return {Status::kNoResources, "every lease of the region is taken"};
}

void LeaseTable::RaiseHighWater(std::uint32_t slots) {
  std::atomic<std::uint32_t>& mark = header_->lease_high_water;
  // seq_cst <-> region.close: raised before the word turns Alive, so that a
  // remover's scan reaches the slot.
  std::uint32_t seen = mark.load(std::memory_order_seq_cst);
  while (seen < slots &&
         !mark.compare_exchange_weak(seen, slots, std::memory_order_seq_cst,
                                     std::memory_order_seq_cst)) {
  }
}

void LeaseTable::FreeOwn(LeaseId lease) {
  std::atomic<std::uint64_t>& mine = records_[lease.slot].word;
  // relaxed: only a hint for the exchange below.
  LeaseWord seen(mine.load(std::memory_order_relaxed));
  if (!seen.IsAlive(lease.generation)) return;  // judged dead: reapers free it
  std::uint64_t expected = seen.raw();
  // release -> lease.free: everything was given back before the word is Free.
  // seq_cst <-> region.close: of two last ones, one sees that the other left.
  mine.compare_exchange_strong(expected, seen.Release().raw(),
                               std::memory_order_seq_cst,
                               std::memory_order_relaxed);
}

void LeaseTable::Unlock(LeaseId lease) {
  own_slot_ = -1;
  UnlockByte(lock_fd_, lease.slot);
}

std::uint16_t LeaseTable::HighWater() const {
  // seq_cst <-> region.close: see RaiseHighWater. Never believed beyond the
  // table.
  return static_cast<std::uint16_t>(std::min(
      header_->lease_high_water.load(std::memory_order_seq_cst), count_));
}

bool LeaseTable::HoldsLock(std::uint16_t slot) const {
  if (slot == own_slot_) return true;
  if (TestByte(lock_fd_, slot) != LockTest::kFree) return true;
  // The program may have closed our descriptor under us (closefrom) and the
  // number may be another file by now, where every byte is free: then we know
  // nothing, and nobody is dead.
  return IdOfDescriptor(lock_fd_) != lock_id_;
}

Verdict LeaseTable::Judge(LeaseId lease) const {
  if (lease.slot >= count_) return Verdict::kNotDead;
  // acquire <- lease.death: who finds Dead may reap.
  LeaseWord seen(records_[lease.slot].word.load(std::memory_order_acquire));
  if (seen.IsDead(lease.generation)) return Verdict::kWasDead;
  if (!seen.IsAlive(lease.generation)) return Verdict::kNotDead;
  // The lock was taken before the word became Alive with this generation, and
  // we saw that: if it is free now, its owner is gone.
  if (HoldsLock(lease.slot)) return Verdict::kNotDead;
  std::uint64_t expected = seen.raw();
  // release -> lease.death: the verdict stands before anybody reaps.
  // acquire <- lease.death: if another was faster, after his verdict.
  if (records_[lease.slot].word.compare_exchange_strong(
          expected, seen.Die().raw(), std::memory_order_acq_rel,
          std::memory_order_acquire)) {
    return Verdict::kMarkedDead;
  }
  return LeaseWord(expected).IsDead(lease.generation) ? Verdict::kWasDead
                                                      : Verdict::kNotDead;
}

void LeaseTable::FreeDead(LeaseId lease) const {
  if (lease.slot >= count_) return;
  std::atomic<std::uint64_t>& word = records_[lease.slot].word;
  // relaxed: only a hint for the exchange below.
  const LeaseWord seen(word.load(std::memory_order_relaxed));
  if (!seen.IsDead(lease.generation)) return;
  std::uint64_t expected = seen.raw();
  // release -> lease.free: all that named the lease is gone before it is Free.
  word.compare_exchange_strong(expected, seen.Release().raw(),
                               std::memory_order_seq_cst,
                               std::memory_order_relaxed);
}

bool LeaseTable::AnyOtherLives() const {
  const std::uint16_t high_water = HighWater();
  for (std::uint16_t slot = 0; slot < high_water; ++slot) {
    if (slot == own_slot_) continue;
    if (Load(slot).phase() != LeaseWord::Phase::kAlive) continue;
    if (HoldsLock(slot)) return true;
  }
  return false;
}

bool LeaseTable::AnyTaken() const {
  const std::uint16_t high_water = HighWater();
  for (std::uint16_t slot = 0; slot < high_water; ++slot) {
    if (Load(slot).phase() != LeaseWord::Phase::kFree) return true;
  }
  return false;
}

}  // namespace zcb::alloc
