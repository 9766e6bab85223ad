// The memory that one running callback looks at.
#ifndef ZCB_CPG_CALLBACK_FRAME_H_
#define ZCB_CPG_CALLBACK_FRAME_H_

#include <corosync/cpg.h>

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>
#include <vector>

#include "ipc/group_name.h"
#include "ipc/member.h"
#include "ipc/view.h"

namespace zcb::cpg {

cpg_reason_t ToReason(ipc::ViewChange::Kind kind);
// The members of a view as the C API lists them. May throw bad_alloc.
void ListMembers(const ipc::View& view, std::vector<cpg_address>* list);

// One per nesting level of a handle, kept from event to event: nothing of a
// callback's arguments lies on the stack, and nothing is allocated once the
// frame has seen its largest message. Used under the handle's lock.
class CallbackFrame {
 public:
  // Takes a copy of the message; it is writable and 64-byte aligned. May throw
  // bad_alloc; then nothing has changed.
  void CopyMessage(const ipc::Event& message);
  // Takes a copy of the view after the change; likewise.
  void CopyView(const ipc::View& view, const ipc::ViewChange& change);
  void SetGroup(const ipc::GroupName& group);

  void* message() const { return message_.get(); }
  void CallConfchg(cpg_confchg_fn_t confchg, cpg_handle_t handle) const;
  const cpg_name& group() const { return group_; }

  // What is being delivered, and the pointer that the callback has got;
  // nullptr: it has got none, or has returned.
  ipc::Event event;
  const void* shown = nullptr;
  ipc::Member* member = nullptr;  // whose event is not ended; or nullptr

 private:
  static constexpr std::size_t kAlignment = 64;
  struct Freer {
    void operator()(void* memory) const { std::free(memory); }
  };

  cpg_name group_{};
  std::unique_ptr<void, Freer> message_;
  std::size_t capacity_bytes_ = 0;
  std::vector<cpg_address> members_;
  cpg_address changed_{};
  bool joined_ = false;
};

}  // namespace zcb::cpg

#endif  // ZCB_CPG_CALLBACK_FRAME_H_
