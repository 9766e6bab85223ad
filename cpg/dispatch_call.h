// What a call holds of its handle while it waits or runs callbacks.
#ifndef ZCB_CPG_DISPATCH_CALL_H_
#define ZCB_CPG_DISPATCH_CALL_H_

#include <utility>

#include "cpg/callback_frame.h"
#include "cpg/handle.h"
#include "cpg/handle_table.h"
#include "cpg/jump_guard.h"
#include "cpg/process_state.h"
#include "ipc/begun_message.h"

namespace zcb::cpg {

// A pin and the lock. In a child, into which a call may come that was begun by
// its parent, the handle is wiped memory, or somebody else's: there both are
// forgotten, and the call has to end without another look at it.
class Stay {
 public:
  explicit Stay(HandleTable<Handle>::Pin pin)
      : mark_(ProcessState::Find()->mark()), pin_(std::move(pin)) {
    handle().Acquire();
  }
  ~Stay() { End(); }
  Stay(const Stay&) = delete;
  Stay& operator=(const Stay&) = delete;

  Handle& handle() { return *pin_; }
  bool inherited() const { return !mark_.IsHere(); }
  bool ended() const { return !pin_; }
  // Gives both back, before the end.
  void End() {
    if (ended()) return;
    if (inherited()) [[unlikely]] {
      pin_.Forget();
    } else {
      handle().Release();
      pin_.End();
    }
  }

 private:
  ProcessState::Mark mark_;
  HandleTable<Handle>::Pin pin_;
};

// A stay, and the callback that runs in it: ended by the destructor when the
// callback returns, throws or is cancelled, and by the guard when it jumps.
// After that the frames below are as a rule gone for good. They are not if what
// jumped was a coroutine that comes back: then it finds the call abandoned, and
// must not touch the handle any more.
class DispatchCall {
 public:
  explicit DispatchCall(HandleTable<Handle>::Pin pin) : stay_(std::move(pin)) {}
  DispatchCall(const DispatchCall&) = delete;
  DispatchCall& operator=(const DispatchCall&) = delete;

  Handle& handle() { return stay_.handle(); }
  // After a callback: leave the handle alone.
  bool abandoned() const { return stay_.ended(); }
  // The callback has come back in a child; then the call is abandoned at its
  // end.
  bool inherited() const { return stay_.inherited(); }

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

  Stay stay_;
  bool in_callback_ = false;
  CallbackFrame* frame_ = nullptr;  // of the callback
  JumpGuard guard_;                 // the first to go
};

}  // namespace zcb::cpg

#endif  // ZCB_CPG_DISPATCH_CALL_H_
