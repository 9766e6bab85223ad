// What the handles of one process share; a forked child gets its own.
#ifndef ZCB_CPG_PROCESS_STATE_H_
#define ZCB_CPG_PROCESS_STATE_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "allocator/status.h"
#include "cpg/handle.h"
#include "cpg/handle_table.h"
#include "cpg/iteration_walk.h"
#include "ipc/attachment.h"

namespace zcb::cpg {

// Never destroyed, and in memory that a child finds zeroed. In a child of
// fork(2) the inherited state is abandoned as it is (its locks may be held by
// threads that do not exist there, its regions are the parent's), and the first
// cpg_initialize() makes a new one.
//
// Attachments stay until the process exits: cpg_finalize() frees no buffer and
// unmaps nothing. One for each set of options the environment has named.
class ProcessState {
 public:
  static constexpr std::size_t kMaxAttachments = 64;

  // Notices that a call goes on in a child: a callback, or the handler of a
  // signal, has forked, and returns there.
  class Mark {
   public:
    // relaxed: changed by the kernel alone, at fork
    bool IsHere() const { return ours_->load(std::memory_order_relaxed) != 0; }

   private:
    friend class ProcessState;
    explicit Mark(const std::atomic<std::uint32_t>* ours) : ours_(ours) {}
    // Stays mapped, and no child is ever given this piece (WipedMemory).
    const std::atomic<std::uint32_t>* ours_;
  };
  Mark mark() const { return Mark(&ours_); }

  // The state of this process; nullptr: none yet, or only the parent's.
  static ProcessState* Find() {
    // acquire <- process.state: the state is whole
    ProcessState* state = current_.load(std::memory_order_acquire);
    return state != nullptr && state->IsOurs() ? state : nullptr;
  }
  // The same, made if need be. kNotSupported: the kernel cannot tell a child
  // from its parent. kLibrary: the process is about to exit.
  static Result<ProcessState*> FindOrMake();

  // The attachment to the region that the environment names now. Errors of
  // IpcOptions::FromEnvironment() and Attachment::Open(), and kNoResources:
  // too many regions.
  Result<std::shared_ptr<ipc::Attachment>> AttachDefault();
  // Attachment number `index`; nullptr: there are no more. Lock-free.
  ipc::Attachment* AttachmentAt(std::size_t index) const {
    if (index >= kMaxAttachments) return nullptr;
    // acquire <- process.attach: the attachment is whole
    return reachable_[index].load(std::memory_order_acquire);
  }

  // The context of a cpg_handle_t is its note.
  HandleTable<Handle>& handles() { return handles_; }
  const HandleTable<Handle>& handles() const { return handles_; }
  HandleTable<IterationWalk>& walks() { return walks_; }

  // At exit: ends every handle, so that the others learn it now, and gives the
  // regions back if nobody can still be using them; see the definition.
  void Close();

 private:
  ProcessState() = default;
  ~ProcessState() = default;
  // False in a child.
  bool IsOurs() const { return mark().IsHere(); }
  bool MayDetach(ipc::Attachment* attachment) const;

  static std::atomic<ProcessState*> current_;

  std::atomic<std::uint32_t> ours_{1};
  std::atomic<bool> closed_{false};
  HandleTable<Handle> handles_;
  HandleTable<IterationWalk> walks_;
  // word         written by             read by         edge
  // reachable_   AttachDefault()        all             process.attach
  std::array<std::atomic<ipc::Attachment*>, kMaxAttachments> reachable_{};
  std::mutex attach_mutex_;  // guards what follows
  std::vector<std::shared_ptr<ipc::Attachment>> attachments_;
};

// A pin on the handle, or falsy: what every function of the C API begins with.
// Inlined, so that the pin lies in registers and its kind is a constant.
[[gnu::always_inline]] inline HandleTable<Handle>::Pin FindHandle(
    cpg_handle_t handle, PinWord::Kind kind = PinWord::Kind::kCall) {
  ProcessState* state = ProcessState::Find();
  if (state == nullptr) return {};
  return state->handles().Find(handle, kind);
}

}  // namespace zcb::cpg

#endif  // ZCB_CPG_PROCESS_STATE_H_
