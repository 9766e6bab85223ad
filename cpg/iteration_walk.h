// One cpg_iteration_handle_t: a snapshot, and how far it is walked.
#ifndef ZCB_CPG_ITERATION_WALK_H_
#define ZCB_CPG_ITERATION_WALK_H_

#include <corosync/cpg.h>

#include <cstddef>
#include <mutex>
#include <utility>
#include <vector>

namespace zcb::cpg {

// Any thread. Ordinary memory of one process. It names the handle it came from
// and does not hold it: once that is finalized, the walk is a bad handle too.
class IterationWalk {
 public:
  IterationWalk(cpg_handle_t owner,
                std::vector<cpg_iteration_description_t> items)
      : owner_(owner), items_(std::move(items)) {}

  cpg_handle_t owner() const { return owner_; }

  // False at the end, and ever after.
  bool TakeNext(cpg_iteration_description_t* item) {
    const std::lock_guard lock(mutex_);
    if (next_ == items_.size()) return false;
    *item = items_[next_++];
    return true;
  }

 private:
  const cpg_handle_t owner_;
  const std::vector<cpg_iteration_description_t> items_;
  std::mutex mutex_;
  std::size_t next_ = 0;
};

}  // namespace zcb::cpg

#endif  // ZCB_CPG_ITERATION_WALK_H_
