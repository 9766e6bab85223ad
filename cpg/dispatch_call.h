// What one cpg_dispatch() holds of its handle while it runs callbacks.
#ifndef ZCB_CPG_DISPATCH_CALL_H_
#define ZCB_CPG_DISPATCH_CALL_H_

#include <optional>
#include <utility>

#include "cpg/callback_frame.h"
#include "cpg/handle.h"
#include "cpg/handle_table.h"
#include "cpg/jump_guard.h"
#include "ipc/begun_message.h"

namespace zcb::cpg {

// A pin and the lock, and the callback that runs under them: given back by the
// destructor when the callback returns, throws or is cancelled, and by the
// guard when it jumps. After that the frames below are as a rule gone for good.
// They are not if what jumped was a coroutine that comes back: then it finds
// the call abandoned, and must not touch the handle any more.
class DispatchCall {
 public:
  explicit DispatchCall(HandleTable<Handle>::Pin pin)
      : pin_(std::in_place, std::move(pin)), lock_(std::in_place, &**pin_) {}
  DispatchCall(const DispatchCall&) = delete;
  DispatchCall& operator=(const DispatchCall&) = delete;

  Handle& handle() { return **pin_; }
  bool abandoned() const { return !pin_.has_value(); }

  // One running callback: a nesting level, and (not with nullptr) the event of
  // that frame, which ends with it.
  class Callback {
   public:
    Callback(DispatchCall* call, CallbackFrame* frame) : call_(call) {
      call_->BeginCallback(frame);
    }
    ~Callback() { call_->EndCallback(); }
    Callback(const Callback&) = delete;
    Callback& operator=(const Callback&) = delete;
    // Now already: the callback does not need it.
    void EndEvent() { call_->EndEvent(); }
    // What the callback is given: until it ends, the message is open.
    void ShowMessage(const ipc::BegunMessage& message) {
      call_->ShowMessage(message);
    }

   private:
    DispatchCall* call_;
  };

 private:
  void BeginCallback(CallbackFrame* frame);
  void EndCallback();
  void EndEvent();
  void ShowMessage(const ipc::BegunMessage& message);
  void HideMessage();
  static void OnJump(void* call);

  std::optional<HandleTable<Handle>::Pin> pin_;
  std::optional<Handle::Lock> lock_;
  bool in_callback_ = false;
  CallbackFrame* frame_ = nullptr;  // of the callback
  JumpGuard guard_;                 // the first to go
};

}  // namespace zcb::cpg

#endif  // ZCB_CPG_DISPATCH_CALL_H_
