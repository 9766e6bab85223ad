// Memory behind units that nobody owns: given back to the system, or taken
// from it ahead of time.
#ifndef ZCB_ALLOCATOR_IDLE_MEMORY_H_
#define ZCB_ALLOCATOR_IDLE_MEMORY_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>

#include "allocator/private_mapping.h"
#include "allocator/shared_tables.h"
#include "allocator/status.h"
#include "allocator/unit_claimer.h"

namespace zcb::alloc {

// All work is done on whole huge pages of which this process owns every unit
// at that moment: it claims the free units, changes what lies behind them, and
// frees them again. So no other owner's bytes can be under it. Any thread.
// Makes system calls: under no lock.
//
// Death in the middle: the units are Owned{dead}, become Abandoned like any
// others and are adopted empty. The commit byte is cleared before the hole is
// made, so it never promises memory that is not there.
class IdleMemory {
 public:
  IdleMemory(const SharedTables& shared, UnitClaimer& claimer);
  bool ok() const { return seen_memory_.ok(); }

  // Free memory of the region that is committed. One look at each unit.
  std::uint64_t CommittedBytes() const;

  // Punches out what is free, from the top of the region down, until no more
  // than `keep_bytes` of it is committed. The bytes given back.
  std::uint64_t GiveBack(std::uint64_t keep_bytes);
  // The same if more than `limit_bytes` are free and committed, down to half
  // of it, and only what was already free at the last call and has not been
  // owned since. Does nothing while another thread is at it.
  std::uint64_t GiveBackOld(std::uint64_t limit_bytes);

  // Commits free units, lowest first, maps them and makes their pages huge
  // where that can be done afterwards, until `bytes` of free memory are so or
  // none is left: how many bytes are. kNoMemory: the file system is full; what
  // was done stays.
  Result<std::uint64_t> Prefault(std::uint64_t bytes);

 private:
  static constexpr std::uint32_t kMaxUnitsPerPage =
      kHugePageBytes / kSmallUnitBytes;
  // A huge page, every unit of which is ours for the moment.
  struct HeldPage {
    std::uint32_t first_unit = 0;
    std::uint32_t unit_count = 0;
    std::array<UnitWord, kMaxUnitsPerPage> words;
  };

  std::uint32_t FirstUnitOf(std::uint32_t page) const {
    return page * units_per_page_;
  }
  bool IsCommitted(std::uint32_t page) const {
    return shared_.region().IsUnitCommitted(FirstUnitOf(page));
  }
  bool IsFree(std::uint32_t page) const;
  // Free, and as it was at the last NoteFree().
  bool IsOld(std::uint32_t page) const;
  void NoteFree();
  // Claims every unit of the page, or none.
  std::optional<HeldPage> Hold(std::uint32_t page);
  void LetGo(const HeldPage& held);
  std::uint64_t Punch(std::uint64_t committed_bytes, std::uint64_t keep_bytes,
                      bool only_old);

  const SharedTables& shared_;
  UnitClaimer& claimer_;
  const std::uint32_t units_per_page_;
  const std::uint32_t page_count_;
  PrivateMapping seen_memory_;
  // By unit: its word if it was free at the last look, plus one to tell it
  // from 0.
  std::uint64_t* seen_ = nullptr;
  std::atomic<bool> is_busy_{false};  // guards seen_
};

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_IDLE_MEMORY_H_
