// The leases of a region: taking one, giving it back, and asking who lives.
#ifndef ZCB_ALLOCATOR_LEASE_H_
#define ZCB_ALLOCATOR_LEASE_H_

#include <atomic>
#include <cstdint>

#include "allocator/abi.h"
#include "allocator/lease_word.h"
#include "allocator/region_files.h"
#include "allocator/region_header.h"
#include "allocator/status.h"

namespace zcb::alloc {

// The byte of NAME.lock whose holder may change which of the region's files
// have names. Behind every slot, and the same for every region: who meets the
// lock file of a dead creator cannot know how many leases there were to be.
inline constexpr std::uint32_t kLifecycleByte = RegionLimits::kMaxLeases;

// What a lease says about its process beside the pid.
struct ProcessFacts {
  std::uint64_t pid_namespace = 0;  // 0: unknown
  std::uint64_t start_time = 0;
  static ProcessFacts OfSelf();
};
// Inode of our PID namespace; 0: unknown.
std::uint64_t OwnPidNamespace();

// Truth about life is a record lock, held by the process through `lock_fd` as
// long as it has the lease; the word says which process is meant. Any thread,
// except Take and the two halves of giving back: one at a time per process,
// which the registry sees to. A crash leaves an Alive word whose lock is free,
// for anybody to mark Dead and reap.
class LeaseTable {
 public:
  LeaseTable() = default;
  // `header` is the mapped meta file, checked against `geometry`; `lock_fd`
  // this process's only descriptor of the lock file.
  LeaseTable(RegionHeader* header, const Geometry& geometry, int lock_fd,
             FileId lock_id);

  // Lock byte, record, then Free{g} -> Alive{g+1}. The lowest slot that can be
  // had. kNoResources: none can.
  Result<LeaseId> Take(const ProcessFacts& facts);
  // Giving back, first half: Alive -> Free. Everything else is given back.
  void FreeOwn(LeaseId lease);
  // Second half: the lock byte.
  void Unlock(LeaseId lease);

  std::atomic<std::uint64_t>& word(std::uint16_t slot) const {
    return records_[slot].word;
  }
  LeaseRecord& record(std::uint16_t slot) const { return records_[slot]; }
  std::uint16_t HighWater() const;
  bool HoldsLock(std::uint16_t slot) const;
  Verdict Judge(LeaseId lease) const;
  bool MarkDeadIfGone(LeaseId lease) const {
    return Judge(lease) != Verdict::kNotDead;
  }
  void FreeDead(LeaseId lease) const;

  // Alive words whose lock is held by another process.
  bool AnyOtherLives() const;
  // Words that are not Free, whatever their lock.
  bool AnyTaken() const;

 private:
  void RaiseHighWater(std::uint32_t slots);
  LeaseWord Load(std::uint16_t slot) const;

  RegionHeader* header_ = nullptr;
  LeaseRecord* records_ = nullptr;
  std::uint32_t count_ = 0;
  int lock_fd_ = -1;
  FileId lock_id_;
  std::int32_t own_slot_ = -1;
};

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_LEASE_H_
