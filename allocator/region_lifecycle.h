// Who may give names to a region's files and take them away.
//
// The holder of the lifecycle lock (byte kLifecycleByte of the NAME.lock that
// has the name) and nobody else. Names appear in the order lock, data, meta
// and go in the order meta, data, lock; so a meta file that has its name has
// the other two, and what is found without a meta file while the lock is free
// was left by a process that died.
//
// Attachers do not take that lock. They and a remover keep out of each other's
// way like this (all seq_cst, edge region.close):
//
//   remover    state = Closing;   any lease Alive and locked?  -> Open again
//   attacher   lease word Alive;  state Open?                  -> else go back
//
// One of the two sees the other.
#ifndef ZCB_ALLOCATOR_REGION_LIFECYCLE_H_
#define ZCB_ALLOCATOR_REGION_LIFECYCLE_H_

#include "allocator/region_core.h"
#include "allocator/status.h"

namespace zcb::alloc {

// What an attacher finds before it takes a lease.
enum class Condition {
  kUsable,
  kRemoved,  // it was left by the dead: its files are gone now
  kBusy,     // another process is making or removing it
};
Condition Vet(const RegionCore& core);

// Takes a lease and makes sure that the region is not being removed from under
// it. False: it is; the lease is given back. kNoResources: no lease is free.
Result<bool> Settle(RegionCore* core);

// Removes the files unless somebody lives in the region or works on its names.
// For the last one to leave; he has given his lease back. Two who leave at the
// same time do not both leave the files behind.
void RemoveIfUnused(const RegionCore& core);

// The same by the locks alone, for a region whose words have been lost: the
// last one to leave removes it, kept or not.
void RemoveIfUnlocked(const RegionCore& core);

// Unlinks the files of a region under construction, as far as they are named.
// The caller holds the lifecycle lock.
void UnlinkNames(const RegionCore& core);

// A lock file without a meta file.
enum class Leftover {
  kGone,   // it was left by the dead: swept, or it has vanished
  kBusy,   // another process is at work
  kInUse,  // processes are attached: somebody else removed the meta file
  kFailed,
};
// `lock_fd`: the opened lock file, of which the process has no other
// descriptor. `hugetlbfs_mount`: where its data file may lie besides.
Leftover SweepLeftover(const RegionDirectory& directory, FileId lock_id,
                       int lock_fd, const std::string& hugetlbfs_mount);

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_REGION_LIFECYCLE_H_
