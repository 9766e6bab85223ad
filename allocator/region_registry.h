// The regions that this process is attached to.
#ifndef ZCB_ALLOCATOR_REGION_REGISTRY_H_
#define ZCB_ALLOCATOR_REGION_REGISTRY_H_

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "allocator/fork_guard.h"
#include "allocator/region_files.h"

namespace zcb::alloc {

class Region;

// One per process, and a new one in a forked child: there the mutex may be
// held by a thread that does not exist, and the objects belong to the parent.
// The inherited one is leaked on purpose.
//
// Its mutex also serializes every Open and every detach of the process, so
// that at most one thread works with record locks that two threads would
// share.
class RegionRegistry {
 public:
  // nullptr: no guard page can be had.
  static RegionRegistry* ForThisProcess();

  const ForkGuard& guard() const { return guard_; }
  std::mutex& mutex() { return mutex_; }

  // All below: with the mutex held.

  // The living object of the region whose meta file this is. Waits while a
  // thread of ours is about to detach from it.
  std::shared_ptr<Region> Find(FileId meta_id,
                               std::unique_lock<std::mutex>* held);
  // True if some region of ours has that lock file: it must not be opened
  // again, since closing it would cost the locks.
  bool OwnsLockFile(FileId lock_id) const;
  // So that the next Add() cannot fail.
  void MakeRoom() { entries_.reserve(entries_.size() + 1); }
  void Add(FileId meta_id, FileId lock_id, std::weak_ptr<Region> region);
  void Remove(FileId meta_id);

 private:
  struct Entry {
    FileId meta_id;
    FileId lock_id;
    std::weak_ptr<Region> region;
  };
  ForkGuard guard_ = ForkGuard::Arm();
  std::mutex mutex_;
  std::condition_variable removed_;
  std::vector<Entry> entries_;
};

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_REGION_REGISTRY_H_
