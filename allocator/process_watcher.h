// Notices at once that other processes of a region have ended.
#ifndef ZCB_ALLOCATOR_PROCESS_WATCHER_H_
#define ZCB_ALLOCATOR_PROCESS_WATCHER_H_

#include <memory>

#include "allocator/lease_word.h"
#include "allocator/region.h"
#include "allocator/small_thread.h"
#include "allocator/status.h"

namespace zcb::alloc {

// One background thread per region, all signals blocked in it, asleep in one
// epoll set: for each watched lease a pidfd (if its process is in our PID
// namespace) and the read end of its life FIFO (which also tells execve, and
// works across namespaces). Such an event only starts the check; the verdict
// is the record lock's (Region::MarkDeadIfGone), and nothing else is told.
//
// An event whose lock is still held (a detach half done; an attacher that
// tries the slot's byte) is looked at again, 1 ms later, then in growing
// steps, until the word or the lock has decided. The same, at the slowest
// pace, for a lease that cannot be watched at all (no descriptors left; no
// life FIFO and another namespace). Otherwise there is no timer.
//
// What it works with lies in the pages of its stack: see SmallThread.
//
// Threads: any. After a crash there is nothing to mend. In a child of fork(2)
// every call does nothing.
class ProcessWatcher {
 public:
  // Called from the watcher's thread, once per watched lease that is Dead; it
  // may call Watch(), but must not destroy the watcher.
  using OnGone = void (*)(void* context, LeaseId gone);

  static Result<std::unique_ptr<ProcessWatcher>> Start(
      std::shared_ptr<Region> region, OnGone on_gone, void* context);
  // Joins the thread: no call of on_gone is running or will follow.
  ~ProcessWatcher();
  ProcessWatcher(const ProcessWatcher&) = delete;
  ProcessWatcher& operator=(const ProcessWatcher&) = delete;

  // From now on; a lease that is gone already is told of too. A lease given
  // back cleanly is forgotten silently. Idempotent. Starts the thread if it
  // does not run yet; if that fails, the next call tries again.
  void Watch(LeaseId lease);
  // So that no Watch() can fail for want of a thread. kNoResources.
  Outcome StartThread();

  // Makes ourselves noticeable. Before anything by which others come to depend
  // on our lease.
  Outcome PublishLife();
  // Takes that back, while nobody depends on our lease: whoever looks after it
  // all the same finds its lock held.
  void WithdrawLife();

 private:
  struct State;
  ProcessWatcher(SmallThread thread, State* state);
  SmallThread thread_;  // with the state's mutex
  State* state_;        // in the thread's memory
};

}  // namespace zcb::alloc

#endif  // ZCB_ALLOCATOR_PROCESS_WATCHER_H_
