#include "allocator/region_lifecycle.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

#include "allocator/record_lock.h"

namespace zcb::alloc {
namespace {

RegionState StateOf(const RegionCore& core) {
  // acquire <- region.open: the tables are whole.
  // seq_cst <-> region.close: an attacher looks after its word is Alive.
  return static_cast<RegionState>(
      core.header()->state.load(std::memory_order_seq_cst));
}

void SetState(const RegionCore& core, RegionState state) {
  // seq_cst <-> region.close: before the leases are looked at.
  core.header()->state.store(static_cast<std::uint64_t>(state),
                             std::memory_order_seq_cst);
}

// False: it may still be there.
bool UnlinkIfSame(int directory_fd, const std::string& name, FileId id) {
  const std::optional<FileId> seen = IdOfName(directory_fd, name);
  if (!seen) return errno == ENOENT;
  if (!(*seen == id)) return true;
  return ::unlinkat(directory_fd, name.c_str(), 0) == 0 || errno == ENOENT;
}

UniqueFd OpenMount(const std::string& path) {
  return UniqueFd(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
}

bool HasItsName(const RegionCore& core) {
  return IdOfName(core.directory.fd(), core.directory.lock_name()) ==
         core.facts.lock_id;
}

// With the lifecycle lock held and the lock file named. False: somebody lives
// here, the region is open.
bool RemoveWhileLocked(const RegionCore& core) {
  // A remover that died in Closing is continued; one that died in Closed had
  // made sure that nobody lives, and whoever came since has gone back.
  if (StateOf(core) != RegionState::kClosed) {
    SetState(core, RegionState::kClosing);
    if (core.leases.AnyOtherLives()) {
      SetState(core, RegionState::kOpen);
      return false;
    }
    SetState(core, RegionState::kClosed);
  }
  UnlinkNames(core);
  return true;
}

}  // namespace

void UnlinkNames(const RegionCore& core) {
  UniqueFd mount_fd;
  const int data_directory = core.DataDirectory(&mount_fd);
  // One that cannot be taken away keeps those behind it: who comes next finds a
  // region that is Closed, or a lock file without a meta file, and goes on. A
  // meta file without the others would keep everybody out.
  if (!UnlinkIfSame(core.directory.fd(), core.directory.meta_name(),
                    core.meta_id) ||
      !UnlinkIfSame(data_directory, core.DataName(), core.facts.data_id)) {
    return;
  }
  core.directory.SweepHelperFiles();
  UnlinkIfSame(core.directory.fd(), core.directory.lock_name(),
               core.facts.lock_id);
}

Condition Vet(const RegionCore& core) {
  const int lock_fd = core.lock_fd.get();
  if (TryLockByte(lock_fd, kLifecycleByte) != LockAttempt::kTaken) {
    return StateOf(core) == RegionState::kOpen ? Condition::kUsable
                                               : Condition::kBusy;
  }
  Condition condition = Condition::kUsable;
  if (!HasItsName(core)) {
    condition = Condition::kRemoved;
  } else if (StateOf(core) != RegionState::kOpen ||
             (core.leases.AnyTaken() && !core.leases.AnyOtherLives())) {
    // Its remover died, or all its processes were killed.
    if (RemoveWhileLocked(core)) condition = Condition::kRemoved;
  }
  UnlockByte(lock_fd, kLifecycleByte);
  return condition;
}

Result<bool> Settle(RegionCore* core) {
  Result<LeaseId> lease = core->leases.Take(ProcessFacts::OfSelf());
  if (!lease) return lease.failure();
  core->lease = *lease;
  // The name is looked at as well: somebody may have unlinked it by hand.
  if (StateOf(*core) == RegionState::kOpen &&
      IdOfName(core->directory.fd(), core->directory.meta_name()) ==
          core->meta_id) {
    if (lease->generation > 1) LifeFifo::Clear(core->directory, lease->slot);
    return true;
  }
  core->leases.FreeOwn(core->lease);
  core->leases.Unlock(core->lease);
  return false;
}

void RemoveIfUnused(const RegionCore& core) {
  const int lock_fd = core.lock_fd.get();
  // Looked at again after each unlocking: who leaves while we hold the lock
  // cannot have it, and goes, and relies on us.
  while (!core.leases.AnyOtherLives()) {
    if (TryLockByte(lock_fd, kLifecycleByte) != LockAttempt::kTaken) return;
    const bool done = !HasItsName(core) || RemoveWhileLocked(core);
    UnlockByte(lock_fd, kLifecycleByte);
    if (done) return;
  }
}

void RemoveIfUnlocked(const RegionCore& core) {
  const int lock_fd = core.lock_fd.get();
  if (TryLockByte(lock_fd, kLifecycleByte) != LockAttempt::kTaken) return;
  if (HasItsName(core) &&
      TestBytes(lock_fd, 0, kLifecycleByte) == LockTest::kFree) {
    UnlinkNames(core);
  }
  UnlockByte(lock_fd, kLifecycleByte);
}

Leftover SweepLeftover(const RegionDirectory& directory, FileId lock_id,
                       int lock_fd, const std::string& hugetlbfs_mount) {
  switch (TryLockByte(lock_fd, kLifecycleByte)) {
    case LockAttempt::kTaken:
      break;
    case LockAttempt::kHeldByAnother:
      return Leftover::kBusy;
    case LockAttempt::kFailed:
      return Leftover::kFailed;
  }
  Leftover result = Leftover::kGone;
  if (IdOfName(directory.fd(), directory.lock_name()) == lock_id &&
      !IdOfName(directory.fd(), directory.meta_name())) {
    if (TestBytes(lock_fd, 0, kLifecycleByte) != LockTest::kFree) {
      result = Leftover::kInUse;
    } else {
      ::unlinkat(directory.fd(), directory.data_name().c_str(), 0);
      if (!hugetlbfs_mount.empty()) {
        UniqueFd mount_fd = OpenMount(hugetlbfs_mount);
        ::unlinkat(mount_fd.get(), directory.hugetlbfs_data_name().c_str(), 0);
      }
      directory.SweepHelperFiles();
      ::unlinkat(directory.fd(), directory.lock_name().c_str(), 0);
    }
  }
  UnlockByte(lock_fd, kLifecycleByte);
  return result;
}

}  // namespace zcb::alloc
