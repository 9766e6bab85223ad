#include "allocator/idle_memory.h"

#include <algorithm>

namespace zcb::alloc {
namespace {

using Kind = UnitWord::Kind;

}  // namespace

IdleMemory::IdleMemory(const SharedTables& shared, UnitClaimer& claimer)
    : shared_(shared),
      claimer_(claimer),
      units_per_page_(
          static_cast<std::uint32_t>(kHugePageBytes / shared.unit_bytes())),
      page_count_(shared.region().geometry().huge_page_count()),
      seen_memory_(shared.unit_count() * sizeof(std::uint64_t)),
      seen_(seen_memory_.as<std::uint64_t>()) {}

bool IdleMemory::IsFree(std::uint32_t page) const {
  for (std::uint32_t i = 0; i < units_per_page_; ++i) {
    // relaxed: only looks for a candidate
    const std::uint64_t raw =
        shared_.unit(FirstUnitOf(page) + i).load(std::memory_order_relaxed);
    if (UnitWord(raw).kind() != Kind::kFree) return false;
  }
  return true;
}

bool IdleMemory::IsOld(std::uint32_t page) const {
  for (std::uint32_t i = 0; i < units_per_page_; ++i) {
    const std::uint32_t unit = FirstUnitOf(page) + i;
    // relaxed: only looks for a candidate
    const std::uint64_t raw =
        shared_.unit(unit).load(std::memory_order_relaxed);
    if (UnitWord(raw).kind() != Kind::kFree || seen_[unit] != raw + 1) {
      return false;
    }
  }
  return true;
}

void IdleMemory::NoteFree() {
  for (std::uint32_t unit = 0; unit < shared_.unit_count(); ++unit) {
    // relaxed: only remembers what it was
    const std::uint64_t raw =
        shared_.unit(unit).load(std::memory_order_relaxed);
    const std::uint64_t seen =
        UnitWord(raw).kind() == Kind::kFree ? raw + 1 : 0;
    // Pages of the table that say nothing stay unwritten.
    if (seen_[unit] != seen) seen_[unit] = seen;
  }
}

std::optional<IdleMemory::HeldPage> IdleMemory::Hold(std::uint32_t page) {
  HeldPage held;
  held.first_unit = FirstUnitOf(page);
  for (; held.unit_count < units_per_page_; ++held.unit_count) {
    const std::uint32_t unit = held.first_unit + held.unit_count;
    // relaxed: the swap decides
    const UnitWord word(shared_.unit(unit).load(std::memory_order_relaxed));
    // Before the claim, as for any other: a reaper may have to read them.
    if (word.kind() != Kind::kFree || !shared_.CommitGranuleWords(unit)) break;
    const std::optional<ClaimedUnit> ours = claimer_.TryClaim(unit, word);
    if (!ours) break;
    held.words[held.unit_count] = ours->word;
  }
  if (held.unit_count == units_per_page_) return held;
  LetGo(held);
  return std::nullopt;
}

void IdleMemory::LetGo(const HeldPage& held) {
  for (std::uint32_t i = held.unit_count; i-- > 0;) {
    claimer_.Release(held.first_unit + i, held.words[i], held.words[i].Free());
  }
}

std::uint64_t IdleMemory::CommittedBytes() const {
  std::uint64_t pages = 0;
  for (std::uint32_t page = 0; page < page_count_; ++page) {
    pages += IsCommitted(page) && IsFree(page);
  }
  return pages * kHugePageBytes;
}

// From the top, as far as possible from where the next units are claimed.
std::uint64_t IdleMemory::Punch(std::uint64_t committed_bytes,
                                std::uint64_t keep_bytes, bool only_old) {
  std::uint64_t given_bytes = 0;
  for (std::uint32_t page = page_count_; page-- > 0;) {
    if (committed_bytes <= keep_bytes) break;
    if (!IsCommitted(page) || !(only_old ? IsOld(page) : IsFree(page))) {
      continue;
    }
    const std::optional<HeldPage> held = Hold(page);
    if (!held) continue;
    const Outcome punched =
        shared_.region().DecommitUnits(held->first_unit, held->unit_count);
    LetGo(*held);
    if (!punched) break;
    given_bytes += kHugePageBytes;
    committed_bytes -= kHugePageBytes;
  }
  return given_bytes;
}

std::uint64_t IdleMemory::GiveBack(std::uint64_t keep_bytes) {
  return Punch(CommittedBytes(), keep_bytes, false);
}

std::uint64_t IdleMemory::GiveBackOld(std::uint64_t limit_bytes) {
  // acquire <- idle.look: the last thread's notes.
  if (is_busy_.exchange(true, std::memory_order_acquire)) return 0;
  const std::uint64_t committed_bytes = CommittedBytes();
  std::uint64_t given_bytes = 0;
  if (committed_bytes > limit_bytes) {
    given_bytes = Punch(committed_bytes, limit_bytes / 2, true);
  }
  NoteFree();
  // release -> idle.look: our notes.
  is_busy_.store(false, std::memory_order_release);
  return given_bytes;
}

Result<std::uint64_t> IdleMemory::Prefault(std::uint64_t bytes) {
  std::uint64_t done_bytes = 0;
  for (std::uint32_t page = 0; page < page_count_ && done_bytes < bytes;
       ++page) {
    if (!IsFree(page)) continue;
    // Asked here, since a unit that was not held may also be another's by now.
    for (std::uint32_t i = 0; i < units_per_page_; ++i) {
      const Outcome words = shared_.CommitGranuleWords(FirstUnitOf(page) + i);
      if (!words) return words.failure();
    }
    const std::optional<HeldPage> held = Hold(page);
    if (!held) continue;
    Region& region = shared_.region();
    Outcome ready =
        claimer_.placement().Commit(region, held->first_unit, held->unit_count);
    if (ready) ready = region.PrefaultUnits(held->first_unit, held->unit_count);
    LetGo(*held);
    if (!ready) return ready.failure();
    done_bytes += kHugePageBytes;
  }
  return done_bytes;
}

}  // namespace zcb::alloc
